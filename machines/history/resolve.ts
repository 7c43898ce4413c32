/**
 * From an address to a position: asks a history where a time, a boot or a match lies.
 *
 * Time is the wall clock's, which may step back; then a time lies in more than one place. The
 * newest is taken, and the others are told.
 */
import type { Address, AddressRange } from '../../protocol/history/address.ts'
import { type Filter, passes } from '../../protocol/history/filter.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { type History, factsOf, requireRecord } from './source.ts'

/** Where an address points. */
export interface Resolved {
  readonly position: number // 0: before the first record
  readonly at: number | null // the asked time, where one was asked for; ms since epoch
  readonly microstep: number | null
  readonly output: string | null // e0, s1, t0
  /** Other positions that the same time names; empty but for a clock that stepped back. */
  readonly others: readonly number[]
}

/** Finds the position of a mark or of a fork's record; what the history itself cannot know. */
export type FindMark = (
  of: 'note' | 'inc' | 'fork',
  name: string,
  position: number | null,
) => number

const noMarks: FindMark = (of, name) => {
  throw new GatewayError('NOT_FOUND', `address: no ${of} is called ${JSON.stringify(name)}`)
}

/**
 * Resolves an address; a time means the newest record that is not after it.
 * @throws {GatewayError} NOT_FOUND: no such place; HISTORY_PRUNED.
 */
export function resolveAddress(
  history: History,
  address: Address,
  findMark: FindMark = noMarks,
): Resolved {
  const place = (position: number): Resolved => ({
    position,
    at: null,
    microstep: null,
    output: null,
    others: [],
  })
  switch (address.kind) {
    case 'start':
      return place(Math.min(1, history.head()))
    case 'head':
      return place(Math.max(0, history.head() - address.back))
    case 'position': {
      const { microstep, output, back } = address
      const position = stepBack(history, address.position, back)
      return { ...place(position), microstep, output }
    }
    case 'time':
      return { ...place(0), at: address.at, ...atTime(history, address.at) }
    case 'boot':
      return place(bootOf(history, address.epoch))
    case 'match':
      return place(matchOf(history, address.which, address.filter))
    case 'mark':
      return place(findMark(address.of, address.name, null))
    case 'fork':
      return place(findMark('fork', address.name, address.position))
  }
}

/**
 * Resolves a range. Of a time at its beginning the first record not before it is meant, so that
 * `10:30..10:31` is what happened in that minute.
 * @throws {GatewayError} NOT_FOUND, HISTORY_PRUNED; USAGE: it ends before it begins.
 */
export function resolveRange(
  history: History,
  range: AddressRange,
  findMark: FindMark = noMarks,
): { from: number; to: number; others: readonly number[] } {
  const start = resolveAddress(history, range.from, findMark)
  const end = resolveAddress(history, range.to, findMark)
  const isBefore = start.at !== null && (history.read(start.position)?.at ?? -1) < start.at
  const from = Math.max(1, isBefore ? start.position + 1 : start.position)
  if (from > end.position + 1) {
    throw new GatewayError('USAGE', `range: it begins at #${from} and ends at #${end.position}`)
  }
  return { from, to: end.position, others: [...start.others, ...end.others] }
}

// A place is known also where its record was compacted away; its stream then is not.
function stepBack(history: History, position: number, back: number): number {
  if (back === 0 && position >= 1 && position <= history.head()) return position
  const { stream, version } = requireRecord(history, position)
  const found = history.positionOf(stream, version - back)
  if (found !== null) return found
  throw new GatewayError(
    'NOT_FOUND',
    `#${position}~${back}: ${stream} has ${version} records there`,
  )
}

/** Finds the newest record that is not after a time. */
function atTime(history: History, at: number): { position: number; others: readonly number[] } {
  const crossings = crossingsOf(history, at)
  const position = crossings.at(-1) ?? 0
  return { position, others: crossings.slice(0, -1) }
}

// Looks at every n-th record, so that a journal of any length costs the same, then halves between
// two looks that lie on both sides. A clock that stepped back and forth between two looks is not
// seen; the newest crossing is found all the same.
function crossingsOf(history: History, at: number): number[] {
  const head = history.head()
  const stride = Math.max(1, Math.ceil(head / limits.timeProbesMax))
  const crossings: number[] = []
  let low = 0
  let wasBefore = true // Before the first record every time is still to come.
  for (let probe = stride; ; probe = Math.min(probe + stride, head)) {
    const isBefore = isNotAfter(history, Math.min(probe, head), at)
    if (wasBefore && !isBefore) crossings.push(halve(history, at, low, probe))
    wasBefore = isBefore
    low = probe
    if (probe >= head) break
  }
  return wasBefore ? [...crossings, head] : crossings
}

function halve(history: History, at: number, low: number, high: number): number {
  let before = low
  let after = high
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (isNotAfter(history, middle, at)) before = middle
    else after = middle
  }
  return before
}

// A record that was compacted away says nothing of its time: the next one that is there does.
function isNotAfter(history: History, position: number, at: number): boolean {
  for (const record of history.range(position, history.head())) return record.at <= at
  return true
}

function bootOf(history: History, epoch: number): number {
  const head = history.head()
  let low = 0
  let high = head + 1
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (epochAt(history, middle) < epoch) low = middle
    else high = middle
  }
  if (high <= head && epochAt(history, high) === epoch) return high
  throw new GatewayError('NOT_FOUND', `boot:${epoch}: no record was written in that epoch`)
}

function epochAt(history: History, position: number): number {
  for (const { epoch } of history.range(position, history.head())) return epoch
  return Number.POSITIVE_INFINITY
}

function matchOf(history: History, which: 'first' | 'last', filter: Filter): number {
  const facts = factsOf(history)
  const matches = (position: number): boolean => {
    const record = history.read(position)
    return record !== null && passes(filter, record, facts)
  }
  const head = history.head()
  for (let step = 1; step <= head; step += 1) {
    const position = which === 'first' ? step : head + 1 - step
    if (matches(position)) return position
  }
  throw new GatewayError('NOT_FOUND', `${which}(...): no record passes this filter`)
}
