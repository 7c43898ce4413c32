/**
 * Timers: arms what records say is waited for, and delivers the event when its time has come.
 *
 * Due times are absolute and stand in the journal, so a restart arms them again and fires at once
 * what fell due meanwhile, in order of due time (K7). One real timer serves them all.
 */
import { type OpenWait, waitKey } from '../machines/projections/open-work.ts'
import { outputAddress } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import type { Cancel, Clock } from './services.ts'

export interface Timers {
  /** Arms a wait that is known from an earlier life. */
  readonly arm: (address: string, wait: OpenWait) => void
  /** Arms and disarms what a committed record says. */
  readonly committed: (record: JournalRecord) => void
  /** Fires what is due now, for when time has gone by unseen. */
  readonly look: () => void
  readonly armed: () => number
  readonly stop: () => void
}

/** Opens the timers; `fire` delivers the event of a wait to its stream. */
export function openTimers(clock: Clock, fire: (address: string, wait: OpenWait) => void): Timers {
  const waits = new Map<string, { address: string; wait: OpenWait }>()
  let cancel: Cancel = () => {}
  let wakeAt = Number.POSITIVE_INFINITY
  let stopped = false

  function arm(address: string, wait: OpenWait): void {
    waits.set(waitKey(wait.stream, wait.id), { address, wait })
    if (wait.dueAt < wakeAt) schedule()
  }

  function schedule(): void {
    cancel()
    wakeAt = Number.POSITIVE_INFINITY
    if (stopped) return
    for (const { wait } of waits.values()) wakeAt = Math.min(wakeAt, wait.dueAt)
    if (wakeAt === Number.POSITIVE_INFINITY) return
    const delayMs = Math.max(0, wakeAt - clock.now())
    cancel = clock.after(Math.min(delayMs, limits.timerSleepMsMax), fireDue)
  }

  function fireDue(): void {
    const now = clock.now()
    const due = [...waits].filter(([, { wait }]) => wait.dueAt <= now)
    due.sort(([, a], [, b]) => a.wait.dueAt - b.wait.dueAt)
    for (const [key, { address, wait }] of due) {
      waits.delete(key)
      fire(address, wait)
    }
    schedule()
  }

  return {
    arm,
    committed: (record) => {
      for (const id of record.cancelled) waits.delete(waitKey(record.stream, id))
      for (const [index, wait] of record.armed.entries()) {
        const { stream, correlationId } = record
        arm(outputAddress(record.position, 't', index), { ...wait, stream, correlationId })
      }
    },
    look: () => {
      if (!stopped) fireDue()
    },
    armed: () => waits.size,
    stop: () => {
      stopped = true
      schedule()
    },
  }
}
