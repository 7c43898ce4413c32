/** A clock that stands still until told, and steps from timer to timer: it never jumps over one. */
import type { Clock } from '../../actors/services.ts'

export interface FakeClock extends Clock {
  /** Moves on so far, firing what falls due, each at its own time; lets promises settle between. */
  readonly advance: (ms: number) => Promise<void>
  readonly pending: () => number
}

/** Opens a fake clock at a time, in ms since epoch. */
export function openFakeClock(start = 1_800_000_000_000): FakeClock {
  const timers = new Map<number, { dueAt: number; run: () => void }>()
  let now = start
  let next = 0
  return {
    now: () => now,
    monotonic: () => now - start,
    after: (delayMs, run) => {
      const id = (next += 1)
      timers.set(id, { dueAt: now + Math.max(0, delayMs), run })
      return () => timers.delete(id)
    },
    pending: () => timers.size,
    advance: async (ms) => {
      const end = now + ms
      for (;;) {
        await settle()
        const due = [...timers].filter(([, timer]) => timer.dueAt <= end)
        due.sort(([a, x], [b, y]) => x.dueAt - y.dueAt || a - b)
        const [first] = due
        if (first === undefined) break
        const [id, { dueAt, run }] = first
        timers.delete(id)
        now = Math.max(now, dueAt)
        run()
      }
      now = end
      await settle()
    },
  }
}

/** Lets everything that is ready run: promises, immediates, and what they start. */
export async function settle(turns = 8): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}
