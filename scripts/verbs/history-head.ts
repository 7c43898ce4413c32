/**
 * `openclaw history head`: what the journal is now, its newest signed head, and the key of that.
 *
 * The head and the key are worth keeping elsewhere: what they prove, they prove to whoever has
 * remembered them.
 */
import { formatVerifier, verifierOf } from '../../protocol/history/checkpoint.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import { findJournal, journalArgs } from '../history/place.ts'
import { columns, show, showJson, stream } from '../output.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: told; 10: no journal; 12: damaged. */
export const historyHead = defineVerb({
  name: 'history head',
  description: 'Show the head of the journal: size, root, newest signed head, key',
  args: {
    ...journalArgs,
    checkpoint: { type: 'boolean', description: 'print the signed head alone, to keep it' },
  },
  async run(args) {
    const reader = await openLmdbReader(await findJournal(args.journal))
    try {
      const { size, root } = reader.tree.head()
      const signed = reader.signedHead(size)
      const keys = reader.keys().map((key) => formatVerifier(verifierOf(key)))
      const head = {
        size,
        root: Buffer.from(root).toString('base64'),
        signed: signed?.position ?? 0,
        checkpoint: signed?.text ?? null,
        keys,
      }
      if (args.json) showJson({ ok: true, schema: 'openclaw-head/1', ...head })
      else if (args.checkpoint === true) stream(head.checkpoint ?? '')
      else for (const line of linesOf(head)) show(line)
      return args.checkpoint === true && signed === null ? 10 : 0
    } finally {
      await reader.close()
    }
  },
})

interface Head {
  readonly size: number
  readonly root: string
  readonly signed: number
  readonly checkpoint: string | null
  readonly keys: readonly string[]
}

function linesOf({ size, root, signed, checkpoint, keys }: Head): string[] {
  const rows = [
    ['records', String(size)],
    ['root', root],
    ['signed', checkpoint === null ? 'nothing yet' : `the first ${signed} records`],
    ['unsigned', String(size - signed)],
    ...keys.map((key) => ['key', key]),
  ]
  return [
    ...columns(rows),
    ...(checkpoint === null ? [] : ['', ...checkpoint.trimEnd().split('\n')]),
  ]
}
