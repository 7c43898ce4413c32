/**
 * `kill -9` at random moments under load, many times over, then an audit of every promise.
 *
 *   node dist/scripts/bench/kill-loop.js [--cycles 50] [--seed 1]
 *   exit code   0: nothing was lost or doubled · 1: something was; each fault is a line
 */
import { parseArgs } from 'node:util'
import { runKillLoop } from '../../tests/support/kill-loop.ts'

const LINE_EVERY = 10

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
  },
})
const [cycles, seed] = [Number(values.cycles), Number(values.seed)]
const { faults, counts } = await runKillLoop({
  cycles,
  seed,
  progress: (cycle, so) => {
    if (cycle % LINE_EVERY === 0) console.log(`kill loop: cycle ${cycle}: ${listOf(so)}`)
  },
})
for (const fault of faults) console.log(`kill loop: FAULT ${fault}`)
console.log(`kill loop, ${cycles} cycles, seed ${seed}: ${listOf(counts)}, faults ${faults.length}`)
process.exitCode = faults.length === 0 ? 0 : 1

function listOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ')
}
