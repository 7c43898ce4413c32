/**
 * What the history verbs have in common: their flags, and what addresses and streams mean in them.
 */
import type { ArgsDef } from 'citty'
import { systemClock } from '../../actors/services.ts'
import { type Resolved, resolveAddress, resolveRange } from '../../machines/history/resolve.ts'
import type { History } from '../../machines/history/source.ts'
import { GatewayError } from '../../protocol/errors.ts'
import {
  formatDay,
  formatTime,
  parseAddress,
  parseRange,
  type TimeFrame,
} from '../../protocol/history/address.ts'
import { quote, type StreamId, streamId, streamName } from '../../protocol/ids.ts'
import { canonicalSessionKey } from '../../protocol/session-key.ts'
import { didYouMean, jsonArgs } from '../arguments.ts'
import { note } from '../output.ts'
import { findMarkIn } from './marks.ts'
import type { Source } from './source.ts'

/** Every history verb's. */
export const historyArgs = {
  ...jsonArgs,
  journal: {
    type: 'string',
    alias: 'log',
    valueHint: 'DIR|FILE',
    description: 'another journal: a state directory, a copy, an incident file',
  },
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
export function timeFrame({ utc, date }: TimeFlags): TimeFrame {
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

function warnOthers(others: readonly number[], taken: number): void {
  if (others.length === 0) return
  const places = others.map((position) => `#${position}`).join(', ')
  note(`The clock stepped back: this time also lies at ${places}; #${taken} is taken.`)
}

/**
 * Finds the one stream that `--session` or `--actor` means: a whole name, or an end or beginning
 * of one that no other has (`…4242` and `...4242` are both taken).
 * @throws {GatewayError} USAGE: neither, or several fit; NOT_FOUND: none fits.
 */
export function findStream(
  history: History,
  { session, actor }: { session?: string | undefined; actor?: string | undefined },
): StreamId {
  if (session !== undefined) return findSession(history, session)
  if (actor === undefined)
    throw new GatewayError('USAGE', 'name an actor: --session KEY or --actor KIND:ID')
  return pick(history, actor, () => true)
}

function findSession(history: History, text: string): StreamId {
  const whole = streamId('session', canonicalOrSame(text))
  if (history.version(whole) > 0) return whole
  return pick(history, text, (stream) => stream.startsWith('session:'))
}

function canonicalOrSame(key: string): string {
  try {
    return canonicalSessionKey(key)
  } catch {
    return key
  }
}

function pick(history: History, text: string, isMeant: (stream: StreamId) => boolean): StreamId {
  const part = text.replace(/^(?:…|\.\.\.)/, '').replace(/(?:…|\.\.\.)$/, '')
  const streams = [...history.streams()].filter(isMeant)
  const exact = streams.find((stream) => stream === text || streamName(stream) === text)
  if (exact !== undefined) return exact
  const near = streams.filter((stream) => stream.endsWith(part) || stream.startsWith(part))
  const [only, second] = near
  if (only !== undefined && second === undefined) return only
  if (only !== undefined) {
    const some = near.slice(0, 5).join(', ')
    throw new GatewayError('USAGE', `${quote(text)}: several actors fit: ${some}`, {
      candidates: near.slice(0, 20),
    })
  }
  throw new GatewayError(
    'NOT_FOUND',
    `${quote(text)}: no such actor${didYouMean(text, streams.slice(0, 5_000))}`,
  )
}

/** Writes when a record was, for people: the time, with the day where it is not today. */
export function formatWhen(at: number, { utc }: TimeFlags): string {
  const now = systemClock.now()
  const day = formatDay(at, utc === true)
  const time = formatTime(at, utc === true)
  return day === formatDay(now, utc === true) ? time : `${day} ${time}`
}
