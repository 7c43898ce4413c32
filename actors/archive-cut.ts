/**
 * Cutting an archive: the lives of some actors, or stretches of them, as the parts of a bundle.
 *
 *   streams ─► stretches of at most limits.archiveRecordsMax ─► batches ─► one bundle each
 *
 * Read stream by stream, so that it costs what goes and not the whole journal. Records are those of
 * the journal, byte for byte; bodies stay behind, whatever becomes of them, so that erasing a body
 * erases it (K1). What was open before the first record is told as far as a record here ends it.
 */
import { foldStream } from '../machines/history/fold.ts'
import type { SegmentBase, SegmentOpen } from '../machines/history/segment.ts'
import { causeOf, firstKept, type History } from '../machines/history/source.ts'
import { kinds } from '../machines/kinds.ts'
import type { OpenEffect, OpenSend, OpenWait } from '../machines/projections/open-work.ts'
import { saveSnapshot } from '../machines/step.ts'
import { GatewayError } from '../protocol/errors.ts'
import type { Manifest } from '../protocol/history/incident.ts'
import { type StreamId, streamKind } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { type JournalRecord, parseRecord } from '../protocol/record.ts'
import { BUNDLE_SCHEMA } from '../store/bundle.ts'
import type { StoredRecord, StoreReader } from '../store/contract.ts'
import type { BundleParts } from './bundle.ts'
import { linksOf, namesOf, refsOf } from './bundle-export.ts'
import { openHistory } from './history.ts'

/** Records of one stream that go into one archive. */
export interface Stretch {
  readonly stream: StreamId
  readonly from: number // version, as `to`; both included
  readonly to: number
  readonly at: number // position of the first
}

/** What an archive is to say of itself. */
export interface ArchiveTold {
  readonly policy: string
  readonly code: string // identity of this code, whose states the bases are
  readonly tool: string // version that writes
  readonly madeAt: number // ms since epoch
}

/**
 * Shares out what is left of some streams into batches, oldest first, each for one archive. A stream
 * with nothing but its newest record, which stays, has nothing to archive.
 */
export function batchStretches(store: StoreReader, streams: Iterable<StreamId>): Stretch[][] {
  const history = openHistory(store)
  const stretches = [...streams].flatMap((stream) => stretchesOf(history, stream))
  const batches: Stretch[][] = []
  let records = Number.POSITIVE_INFINITY
  for (const stretch of stretches.toSorted((a, b) => a.at - b.at)) {
    const more = stretch.to - stretch.from + 1
    if (records + more > limits.archiveRecordsMax) {
      batches.push([])
      records = 0
    }
    batches.at(-1)?.push(stretch)
    records += more
  }
  return batches
}

function stretchesOf(history: History, stream: StreamId): Stretch[] {
  const last = history.version(stream)
  const stretches: Stretch[] = []
  for (let from = firstKept(history, stream, 1); from < last; from += limits.archiveRecordsMax) {
    const to = Math.min(last, from + limits.archiveRecordsMax - 1)
    stretches.push({ stream, from, to, at: history.positionOf(stream, from) ?? 0 })
  }
  return stretches
}

/**
 * Cuts one archive.
 * @throws {GatewayError} STORE_CORRUPT: a record is damaged; HISTORY_PRUNED: one is gone.
 */
export function cutArchive(
  store: StoreReader,
  stretches: readonly Stretch[],
  told: ArchiveTold,
): BundleParts {
  const records = stretches
    .flatMap((stretch) => recordsOf(store, stretch))
    .toSorted((a, b) => a.position - b.position)
  const parsed = records.map((stored) => parseRecord(stored, stored.fields))
  const [from, to] = [records[0]?.position ?? 0, records.at(-1)?.position ?? 0]
  const history = openHistory(store)
  const bases = stretches.flatMap((stretch) => baseOf(history, stretch, told.code))
  const open = openBefore(store, parsed, from)
  return {
    manifest: manifestOf(store, { records, parsed, stretches }, told),
    segment: { from, to, bases, open, records: parsed },
    chain: { records, links: linksOf(store, records, to) },
    bodies: new Map(),
    notes: [],
    code: new Map(),
    proofs: null, // Its tombstones in the journal hold the hashes, and are in every signed tree.
  }
}

