/**
 * The turnstile: lets newcomers in at a pace. Before step 1 of 8.
 *
 * A thousand clients that come back at once would otherwise be served in one turn of the event loop,
 * and everybody who is in already would wait for the last of them (S42). A few pass at once; behind
 * them one every few milliseconds, so that more than half of the time is left for those inside.
 */
import { type Bucket, type BucketPolicy, fullBucket, takeOne } from '../machines/rules/rate.ts'
import { limits } from '../protocol/limits.ts'
import type { Clock } from './services.ts'

const POLICY: BucketPolicy = {
  burst: limits.turnstileBurst,
  perSecond: limits.turnstilePerSecond,
}

/** Runs what was handed in, in order and at a pace. */
export class Turnstile {
  #clock: Clock
  #bucket: Bucket
  #waiting: (() => void)[] = []
  #turning = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#bucket = fullBucket(POLICY, clock.monotonic())
  }

  /** Takes one more; false: too many wait, and it was not taken. */
  take(enter: () => void): boolean {
    if (this.#waiting.length >= limits.turnstileMax) return false
    this.#waiting.push(enter)
    if (!this.#turning) this.#turn()
    return true
  }

  #turn(): void {
    this.#turning = this.#waiting.length > 0
    if (!this.#turning) return
    const { bucket, waitMs } = takeOne(POLICY, this.#bucket, this.#clock.monotonic())
    this.#bucket = bucket
    if (waitMs > 0) return void this.#clock.after(waitMs, () => this.#turn())
    this.#waiting.shift()?.()
    setImmediate(() => this.#turn())
  }
}
