/**
 * Replay through the machines against a scan that only decodes, over the same journal.
 *
 *   node dist/scripts/bench/replay.js [--turns 125]
 *
 * 100 sessions of 125 turns make 50,000 records. Both read every record in the order of the
 * journal, check and decode it; replay also steps the machine of its stream. What it arrives at
 * must hash to what was recorded, or the figure is worth nothing.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { AnyMachineSnapshot } from 'xstate'
import { kinds } from '../../machines/kinds.ts'
import { hashSnapshot } from '../../machines/step.ts'
import { streamKind } from '../../protocol/ids.ts'
import { type JournalRecord, parseRecord } from '../../protocol/record.ts'
import type { StoreReader } from '../../store/contract.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import { fillJournal } from './journals.ts'
import { inTempDirectory, measureInTurn, median, report } from './support.ts'

const SESSIONS = 100
const ROUNDS = 7
const TARGET = 0.18

const { values } = parseArgs({ options: { turns: { type: 'string', default: '125' } } })

await inTempDirectory(async (directory) => {
  const journal = join(directory, 'journal')
  await fillJournal(journal, { sessions: SESSIONS, turns: Number(values.turns) })
  const reader = await openLmdbReader(journal)
  const records = reader.head().position
  scan(reader) // Warms both up.
  assertSame(replay(reader))
  const rates = await measureInTurn(ROUNDS, {
    scan: () => rateOf(records, () => scan(reader)),
    replay: () => rateOf(records, () => replay(reader)),
  })
  const limit = median(rates['scan'] ?? [])
  const ours = median(rates['replay'] ?? [])
  report({
    name: `replay, ${records} records of ${SESSIONS} sessions`,
    measured: `${Math.round(ours)}/s of ${Math.round(limit)}/s scanned and decoded`,
    ratio: ours / limit,
    target: `≥ ${TARGET}`,
    met: ours / limit >= TARGET,
  })
  await reader.close()
})

function rateOf(records: number, run: () => unknown): Promise<number> {
  const start = performance.now()
  run()
  return Promise.resolve(records / ((performance.now() - start) / 1_000))
}

function scan(reader: StoreReader): void {
  for (const stored of reader.range(1)) parseRecord(stored, stored.fields)
}

interface Actor {
  readonly snapshot: AnyMachineSnapshot
  readonly newest: JournalRecord
}

function replay(reader: StoreReader): Map<string, Actor> {
  const actors = new Map<string, Actor>()
  for (const stored of reader.range(1)) {
    const newest = parseRecord(stored, stored.fields)
    const { stepper } = kinds[streamKind(newest.stream)]
    const before = actors.get(newest.stream)?.snapshot ?? stepper.initial
    const snapshot =
      newest.kind === 'event' ? stepper.step(before, newest.event, newest.at).snapshot : before
    actors.set(newest.stream, { snapshot, newest })
  }
  return actors
}

function assertSame(actors: ReadonlyMap<string, Actor>): void {
  for (const [stream, { snapshot, newest }] of actors) {
    if (hashSnapshot(snapshot) === newest.stateHash) continue
    throw new Error(`${stream} replays to another state than #${newest.position} says`)
  }
}
