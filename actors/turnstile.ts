/**
 * The turnstile: lets newcomers in a few at a time. Before step 1 of 8.
 *
 * A thousand clients that come back at once would otherwise be served in one turn of the event loop,
 * and everybody who is in already would wait for the last of them (S42).
 */
import { limits } from '../protocol/limits.ts'

/** Runs what was handed in, in order, so many in one turn. */
export class Turnstile {
  #waiting: (() => void)[] = []
  #turning = false

  /** Takes one more; false: the queue is full and it was not taken. */
  take(enter: () => void): boolean {
    if (this.#waiting.length >= limits.turnstileMax) return false
    this.#waiting.push(enter)
    if (!this.#turning) this.#turn()
    return true
  }

  #turn(): void {
    for (const enter of this.#waiting.splice(0, limits.turnstilePerTurn)) enter()
    this.#turning = this.#waiting.length > 0
    if (this.#turning) setImmediate(() => this.#turn())
  }
}
