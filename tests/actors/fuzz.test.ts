/** The fuzzer of the door, for a bounded number of runs; `scripts/bench/fuzz.ts` runs it longer. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { fuzz } from '../support/fuzz.ts'
import { formatInput, mutate, openDice, readCorpus } from '../support/fuzz-inputs.ts'

const door = cases('fuzz')

door(
  'S60 1,000 inputs and the kept ones: nothing thrown, no INTERNAL, all answered or let go',
  async () => {
    const report = await fuzz({ seed: 20_261_125, runsMax: 1_000, msMax: 60_000 })

    assert.equal(report.faults, [], `seed ${report.seed}`)
    assert.ok(report.runs >= readCorpus().length)
    // It gets behind the door: answers, refusals and closes of many kinds.
    for (const what of ['res ok', 'res INVALID_REQUEST', 'res FRAME_INVALID', 'close 1002']) {
      assert.ok((report.heard[what] ?? 0) > 0, what)
    }
  },
)

door('S60 the same seed makes the same inputs', () => {
  const [first, second] = readCorpus()
  assert.ok(first !== undefined && second !== undefined)
  const make = (seed: number): string[] => {
    const dice = openDice(seed)
    return Array.from({ length: 20 }, () => formatInput(mutate(first, second, dice)))
  }

  assert.equal(make(1), make(1))
  assert.not.equal(make(1), make(2))
})

door.run()
