/**
 * Days of a report of usage: which there are, and on which of them a moment falls. A day is that of
 * UTC, of this machine, of a zone by name or of an offset, as the client shows it.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'

const DAY_MS = 86_400_000

/** What clients say of the days that they mean. */
export interface DaysAsked {
  readonly startDate?: string | undefined // both or none
  readonly endDate?: string | undefined
  readonly range?: string | undefined
  readonly days?: number | undefined
  readonly mode?: string | undefined
  readonly utcOffset?: string | undefined
  readonly timeZone?: string | undefined
}

/** Days, `YYYY-MM-DD`, both among them. */
export interface Days {
  readonly first: string
  readonly last: string
  readonly dayOf: (at: number) => string
  /** No moment before this one falls on them. */
  readonly since: number // ms since epoch
}

const RANGE_DAYS: Readonly<Record<string, number>> = {
  '7d': 7,
  '30d': 30,
  '90d': 90,
  '1y': 365,
  all: 36_600, // Upstream's; what is looked through is bounded by records.
}

/**
 * Reads which days are meant; the last thirty where nothing is said.
 * @throws {GatewayError} INVALID_REQUEST: no such day, zone or offset; one end without the other.
 */
export function readDays(asked: DaysAsked, now: number): Days {
  const dayOf = readClock(asked)
  const { startDate, endDate, range, days = 30 } = asked
  if ((startDate === undefined) !== (endDate === undefined)) {
    throw invalid('startDate and endDate must be provided together', 'startDate')
  }
  const today = dayOf(now)
  const count = range === undefined ? days : (RANGE_DAYS[range] ?? days)
  const first = startDate === undefined ? shiftDay(today, 1 - count) : day(startDate, 'startDate')
  const last = endDate === undefined ? today : day(endDate, 'endDate')
  if (first > last) throw invalid('startDate must not be after endDate', 'startDate')
  // No zone is further from UTC than fourteen hours.
  return { first, last, dayOf, since: Date.parse(`${first}T00:00:00Z`) - DAY_MS }
}

/** Lists every day, oldest first; the newest limits.usageDaysMax of them. */
export function listDays({ first, last }: Days): string[] {
  const listed: string[] = []
  for (let day = last; day >= first && listed.length < limits.usageDaysMax;) {
    listed.push(day)
    day = shiftDay(day, -1)
  }
  return listed.toReversed()
}

function shiftDay(day: string, by: number): string {
  return dayInUtc(Date.parse(`${day}T00:00:00Z`) + by * DAY_MS)
}

function dayInUtc(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

function day(text: string, path: string): string {
  const at = Date.parse(`${text}T00:00:00Z`)
  if (Number.isFinite(at) && dayInUtc(at) === text) return text
  throw invalid(`invalid ${path}: expected a valid YYYY-MM-DD calendar date`, path)
}

function readClock({ mode, timeZone, utcOffset }: DaysAsked): (at: number) => string {
  if (mode === 'gateway') return dayInZone(undefined)
  if (mode !== 'specific') return dayInUtc
  if (timeZone !== undefined) return dayInZone(timeZone)
  const [, sign, hours, minutes = '0'] =
    /^UTC([+-])(\d{1,2})(?::([0-5]\d))?$/.exec(utcOffset ?? 'UTC+0') ?? []
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1)
  if (!(offset >= -720 && offset <= 840)) {
    throw invalid('invalid utcOffset: expected UTC-12:00 to UTC+14:00', 'utcOffset')
  }
  return (at) => dayInUtc(at + offset * 60_000)
}

// This locale writes days as ISO 8601 does.
function dayInZone(timeZone: string | undefined): (at: number) => string {
  try {
    const zone = timeZone === undefined ? {} : { timeZone }
    const parts = { year: 'numeric', month: '2-digit', day: '2-digit' } as const
    const format = new Intl.DateTimeFormat('en-CA', { ...zone, ...parts })
    return (at) => format.format(at)
  } catch {
    throw invalid('invalid timeZone: expected an IANA time zone', 'timeZone')
  }
}

function invalid(text: string, path: string): GatewayError {
  return new GatewayError('INVALID_REQUEST', text, { path })
}
