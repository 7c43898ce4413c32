/**
 * How long it takes to ask history: a state at any moment, the first page of a timeline, a chain of
 * causes, on a journal of a million records.
 *
 *   node dist/scripts/bench/history.js [--turns 2500] [--samples 2000] [--journal DIR]
 *
 * 100 sessions of 2,500 turns make 1,000,000 records. States are asked of random sessions and runs
 * at random positions. The limit in the same run is what must be done at least: to read and decode
 * as many records as were folded. The first 50 questions warm the machines up and are not counted.
 * With --journal the journal is written there once, and used again where it stands.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openHistory } from '../../actors/history.ts'
import { stateAt } from '../../machines/history/state.ts'
import { explainRecord } from '../../machines/history/why.ts'
import { kinds } from '../../machines/kinds.ts'
import type { History } from '../../machines/history/source.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import { fillJournal, sessionStream } from './journals.ts'
import { inTempDirectory, report } from './support.ts'

const SESSIONS = 100
const PAGE = 50
const WARM_UP = 50
const TARGETS = { stateMs: 20, pageMs: 150, whyMs: 50 }

const { values } = parseArgs({
  options: {
    turns: { type: 'string', default: '2500' },
    samples: { type: 'string', default: '2000' },
    journal: { type: 'string' },
  },
})

await inTempDirectory(async (directory) => {
  const journal = values.journal ?? join(directory, 'journal')
  if (!existsSync(journal)) {
    await fillJournal(journal, { sessions: SESSIONS, turns: Number(values.turns) })
  }
  const opened = performance.now()
  const reader = await openLmdbReader(journal)
  const history = openHistory(reader)
  const page = firstPage(history)
  const pageMs = performance.now() - opened
  const head = history.head()
  const samples = Number(values.samples)
  const positions = Array.from({ length: samples }, (_, n) => 1 + ((n * 7_919 + 13) % head))

  const states = positions
    .map((position, n) => timeState(history, position, n % SESSIONS))
    .slice(WARM_UP)
  const whys = positions
    .slice(0, WARM_UP + 200)
    .map((position) => time(() => explainRecord(history, kinds, position)))
    .slice(WARM_UP)
  const p99 = quantile(
    states.map(({ ms }) => ms),
    0.99,
  )
  const limit = quantile(
    states.map(({ readMs }) => readMs),
    0.99,
  )
  console.log(`${head} records of ${SESSIONS} sessions; page of ${page} records`)
  report({
    name: 'state at T, p99',
    measured: `${p99.toFixed(1)} ms, p50 ${quantile(
      states.map(({ ms }) => ms),
      0.5,
    ).toFixed(1)} ms; only reading the same records ${limit.toFixed(1)} ms`,
    ratio: limit / p99,
    target: `≤ ${TARGETS.stateMs} ms`,
    met: p99 <= TARGETS.stateMs,
  })
  report({
    name: 'first page of a timeline, from opening the journal',
    measured: `${pageMs.toFixed(1)} ms`,
    ratio: TARGETS.pageMs / pageMs,
    target: `≤ ${TARGETS.pageMs} ms`,
    met: pageMs <= TARGETS.pageMs,
  })
  const whyMs = quantile(whys, 0.99)
  report({
    name: 'why of any record, p99',
    measured: `${whyMs.toFixed(1)} ms`,
    ratio: TARGETS.whyMs / whyMs,
    target: `≤ ${TARGETS.whyMs} ms`,
    met: whyMs <= TARGETS.whyMs,
  })
  await reader.close()
})

function firstPage(history: History): number {
  const head = history.head()
  return [...history.range(Math.max(1, head - PAGE + 1), head)].length
}

// The state that a person asks for, and beside it the reading that no fold can do without.
function timeState(
  history: History,
  position: number,
  session: number,
): { ms: number; readMs: number } {
  const stream = sessionStream(session)
  let folded = 0
  const ms = time(() => {
    const found = stateAt(history, kinds, stream, { position })
    if (found !== null && !found.verified)
      throw new Error(`${stream} at #${position}: another state`)
    folded = found?.folded.folded ?? 0
  })
  const version = history.versionAt(stream, position)
  const readMs = time(() => {
    let left = folded
    for (const record of history.stream(stream, Math.max(1, version - folded + 1))) {
      left -= 1
      if (left <= 0 || record.position >= position) break
    }
  })
  return { ms, readMs }
}

function time(run: () => unknown): number {
  const start = performance.now()
  run()
  return performance.now() - start
}

function quantile(numbers: readonly number[], part: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}
