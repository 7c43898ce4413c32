/**
 * A clock that a test moves by hand.
 */
import type { Clock } from '../../actors/services.ts'

export interface ManualClock extends Clock {
  /** Lets time pass, runs what is due, and gives the event loop one turn. */
  readonly pass: (ms: number) => Promise<void>
  /** Lists in how many ms each armed timer is due. */
  readonly due: () => number[]
}

/** Starts at 0 ms. */
export function manualClock(): ManualClock {
  let now = 0
  let timers: { at: number; run: () => void }[] = []
  return {
    now: () => now,
    monotonic: () => now,
    after: (delayMs, run) => {
      const timer = { at: now + delayMs, run }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    due: () => timers.map(({ at }) => at - now),
    pass: async (ms) => {
      now += ms
      const ready = timers.filter(({ at }) => at <= now)
      timers = timers.filter(({ at }) => at > now)
      for (const { run } of ready) run()
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}
