/**
 * Edits of a journal by somebody without its key, a thousand times over: all must be found, or be
 * told as unwitnessed where they lie behind the witnessed head.
 *
 *   node dist/scripts/bench/tamper.js [--edits 1000] [--seed 1]
 *   exit code   0: none passed for the truth · 1: some did; each is a line
 */
import { parseArgs } from 'node:util'
import { tamper } from '../../tests/support/tamper.ts'

const { values } = parseArgs({
  options: {
    edits: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
  },
})
const { found, unwitnessed, missed, byKind } = await tamper(
  Number(values.edits),
  Number(values.seed),
)
for (const edit of missed) console.log(`tamper: MISSED ${edit}`)
const kinds = Object.entries(byKind).map(([kind, count]) => `${kind} ${count}`)
console.log(`tamper, ${values.edits} edits, seed ${values.seed}: ${kinds.join(' · ')}`)
console.log(`tamper: ${found} found, ${unwitnessed} unwitnessed, ${missed.length} missed`)
process.exitCode = missed.length === 0 ? 0 : 1
