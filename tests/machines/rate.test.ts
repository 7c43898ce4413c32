/** Rates: buckets and windows as pure rules. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { type Bucket, fullBucket, takeInWindow, takeOne } from '../../machines/rules/rate.ts'
import { cases } from '../store/cases.ts'

const rate = cases('rate')

const policy = { burst: 3, perSecond: 2 }

function drain(bucket: Bucket, times: readonly number[]): number[] {
  let left = bucket
  return times.map((at) => {
    const taken = takeOne(policy, left, at)
    left = taken.bucket
    return taken.waitMs
  })
}

rate('S40 a bucket lets a burst through, then one as often as it fills', () => {
  assert.equal(
    drain(fullBucket(policy, 0), [0, 0, 0, 0, 250, 500, 500]),
    [0, 0, 0, 500, 250, 0, 500],
  )
})

rate('S40 a bucket never holds more than its burst, and a clock that stands costs nothing', () => {
  assert.equal(drain(fullBucket(policy, 0), [1e9, 1e9, 1e9, 1e9]), [0, 0, 0, 500])
  assert.equal(drain(fullBucket(policy, 10), [5, 5, 5, 5]), [0, 0, 0, 500])
})

rate('S39 a window counts its last stretch, and not what it refused', () => {
  const window = { max: 2, windowMs: 100 }
  let times: readonly number[] = []
  const waits = [0, 10, 20, 30, 99, 100, 105, 110].map((at) => {
    const taken = takeInWindow(window, times, at)
    times = taken.times
    return taken.waitMs
  })

  assert.equal(waits, [0, 0, 80, 70, 1, 0, 5, 0])
})

rate.run()
