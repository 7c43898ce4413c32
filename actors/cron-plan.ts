/**
 * The calendar: when a job is due next.
 *
 * A time of a `cron` expression is that of its zone, or of this machine's where it names none: what
 * people mean by nine in the morning moves with summer time. The zone and the offset that held are
 * part of the answer. Pure but for the machine's own zone.
 */
import type { Schedule } from '../machines/cron.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'

/** A time to come. */
export interface Planned {
  readonly nextAt: number | null // null: never again
  readonly zone: string // '' where no calendar was asked
  readonly offsetMinutes: number
}

/**
 * Finds the first time of a schedule after a moment; not sooner than limits.cronEveryMsMin after
 * the last due one.
 * @throws {GatewayError} INVALID_REQUEST: an expression or a zone that is none.
 */
export async function planNext(
  schedule: Schedule,
  after: number,
  lastDueAt: number,
): Promise<Planned> {
  switch (schedule.kind) {
    case 'at':
      return { nextAt: lastDueAt >= schedule.atMs ? null : schedule.atMs, ...NO_ZONE }
    case 'every': {
      const { everyMs, anchorMs } = schedule
      const steps = Math.max(1, Math.floor((after - anchorMs) / everyMs) + 1)
      return { nextAt: anchorMs + steps * everyMs, ...NO_ZONE }
    }
    case 'cron': {
      const soonest = lastDueAt === 0 ? after : lastDueAt + limits.cronEveryMsMin - 1
      return planCalendar(schedule.expr, schedule.tz, Math.max(after, soonest))
    }
  }
}

/** Finds the next time when it is that hour here; with the zone and the offset that hold then. */
export async function nextDaily(
  hour: number,
  after: number,
): Promise<{ at: number; zone: string; offsetMinutes: number }> {
  const { nextAt, ...zoned } = await planCalendar(`0 ${hour} * * *`, null, after)
  return { at: nextAt ?? after + DAY_MS, ...zoned }
}

const DAY_MS = 86_400_000
const NO_ZONE = { zone: '', offsetMinutes: 0 }

async function planCalendar(expr: string, tz: string | null, after: number): Promise<Planned> {
  const zone = tz ?? new Intl.DateTimeFormat().resolvedOptions().timeZone
  assertZone(zone)
  const { Cron } = await import('croner')
  try {
    const nextAt = new Cron(expr, { timezone: zone, paused: true }).nextRun(new Date(after))
    if (nextAt === null) return { nextAt: null, zone, offsetMinutes: 0 }
    const at = nextAt.getTime()
    return { nextAt: at, zone, offsetMinutes: offsetOf(zone, at) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const text = `schedule.expr: ${why.replace(/^CronPattern: /, '')}`
    throw new GatewayError('INVALID_REQUEST', text, { path: 'schedule.expr' }, error)
  }
}

function assertZone(zone: string): void {
  try {
    offsetOf(zone, 0)
  } catch (error) {
    const text = `schedule.tz: ${JSON.stringify(zone)} is no time zone`
    throw new GatewayError('INVALID_REQUEST', text, { path: 'schedule.tz' }, error)
  }
}

/** The offset of a zone from UTC at a moment, in minutes. */
export function offsetOf(timeZone: string, at: number): number {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
  const text = parts.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? ''
  const [, sign = '+', hours = '0', minutes = '0'] = /([+-])(\d+):(\d+)/.exec(text) ?? []
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
}