function recordsOf(store: StoreReader, { stream, from, to }: Stretch): StoredRecord[] {
  const records: StoredRecord[] = []
  for (const record of store.stream(stream, from)) {
    if (record.version > to) break
    records.push(record)
  }
  return records
}

// Where the versions before were compacted away, the oldest state that is left inside.
function baseOf(history: History, { stream, from, to }: Stretch, code: string): SegmentBase[] {
  if (from === 1) return []
  const placed = (version: number): number => history.positionOf(stream, version) ?? 0
  try {
    const upToVersion = from - 1
    const { snapshot, hash } = foldStream(history, kinds, stream, { upToVersion })
    const state = saveSnapshot(snapshot)
    return [{ stream, version: upToVersion, position: placed(upToVersion), code, hash, state }]
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'HISTORY_PRUNED') throw error
  }
  let oldest: SegmentBase[] = []
  let base = history.base(stream, to)
  for (; base !== null && base.version >= from; base = history.base(stream, base.version - 1)) {
    oldest = [{ ...base, stream, position: placed(base.version) }]
  }
  return oldest
}

// What records here came of, and that was wished for before the first of them.
function openBefore(
  store: StoreReader,
  records: readonly JournalRecord[],
  from: number,
): SegmentOpen {
  const effects = new Map<string, OpenEffect>()
  const sends = new Map<string, OpenSend>()
  const waits = new Map<string, OpenWait>()
  for (const { cause } of records) {
    const origin = causeOf(cause)
    if (origin === null || origin.position >= from) continue
    const stored = store.read(origin.position)
    if (stored === null) continue
    const { stream, correlationId, ...outputs } = parseRecord(stored, stored.fields)
    const index = Number(origin.output.slice(1))
    const [effect, send, wait] = [
      outputs.effects[index],
      outputs.sends[index],
      outputs.armed[index],
    ]
    const [kind] = origin.output
    if (kind === 'e' && effect !== undefined) {
      effects.set(cause, { ...effect, stream, correlationId, started: false })
    }
    if (kind === 's' && send !== undefined) sends.set(cause, { ...send, correlationId })
    if (kind === 't' && wait !== undefined) waits.set(cause, { ...wait, stream, correlationId })
  }
  const open = { effects: [...effects], sends: [...sends], waits: [...waits] }
  return { ...open, connections: [], channels: [] }
}

interface Cut {
  readonly records: readonly StoredRecord[]
  readonly parsed: readonly JournalRecord[]
  readonly stretches: readonly Stretch[]
}

function manifestOf(
  store: StoreReader,
  { records, parsed, stretches }: Cut,
  { policy, tool, madeAt }: ArchiveTold,
): Manifest {
  const [from, to] = [records[0]?.position ?? 0, records.at(-1)?.position ?? 0]
  const { position, hash } = store.head()
  const refs = [...refsOf(parsed)]
  const withheld = refs.filter((ref) => store.bodyState(ref) === 'there').length
  const streams = new Set(stretches.map(({ stream }) => stream))
  return {
    schema: BUNDLE_SCHEMA,
    id: `archive-${from}-${to}`,
    title: `archive: records of ${streams.size} actors, let go by ${policy}; no text is in it`,
    severity: 0,
    range: { from, to },
    streams: namesOf(records),
    head: { position, hash: Buffer.from(hash).toString('hex') },
    tier: 'skeleton',
    actors: [...new Set([...streams].map((stream) => `${streamKind(stream)}:*`))],
    madeAt,
    tool,
    codes: [...new Set(parsed.map(({ code }) => code))],
    archive: { policy },
    redaction: {
      records: records.length,
      leftOut: to - from + 1 - records.length,
      bodies: 0,
      withheld,
      missing: refs.length - withheld,
      masked: {},
    },
  }
}
