/**
 * Addresses: how people and programs name a moment of the journal, everywhere in the same words.
 *
 *   #1842  1842         a position               #1842~2      two records earlier in its stream
 *   #1842.1             its first microstep      #1842.e0     its first effect (.s send, .t wait)
 *   2026-11-22T10:30Z   a time                   10:30:31     today (or --date), local (or UTC)
 *   -5m  -2h  -1d       before now               start  head  head~3
 *   boot:7              where epoch 7 began      last(type=effect.failed)  first(value=waiting)
 *   note:stuck  inc:inc-3/A                      marks of an incident
 *   @try-retry  @try-retry#12                    a position of a fork
 *   A..B  A..           a range, both ends included
 */
import { GatewayError } from '../errors.ts'
import { quote } from '../ids.ts'
import { type Filter, parseFilter } from './filter.ts'

/** Where an address points, before a journal was asked. */
export type Address =
  | {
      readonly kind: 'position'
      readonly position: number
      readonly microstep: number | null // from 1
      readonly output: string | null // e0, s1, t0
      readonly back: number // records earlier in the same stream
    }
  | { readonly kind: 'time'; readonly at: number } // ms since epoch
  | { readonly kind: 'start' }
  | { readonly kind: 'head'; readonly back: number }
  | { readonly kind: 'boot'; readonly epoch: number }
  | { readonly kind: 'match'; readonly which: 'first' | 'last'; readonly filter: Filter }
  | { readonly kind: 'mark'; readonly of: 'note' | 'inc'; readonly name: string }
  | { readonly kind: 'fork'; readonly name: string; readonly position: number | null }

/** What a written time needs beside itself. */
export interface TimeFrame {
  readonly now: number // ms since epoch
  readonly utc: boolean // times without a zone are UTC, not local
  readonly date: string | null // YYYY-MM-DD for bare times; null: today
}

export interface AddressRange {
  readonly from: Address
  readonly to: Address // `head` where the text leaves it open
}

const POSITION = /^#?(\d{1,15})(?:\.(\d{1,3})|\.([est]\d{1,4})|~(\d{1,6}))?$/
const SPAN_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/**
 * Reads one address.
 * @throws {GatewayError} USAGE: it is none of the forms above.
 */
export function parseAddress(text: string, frame: TimeFrame): Address {
  const address = parsePlace(text) ?? parseTime(text, frame)
  if (address !== null) return address
  throw new GatewayError(
    'USAGE',
    `address: expected #position, a time, -5m, start, head, boot:N, last(FILTER), note:NAME or @fork#N, got ${quote(text)}`,
  )
}

/**
 * Reads a range `A..B`, `A..` or `..B`; one address alone is a range of itself.
 * @throws {GatewayError} USAGE
 */
export function parseRange(text: string, frame: TimeFrame): AddressRange {
  const at = text.indexOf('..')
  if (at === -1) {
    const only = parseAddress(text, frame)
    return { from: only, to: only }
  }
  const [from, to] = [text.slice(0, at), text.slice(at + 2)]
  return {
    from: from === '' ? { kind: 'start' } : parseAddress(from, frame),
    to: to === '' ? { kind: 'head', back: 0 } : parseAddress(to, frame),
  }
}

function parsePlace(text: string): Address | null {
  const position = POSITION.exec(text)
  if (position !== null) return positionOf(position)
  if (text === 'start') return { kind: 'start' }
  const head = /^head(?:~(\d{1,9}))?$/.exec(text)
  if (head !== null) return { kind: 'head', back: Number(head[1] ?? 0) }
  const boot = /^boot:(\d{1,9})$/.exec(text)
  if (boot !== null) return { kind: 'boot', epoch: Number(boot[1]) }
  const match = /^(first|last)\((.*)\)$/s.exec(text)
  if (match !== null) {
    const which = match[1] === 'first' ? 'first' : 'last'
    return { kind: 'match', which, filter: parseFilter([match[2] ?? '']) }
  }
  const mark = /^(note|inc):(.{1,128})$/s.exec(text)
  if (mark !== null)
    return { kind: 'mark', of: mark[1] === 'inc' ? 'inc' : 'note', name: mark[2] ?? '' }
  const fork = /^@([\w.-]{1,64})(?:#(\d{1,15}))?$/.exec(text)
  if (fork === null) return null
  return {
    kind: 'fork',
    name: fork[1] ?? '',
    position: fork[2] === undefined ? null : Number(fork[2]),
  }
}

function positionOf([, position, microstep, output, back]: RegExpExecArray): Address {
  return {
    kind: 'position',
    position: Number(position),
    microstep: microstep === undefined ? null : Number(microstep),
    output: output ?? null,
    back: Number(back ?? 0),
  }
}

function parseTime(text: string, { now, utc, date }: TimeFrame): Address | null {
  const span = /^-(\d{1,9})([smhd])$/.exec(text)
  if (span !== null)
    return { kind: 'time', at: now - Number(span[1]) * (SPAN_MS[span[2] ?? ''] ?? 0) }
  const bare = /^(\d\d):(\d\d)(?::(\d\d)(\.\d{1,3})?)?$/.test(text)
  const day = date ?? formatDay(now, utc)
  const written = bare ? `${day}T${text}` : text
  const iso =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?))?(Z|[+-]\d\d:\d\d)?$/.exec(
      written,
    )
  if (iso === null) return null
  const [, on = '', time = '00:00', zone = utc ? 'Z' : ''] = iso
  // Without a zone the text is read in the zone of this machine.
  const at = new Date(`${on}T${time}${zone}`).getTime()
  return Number.isNaN(at) ? null : { kind: 'time', at }
}

/** Writes a time of day for people: `10:30:31.002`, local or UTC. */
export function formatTime(at: number, utc: boolean): string {
  const shifted = utc ? at : at - new Date(at).getTimezoneOffset() * 60_000
  return new Date(shifted).toISOString().slice(11, 23)
}

/** Writes a whole time: `2026-11-22T10:30:31.002Z`. */
export function formatInstant(at: number): string {
  return new Date(at).toISOString()
}

/** Writes a day for people: `2026-11-22`, local or UTC. */
export function formatDay(at: number, utc: boolean): string {
  const day = new Date(at)
  if (utc) return day.toISOString().slice(0, 10)
  const two = (count: number): string => String(count).padStart(2, '0')
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`
}
