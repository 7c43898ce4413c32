/**
 * Waits: what a snapshot is waiting for, and how that changes from one step to the next.
 *
 * XState forgets `after` timers when a snapshot is restored, so timers belong to the runtime (K7):
 * a machine says what it waits for, the difference is written into the record, and
 * actors/timers.ts arms it.
 */
import type { Wait } from '../protocol/record.ts'

export type { Wait } from '../protocol/record.ts'

export interface WaitChange {
  readonly armed: readonly Wait[]
  readonly cancelled: readonly string[]
}

const NOTHING: WaitChange = { armed: [], cancelled: [] }

/**
 * Compares two lists of waits. A wait is the same when id and due time are; `fired` is the id of
 * the wait whose event is being taken in: it is neither cancelled nor, unchanged, armed again.
 */
export function compareWaits(
  before: readonly Wait[],
  after: readonly Wait[],
  fired: string | null,
): WaitChange {
  if (before.length === 0 && after.length === 0) return NOTHING
  const armed = after.filter(
    (wait) => !before.some((old) => old.id === wait.id && old.dueAt === wait.dueAt),
  )
  const cancelled = before
    .filter((old) => old.id !== fired && !after.some((wait) => wait.id === old.id))
    .map((old) => old.id)
  return { armed, cancelled }
}
