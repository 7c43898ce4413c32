/**
 * All benchmarks, one after the other, each in a process of its own.
 *
 *   node dist/scripts/bench/all.js [--quick]
 *
 * `--quick` takes small sizes where there are any: it shows that they run, not how fast we are.
 * Figures of a machine that is busy are floors: each line ends with the load.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

interface Bench {
  readonly file: string
  readonly quick: readonly string[]
}

const BENCHES: readonly Bench[] = [
  { file: 'append', quick: [] },
  { file: 'requests', quick: [] },
  { file: 'replay', quick: ['--turns', '10'] },
  { file: 'history', quick: ['--turns', '20', '--samples', '200'] },
  { file: 'boot', quick: ['--sessions', '500', '--rounds', '2'] },
  { file: 'determinism', quick: ['--records', '5000'] },
  { file: 'memory', quick: ['--sessions', '1000', '--connections', '200'] },
  { file: 'cycles', quick: ['--cycles', '20'] },
  { file: 'door', quick: ['--quick'] },
  { file: 'fuzz', quick: ['--seconds', '5'] },
  { file: 'kill-loop', quick: ['--cycles', '5'] },
  { file: 'channel-loop', quick: ['--cycles', '3'] },
]

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const failed = BENCHES.filter(({ file, quick }) => {
  const path = fileURLToPath(new URL(`./${file}.js`, import.meta.url))
  const args = [path, ...(values.quick ? quick : [])]
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status !== 0
})
for (const { file } of failed) console.log(`${file}: did not run to its end, or found a fault`)
process.exitCode = failed.length === 0 ? 0 : 1
