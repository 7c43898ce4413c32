/**
 * The budget of a day: whether another model call may be made today, here where the clock is.
 *
 * Asked before each call by its driver; a refusal is the outcome of that call and names the day, its
 * zone and the sums, so that what was decided stands in the journal and replay asks nobody.
 */
import { tokensSince, type Usage } from '../machines/projections/usage.ts'

/** A day that has used its budget up, as the refused call's record tells it. */
export interface SpentDay {
  readonly day: string // 2026-11-25, in the zone of this host
  readonly offsetMinutes: number // of that zone from UTC, at that moment
  readonly tokens: number
  readonly tokensMax: number
}

/** Judges whether the day that a moment is in has used its budget up; null: it has not. */
export function spentDay(usage: Usage, now: number, tokensMax: number | null): SpentDay | null {
  if (tokensMax === null) return null
  const moment = new Date(now)
  const midnight = new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime()
  const tokens = tokensSince(usage, midnight)
  if (tokens < tokensMax) return null
  // `+ 0`: UTC is 0 and not -0.
  const offsetMinutes = -moment.getTimezoneOffset() + 0
  const day = new Date(now + offsetMinutes * 60_000).toISOString().slice(0, 10)
  return { day, offsetMinutes, tokens, tokensMax }
}
