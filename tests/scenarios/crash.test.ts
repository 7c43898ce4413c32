/** A short kill loop: `scripts/bench/kill-loop.ts` runs the long one. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runKillLoop } from '../support/kill-loop.ts'

const CYCLES = 6

const crash = suite('crash')

crash('F01 killed under load again and again, it keeps every promise that it made', async () => {
  const { faults, counts } = await runKillLoop({ cycles: CYCLES, seed: 20_261_123 })

  assert.equal(faults, [])
  assert.is(counts['kills'], CYCLES)
  assert.ok(Number(counts['acknowledged agent']) > 8, JSON.stringify(counts))
  assert.ok(Number(counts['acknowledged send']) > 2, JSON.stringify(counts))
  assert.ok(Number(counts['answers repeated']) > 2, JSON.stringify(counts))
})

crash.run()
