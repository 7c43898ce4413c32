/**
 * The fuzzer of the door for some time.
 *
 *   node dist/scripts/bench/fuzz.js [--seconds 15] [--seed N] [--kept]
 *
 * Ends with 1 where something did not hold, and prints the input as a line for
 * `tests/fixtures/fuzz/`; `--kept` prints those that reached new code.
 */
import { parseArgs } from 'node:util'
import { fuzz } from '../../tests/support/fuzz.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '15' },
    seed: { type: 'string' },
    kept: { type: 'boolean', default: false },
  },
})

const seed = Number(values.seed ?? Math.floor(performance.timeOrigin) % 2 ** 31)
console.log(`fuzz: seed ${seed}`)
const report = await fuzz({
  seed,
  runsMax: Number.POSITIVE_INFINITY,
  msMax: Number(values.seconds) * 1_000,
})
const { runs, blocks, kept, faults, heard } = report
console.log(`fuzz: ${runs} inputs, ${blocks} blocks run, ${kept.length} inputs kept`)
console.log(`fuzz: heard ${JSON.stringify(heard)}`)
if (values.kept) for (const line of kept) console.log(line)
for (const fault of faults) console.log(`FAULT ${fault}`)
process.exitCode = faults.length === 0 ? 0 : 1
