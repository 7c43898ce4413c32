/**
 * What history is read from: a journal, an incident file, or a fork, all behind one shape.
 *
 * Everything in this folder asks a `History` and knows nothing of where it lies. Positions that
 * were compacted away are passed over by `range` and `HISTORY_PRUNED` to whoever needs them.
 */
import { GatewayError } from '../../protocol/errors.ts'
import type { FilterFacts } from '../../protocol/history/filter.ts'
import { type StreamId, streamKind } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { Kind } from '../kinds.ts'
import type { OpenWork } from '../projections/open-work.ts'
import type { SavedState } from '../step.ts'

/** The machines of some code, by kind. */
export type Kinds = Readonly<Record<string, Kind>>

/** A saved fold of one stream: it saves time and is never authority. */
export interface Base {
  readonly version: number
  readonly code: string // that folded it
  readonly hash: string // of the state, as it was saved
  readonly state: SavedState
}

/** Records in order, by position and by stream. */
export interface History {
  /** Position of the newest record, 0 where there is none. */
  readonly head: () => number
  /** Null where it was compacted away, or beyond the head. */
  readonly read: (position: number) => JournalRecord | null
  readonly range: (from: number, to: number) => Iterable<JournalRecord>
  /** @throws {GatewayError} HISTORY_PRUNED: the first that is asked for was compacted away. */
  readonly stream: (stream: StreamId, fromVersion: number) => Iterable<JournalRecord>
  readonly version: (stream: StreamId) => number
  readonly versionAt: (stream: StreamId, position: number) => number
  readonly positionOf: (stream: StreamId, version: number) => number | null
  /** The state hash that was recorded for a version; null where nobody knows any more. */
  readonly stateHash: (stream: StreamId, version: number) => string | null
  readonly streams: () => Iterable<StreamId>
  /** The newest saved fold at or below a version. */
  readonly base: (stream: StreamId, atVersion: number) => Base | null
  /** A saved fold of the open work at or before a position, the caller's to go on with. */
  readonly openWork?: (position: number) => OpenWork | null
}

/**
 * Finds the machine of a stream.
 * @throws {GatewayError} NOT_FOUND: this code has none of that kind.
 */
export function kindOf(kinds: Kinds, stream: StreamId): Kind {
  const kind = streamKind(stream)
  const found = kinds[kind]
  if (found !== undefined) return found
  throw new GatewayError('NOT_FOUND', `${stream}: this code has no machine ${kind}`, { stream })
}

/**
 * Reads a record that must be there.
 * @throws {GatewayError} NOT_FOUND: beyond the journal; HISTORY_PRUNED: compacted away.
 */
export function requireRecord(history: History, position: number): JournalRecord {
  const record = history.read(position)
  if (record !== null) return record
  const head = history.head()
  if (position >= 1 && position <= head) {
    throw new GatewayError('HISTORY_PRUNED', `#${position} was compacted away`, { position })
  }
  const has = head === 0 ? 'the journal is empty' : `the journal has #1 to #${head}`
  throw new GatewayError('NOT_FOUND', `#${position}: ${has}`, { position })
}

/**
 * The first version from one on that was not compacted away, one beyond the newest where none is.
 * What is gone is always the beginning of a stream.
 */
export function firstKept(history: History, stream: StreamId, from: number): number {
  const isKept = (version: number): boolean =>
    history.read(history.positionOf(stream, version) ?? 0) !== null
  if (isKept(from)) return from // Almost always.
  let low = from
  let high = Math.max(from, history.version(stream) + 1)
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (isKept(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** Reads a stream from a version on, or from the first behind it that was not compacted away. */
export function* keptStream(
  history: History,
  stream: StreamId,
  from: number,
): Generator<JournalRecord> {
  try {
    yield* history.stream(stream, from)
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'HISTORY_PRUNED') throw error
    yield* history.stream(stream, firstKept(history, stream, from))
  }
}

/** Where an output came from: `1838.e0` -> 1838; null where the cause lies outside. */
export function causeOf(cause: string): { position: number; output: string } | null {
  const found = /^(\d+)\.([est]\d+)$/.exec(cause)
  return found === null ? null : { position: Number(found[1]), output: found[2] ?? '' }
}

/** Ms from an effect to its outcome; null for any other record, or where the effect is pruned. */
export function latencyMs(history: History, { event, cause, at }: JournalRecord): number | null {
  if (!event.type.startsWith('effect.')) return null
  const from = causeOf(cause)
  const request = from === null ? null : history.read(from.position)
  return request === null ? null : at - request.at
}

/** Tells filters what a record does not say of itself. */
export function factsOf(history: History): FilterFacts {
  return { latencyMs: (record) => latencyMs(history, record) }
}

/** Sorts records by their streams, in the order of the first of each. */
export function byStream(records: readonly JournalRecord[]): Map<StreamId, JournalRecord[]> {
  const streams = new Map<StreamId, JournalRecord[]>()
  for (const record of records) {
    const list = streams.get(record.stream) ?? []
    streams.set(record.stream, list)
    list.push(record)
  }
  return streams
}
