/**
 * Time to ready over a journal of 10,000 sessions, from the spawn of the process on.
 *
 *   node dist/scripts/bench/boot.js [--sessions 10000] [--rounds 7]
 *
 * The journal ends with a checkpoint, as an ordered stop leaves it. Importing everything and the
 * verifying child, which runs meanwhile, are part of it.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startServing } from '../../tests/support/child.ts'
import { fillJournal } from './journals.ts'
import { inTempDirectory, median, report } from './support.ts'

const TURNS = 2
const TARGET_S = 0.5

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '7' },
  },
})
const sessions = Number(values.sessions)

await inTempDirectory(async (directory) => {
  writeFileSync(join(directory, 'openclaw.json'), '{}')
  await fillJournal(join(directory, 'journal'), { sessions, turns: TURNS })
  const spawned: number[] = []
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    const gateway = await startServing(directory)
    await gateway.stop()
    if (gateway.recovered.sessions !== sessions) throw new Error('not all sessions are there')
    if (round === 0) continue // The file was not in the page cache yet.
    spawned.push(gateway.spawnedMs)
  }
  tell('spawn to ready', spawned, `${Math.round(median(spawned))} ms`)
})

function tell(what: string, timesMs: readonly number[], measured: string): void {
  const ratio = median(timesMs) / 1_000
  report({
    name: `${what}, ${sessions} sessions`,
    measured,
    ratio,
    target: `≤ ${TARGET_S} s`,
    met: ratio <= TARGET_S,
  })
}
