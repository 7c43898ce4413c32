/**
 * `openclaw why`: the causes of a record, an output or a value; with `--not`, why something did
 * not happen, where the chain stops, and the proof that it cannot go on by itself.
 */
import { kinds } from '../../machines/kinds.ts'
import { formatWhy, formatWhyNot } from '../../machines/history/documents.ts'
import { readGoal } from '../../machines/history/goal.ts'
import { explainRecord, findWriter, outcomeAt } from '../../machines/history/why.ts'
import { explainAbsence } from '../../machines/history/why-not.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { NOTHING } from '../../protocol/history/pointer.ts'
import { EXIT } from '../exit.ts'
import { isAlive } from '../history/alive.ts'
import { findStream } from '../../machines/history/find-stream.ts'
import { actorArgs, historyArgs, locate } from '../history/options.ts'
import { alongFork, type Source, withSource } from '../history/source.ts'
import { showWhy, showWhyNot } from '../history/why-text.ts'
import { show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: explained; 10: no such record; 13: the chain is pruned. */
export const why = defineVerb({
  name: 'why',
  description: 'Tell why something happened (#42, #42.e0, --path), or --not, why it did not',
  args: {
    ...historyArgs,
    ...actorArgs,
    address: {
      type: 'positional',
      required: false,
      description: 'a record, or one of its outputs',
    },
    path: {
      type: 'string',
      valueHint: '/POINTER',
      description: 'why this value of an actor is what it is',
    },
    at: {
      type: 'string',
      valueHint: 'ADDRESS',
      description: 'with --path: at this moment (default head)',
    },
    not: {
      type: 'string',
      valueHint: 'GOAL',
      description: 'reply-to:#7, #8.e0, run:ID, delivery:ID, or a filter with --from',
    },
    from: { type: 'string', valueHint: 'ADDRESS', description: 'with a filter: where to begin' },
  },
  run: (args) =>
    withSource(args.journal, (opened) => {
      const source = alongFork(opened, args.address, args.at, args.from, args.not)
      const shown = { json: args.json === true, utc: args.utc === true }
      if (args.not !== undefined) return explainNot(source, args.not, args)
      if (args.path !== undefined) return explainPath(source, args.path, args)
      if (args.address === undefined) {
        throw new GatewayError(
          'USAGE',
          'name a record (#42), an output (#42.e0), --path or --not',
          { verb: 'why' },
        )
      }
      const { position, output } = locate(source, args.address, args)
      return explain(source, { position, output }, shown)
    }),
})

interface Wish {
  readonly json?: boolean | undefined
  readonly utc?: boolean | undefined
  readonly date?: string | undefined
  readonly session?: string | undefined
  readonly actor?: string | undefined
  readonly at?: string | undefined
  readonly from?: string | undefined
}

interface Shown {
  readonly json: boolean
  readonly utc: boolean
}

function explain(
  { history }: Source,
  { position, output }: { position: number; output: string | null },
  shown: Shown,
): number {
  const chain = explainRecord(history, kinds, position, output)
  const end = output === null ? null : outcomeAt(history, { position, output })
  if (shown.json) showJson({ ok: true, ...formatWhy(chain, end) })
  else showWhy(chain, end, shown)
  return chain.pruned === null ? 0 : EXIT.pruned
}

function explainPath(source: Source, path: string, args: Wish): number {
  const { history } = source
  const stream = findStream(history, args)
  const { position } = locate(source, args.at ?? 'head', args)
  const { record, was, is } = findWriter(history, kinds, stream, { position, path })
  const chain = explainRecord(history, kinds, record.position)
  if (args.json) {
    const value = { path, was: was === NOTHING ? null : was, is: is === NOTHING ? null : is }
    showJson({ ok: true, ...value, by: record.position, ...formatWhy(chain, null) })
  } else {
    show(`${stream}${path} is ${write(is)} since #${record.position}; before it was ${write(was)}`)
    showWhy(chain, null, { utc: args.utc === true })
  }
  return chain.pruned === null ? 0 : EXIT.pruned
}

function write(value: unknown): string {
  if (value === NOTHING) return 'absent'
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`
}

async function explainNot(source: Source, target: string, args: Wish): Promise<number> {
  const { history } = source
  const from = args.from === undefined ? null : locate(source, args.from, args).position
  const goal = readGoal(history, target, from)
  const alive = await isAlive(source)
  const found = explainAbsence(history, kinds, { ...goal, alive })
  if (args.json) showJson({ ok: true, target, ...formatWhyNot(found) })
  else showWhyNot(found, { says: goal.says, history, utc: args.utc === true })
  return found.verdict === 'pruned' ? EXIT.pruned : 0
}
