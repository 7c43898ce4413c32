/**
 * A segment: a stretch of history that stands alone.
 *
 * It holds the records of a range, the state of each of their actors before the first of them, and
 * what was open there (effects without outcome, sends on their way, armed waits). That is all that
 * replay, a fork or an exploration needs, so one can be cut out, carried away in an incident file,
 * handed to a process of other code, and read as history again.
 */
import { GatewayError } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import {
  emptyOpenWork,
  foldOpenWork,
  type OpenEffect,
  type OpenSend,
  type OpenWait,
  type OpenWork,
  waitKey,
} from '../projections/open-work.ts'
import { hashSnapshotOnce, saveSnapshot } from '../step.ts'
import { foldStream } from './fold.ts'
import { openWorkAt } from './open.ts'
import { type Base, byStream, type History, type Kinds } from './source.ts'

/** The state of one actor before the segment begins. */
export interface SegmentBase extends Base {
  readonly stream: StreamId
  readonly position: number // of its newest record before the segment
}

/** What was open before the segment begins; addresses as everywhere (`1838.e0`). */
export interface SegmentOpen {
  readonly effects: readonly (readonly [string, OpenEffect])[]
  readonly sends: readonly (readonly [string, OpenSend])[]
  readonly waits: readonly (readonly [string, OpenWait])[]
  readonly connections: readonly string[] // streams
  readonly channels: readonly string[] // names of those enabled
}

/** Records `from` to `to` of all streams, or of some, with what they stand on. Plain data. */
export interface Segment {
  readonly from: number
  readonly to: number
  readonly bases: readonly SegmentBase[]
  readonly open: SegmentOpen
  readonly records: readonly JournalRecord[] // in order; those of other streams are left out
}

export interface CutOptions {
  readonly from: number
  readonly to: number
  readonly code: string // whose states the bases are
  /** Which streams to take; default: all. */
  readonly takes?: (stream: StreamId) => boolean
  /** Takes streams whose state before the segment was compacted away too, without that state. */
  readonly partly?: boolean
}

/**
 * Cuts a segment out of a history. Reads the journal from its first record, for what was open.
 * @throws {GatewayError} HISTORY_PRUNED: not `partly`, and a state before it is gone; STORE_CORRUPT
 */
export function cutSegment(
  history: History,
  kinds: Kinds,
  { from, to, code, takes = () => true, partly = false }: CutOptions,
): Segment {
  const records = [...history.range(from, to)].filter(({ stream }) => takes(stream))
  const open = openBefore(history, from, takes)
  const streams = new Set(records.map(({ stream }) => stream))
  for (const [, { stream }] of [...open.effects, ...open.waits]) streams.add(stream)
  for (const [, { to: target }] of open.sends) streams.add(target)
  for (const stream of open.connections) streams.add(stream as StreamId)
  const bases = [...streams].flatMap((stream) => {
    try {
      return baseBefore(history, kinds, stream, { from, code })
    } catch (error) {
      if (partly && error instanceof GatewayError && error.code === 'HISTORY_PRUNED') return []
      throw error
    }
  })
  return { from, to, bases, open, records }
}

/**
 * Requires that nothing inside a stretch was compacted away: what is run again must be all of it.
 * @throws {GatewayError} HISTORY_PRUNED: with the position behind the last hole.
 */
export function assertWhole({ bases, records }: Segment): void {
  const versions = new Map(bases.map(({ stream, version }) => [stream, version]))
  let behind: JournalRecord | null = null
  for (const record of records) {
    if (record.version !== (versions.get(record.stream) ?? 0) + 1) behind = record
    versions.set(record.stream, record.version)
  }
  if (behind === null) return
  const { position, stream } = behind
  const text = `records of ${stream} before #${position} were compacted away: begin behind #${position}`
  throw new GatewayError('HISTORY_PRUNED', text, { stream, position })
}

