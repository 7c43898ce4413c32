/**
 * What the history verbs have in common: their flags, and what addresses and streams mean in them.
 */
import type { ArgsDef } from 'citty'
import { systemClock } from '../../actors/services.ts'
import { type Resolved, resolveAddress, resolveRange } from '../../machines/history/resolve.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { type Filter, parseFilter } from '../../protocol/history/filter.ts'
import {
  formatDay,
  formatTime,
  parseAddress,
  parseRange,
  type TimeFrame,
} from '../../protocol/history/address.ts'
import { quote } from '../../protocol/ids.ts'
import { note } from '../output.ts'
import { findMarkIn } from './marks.ts'
import { journalArgs } from './place.ts'
import type { Source } from './source.ts'

/** Every history verb's. */
export const historyArgs = {
  ...journalArgs,
  utc: { type: 'boolean', description: 'read and show times in UTC' },
  date: { type: 'string', valueHint: 'YYYY-MM-DD', description: 'the day of bare times' },
} as const satisfies ArgsDef

/** Those of verbs about one actor. */
export const actorArgs = {
  session: { type: 'string', valueHint: 'KEY', description: 'the session of this key' },
  actor: { type: 'string', valueHint: 'KIND:ID', description: 'any actor, such as run:5f...' },
} as const satisfies ArgsDef

interface TimeFlags {
  readonly utc?: boolean | undefined
  readonly date?: string | undefined
}

/** Makes the frame in which times are read. @throws {GatewayError} USAGE: --date is no day. */
function timeFrame({ utc, date }: TimeFlags): TimeFrame {
  if (date !== undefined && !/^\d{4}-\d\d-\d\d$/.test(date)) {
    throw new GatewayError('USAGE', `--date: expected YYYY-MM-DD, got ${quote(date)}`)
  }
  return { now: systemClock.now(), utc: utc === true, date: date ?? null }
}

/** Resolves an address as typed; a time with more than one place is told on stderr. */
export function locate(source: Source, text: string, flags: TimeFlags): Resolved {
  const address = parseAddress(text, timeFrame(flags))
  const resolved = resolveAddress(source.history, address, findMarkIn(source))
  warnOthers(resolved.others, resolved.position)
  return resolved
}

/** Resolves a range as typed. @throws {GatewayError} USAGE, NOT_FOUND, HISTORY_PRUNED */
export function locateRange(
  source: Source,
  text: string,
  flags: TimeFlags,
): { from: number; to: number } {
  const range = parseRange(text, timeFrame(flags))
  const { from, to, others } = resolveRange(source.history, range, findMarkIn(source))
  warnOthers(others, to)
  return { from, to }
}

/** A stretch of the journal, and what of it is wanted. */
export interface Stretch {
  readonly from: number
  readonly to: number
  readonly filter: Filter
  readonly isRange: boolean // a range was typed
}

/** Reads the words of a verb: a range first, where there is one, then the terms of a filter. */
export function readStretch(source: Source, words: readonly string[], flags: TimeFlags): Stretch {
  const [first] = words
  const isRange = first !== undefined && !/[=<>]|^ign(?:ored)?$/.test(first)
  const filter = parseFilter(words.slice(isRange ? 1 : 0))
  const whole = { from: 1, to: source.history.head() }
  return { ...(isRange ? locateRange(source, first, flags) : whole), filter, isRange }
}

function warnOthers(others: readonly number[], taken: number): void {
  if (others.length === 0) return
  const places = others.map((position) => `#${position}`).join(', ')
  note(`The clock stepped back: this time also lies at ${places}; #${taken} is taken.`)
}

/** Writes when a record was, for people: the time, with the day where it is not today. */
export function formatWhen(at: number, { utc }: TimeFlags): string {
  const now = systemClock.now()
  const day = formatDay(at, utc === true)
  const time = formatTime(at, utc === true)
  return day === formatDay(now, utc === true) ? time : `${day} ${time}`
}
