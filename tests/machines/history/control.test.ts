/** Control runs and replays of random journals, cut anywhere: always the record. Rule F-1. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { openHistory } from '../../../actors/history.ts'
import { checkControl, CONTROL, rerunSegment } from '../../../machines/history/fork.ts'
import { replayRange } from '../../../machines/history/replay.ts'
import { cutSegment } from '../../../machines/history/segment.ts'
import { kinds } from '../../../machines/kinds.ts'
import { cases } from '../../store/cases.ts'
import { recordRandom } from '../../support/random-traffic.ts'
import { ourCode } from '../../support/traffic.ts'

const test = cases('control')

test('F-1 a fork without edits is the record, for random journals cut anywhere', async () => {
  for (let seed = 1; seed <= 15; seed += 1) {
    const history = openHistory(await recordRandom(seed))
    const head = history.head()
    const cuts = [
      [1, head],
      [Math.floor(head / 3), head],
      [Math.floor(head / 2), Math.floor(head * 0.8)],
      [2, 17],
      [50, 120],
    ]
    for (const [from = 1, to = head] of cuts) {
      const segment = cutSegment(history, kinds, { from, to, code: 'test' })

      const control = rerunSegment(segment, ourCode(), CONTROL)

      const { identical, first } = checkControl(segment, control)
      assert.equal([identical, first], [true, null], `seed ${seed}, #${from} to #${to}`)
      assert.is(replayRange(history, ourCode(), { from, to }).first, null)
    }
  }
})

test.run()