function baseBefore(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  { from, code }: { from: number; code: string },
): SegmentBase[] {
  const version = history.versionAt(stream, from - 1)
  if (version === 0) return []
  const { snapshot } = foldStream(history, kinds, stream, { upToVersion: version })
  const position = history.positionOf(stream, version) ?? 0
  const hash = hashSnapshotOnce(snapshot)
  return [{ stream, version, position, code, hash, state: saveSnapshot(snapshot) }]
}

function openBefore(
  history: History,
  from: number,
  takes: (stream: StreamId) => boolean,
): SegmentOpen {
  const work = openWorkAt(history, from - 1)
  return {
    effects: [...work.effects].filter(([, { stream }]) => takes(stream)),
    sends: [...work.sends].filter(([, { to }]) => takes(to)),
    waits: [...work.waits].filter(([, { stream }]) => takes(stream)),
    connections: [...work.connections].filter((stream) => takes(stream as StreamId)),
    channels: [...work.channels],
  }
}

/** Folds what is open at the end of a segment. */
export function openWorkOf(segment: Segment): OpenWork {
  const work = openAtStart(segment)
  for (const record of segment.records) foldOpenWork(work, record)
  return work
}

function openAtStart({ open, from }: Segment): OpenWork {
  const work = emptyOpenWork()
  work.position = from - 1
  for (const [address, effect] of open.effects) work.effects.set(address, effect)
  for (const [address, send] of open.sends) work.sends.set(address, send)
  for (const [address, wait] of open.waits) {
    work.waits.set(address, wait)
    work.waitAddresses.set(waitKey(wait.stream, wait.id), address)
  }
  for (const stream of open.connections) work.connections.add(stream)
  for (const name of open.channels) work.channels.add(name)
  return work
}

/** Opens a segment as history: positions before it are as if compacted away behind its bases. */
export function openSegment(segment: Segment): History {
  const byPosition = new Map(segment.records.map((record) => [record.position, record]))
  const bases = new Map(segment.bases.map((base) => [base.stream, base]))
  const own = byStream(segment.records)
  const streams = new Set([...bases.keys(), ...own.keys()])
  const baseVersion = (stream: StreamId): number => bases.get(stream)?.version ?? 0
  const ownAt = (stream: StreamId, version: number): JournalRecord | undefined => {
    const records = own.get(stream) ?? []
    return records[version - (records[0]?.version ?? 0)]
  }
  return {
    head: () => segment.to,
    read: (position) => byPosition.get(position) ?? null,
    range: (from, to) =>
      segment.records.filter(({ position }) => position >= from && position <= to),
    stream: (stream, fromVersion) => streamFrom(stream, own.get(stream) ?? [], fromVersion),
    version: (stream) => own.get(stream)?.at(-1)?.version ?? baseVersion(stream),
    versionAt: (stream, position) => {
      const found = own.get(stream)?.findLast((record) => record.position <= position)
      if (found !== undefined) return found.version
      const base = bases.get(stream)
      return base !== undefined && base.position <= position ? base.version : 0
    },
    positionOf: (stream, version) => {
      const base = bases.get(stream)
      if (base?.version === version) return base.position
      return ownAt(stream, version)?.position ?? null
    },
    stateHash: (stream, version) => {
      const base = bases.get(stream)
      if (base?.version === version) return base.hash
      return ownAt(stream, version)?.stateHash ?? null
    },
    streams: () => streams,
    base: (stream, atVersion) => {
      const base = bases.get(stream)
      return base !== undefined && base.version <= atVersion ? base : null
    },
    openWork: (position) => (position < segment.from - 1 ? null : openAtStart(segment)),
  }
}

function streamFrom(
  stream: StreamId,
  records: readonly JournalRecord[],
  fromVersion: number,
): readonly JournalRecord[] {
  const first = records[0]?.version ?? 0
  if (fromVersion >= first) return records.slice(fromVersion - first)
  const text = `${stream}: versions below ${first} are not in this segment`
  throw new GatewayError('HISTORY_PRUNED', text, { pruned: true, from: 1, to: first - 1 })
}
