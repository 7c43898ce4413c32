/**
 * Start and stop a thousand times in one process: no descriptor, file, lock or port may be left.
 *
 *   node dist/scripts/bench/cycles.js [--cycles 1000]
 *   exit code   0: nothing was left · 1: something was; each fault is a line
 */
import { parseArgs } from 'node:util'
import { runCycles } from '../../tests/support/cycles.ts'
import { inTempDirectory, median } from './support.ts'

const LINE_EVERY = 100

const { values } = parseArgs({ options: { cycles: { type: 'string', default: '1000' } } })
const cycles = Number(values.cycles)

await inTempDirectory(async (stateDir) => {
  const times: number[] = []
  const progress = (cycle: number, ms: number): void => {
    times.push(ms)
    if (cycle % LINE_EVERY === 0)
      console.log(`cycles: ${cycle}, ${Math.round(median(times))} ms each`)
  }
  const { faults, before, after } = await runCycles({ stateDir, cycles, progress })
  for (const fault of faults) console.log(`cycles: FAULT ${fault}`)
  const text = `before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`
  console.log(`${cycles} cycles, ${Math.round(median(times))} ms each: ${text}`)
  process.exitCode = faults.length === 0 ? 0 : 1
})
// The verifying child and lmdb are done; whatever a library keeps must not keep this process.
process.exit()
