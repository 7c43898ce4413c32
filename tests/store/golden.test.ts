/** Golden journals: what an earlier version wrote is read for ever. */
import '../../actors/trap.ts'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readCodeIdentity } from '../../actors/code.ts'
import { loadOpenWork } from '../../actors/projector.ts'
import { replayStream } from '../../actors/stream.ts'
import { formatValue } from '../../machines/step.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import { readRecords } from '../support/kernel.ts'

const golden = suite('golden')
const GOLDEN = fileURLToPath(new URL('../../../tests/golden', import.meta.url))
const code = readCodeIdentity()
const formats = readdirSync(GOLDEN).filter((name) => name.startsWith('format-'))

for (const format of formats) {
  golden(
    `I30 F47 a journal of ${format} is whole, readable, and replays to its recorded values`,
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'openclaw-test-'))
      cpSync(join(GOLDEN, format, 'journal'), directory, { recursive: true })
      const known = JSON.parse(
        readFileSync(join(GOLDEN, format, 'records.json'), 'utf8'),
      ) as JournalRecord[]

      const { tree } = await verifyInChild(directory, { deep: true })
      const store = await openLmdbReader(directory)
      const root = Buffer.from(store.tree.head().root).toString('base64')
      const heads = [...store.signedHeads()].length
      const records = readRecords(store)
      const work = loadOpenWork(store)
      const replayed = [...lastValues(known).keys()].map(
        (stream) => [stream, formatValue(replayStream(store, stream, code).snapshot)] as const,
      )
      const body = store.body(
        String(known.find(({ cause }) => cause === 'ext:irc:m1')?.event['ref']),
      )
      await store.close()
      rmSync(directory, { recursive: true })

      assert.equal(JSON.parse(JSON.stringify(records)), known)
      // Older than tree and heads: the root is computed, and nothing is signed.
      assert.equal([root, heads], [tree?.root, 0])
      // Machines may change; the states that people know by name must be reached all the same.
      assert.equal(new Map(replayed), lastValues(known))
      assert.is(Buffer.from(body ?? []).toString(), 'hello old friend')
      assert.equal([work.effects.size, work.keys.size, work.sessions.size], [1, 1, 1])
    },
  )
}

/** The value of each stream after its newest record. */
function lastValues(records: readonly JournalRecord[]): Map<StreamId, string> {
  return new Map(records.map(({ stream, value }) => [stream, value]))
}

golden('I30 there is a golden journal of every format so far', () => {
  assert.equal(formats, ['format-1'])
})

golden.run()
