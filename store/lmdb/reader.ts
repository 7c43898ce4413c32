/**
 * Reading a journal: by position, by stream, and what is cached beside the records.
 *
 * Serves the writer and any other process alike. Nothing of LMDB is held between two values that
 * an iterator yields: records are fetched one by one by their position and copied, and the read
 * transaction is renewed every limits.readTransactionRecordsMax records (D-R12). Every value is
 * unsealed before it is served (S6). Step 6 of 8.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { parsePlainBody, prunedError, storedLink, storedRecord } from '../shapes.ts'
import { ZERO_HASH, corruptRecord } from '../seal.ts'
import {
  lastPosition,
  listKeys,
  newestEpoch,
  readRecord,
  readValue,
  walkKeys,
} from './environment.ts'
import { readProof } from './proof.ts'
import type {
  BodyState,
  Head,
  SaltedBody,
  StoreReader,
  StoredCheckpoint,
  StoredLink,
  StoredRecord,
  StoredSnapshot,
} from '../contract.ts'
import type { TableKey, UnsealedRecord } from '../seal.ts'
import type { Tables } from './environment.ts'
import type { StreamIndex, StreamState } from './streams.ts'

/** The reading half of the contract, over an open environment. */
export type JournalReads = Omit<StoreReader, 'stats' | 'close' | 'epoch'>

/**
 * What reading needs. `guard` runs before each question and throws where there must be none;
 * `refresh` does too, and brings the index up to date.
 */
export interface ReadSource {
  readonly tables: Tables
  readonly index: StreamIndex
  readonly head: () => Head
  readonly guard: () => void
  readonly refresh: () => void
}

/** Makes the reading functions of a store or a reader. */
export function createReads(source: ReadSource): JournalReads {
  const { index, tables, guard } = source
  const find = (stream: string): StreamState | null => {
    source.refresh()
    const state = index.find(stream)
    return state === null || state.version === 0 ? null : state
  }
  return {
    head: () => {
      guard()
      return source.head()
    },
    read: (position) => {
      guard()
      return position > source.head().position ? null : readStored(source, position)
    },
    link: (position) => {
      guard()
      return position > source.head().position ? null : readLink(source, position)
    },
    range: (from, to) => {
      guard()
      return readRange(source, from, Math.min(to ?? Infinity, source.head().position))
    },
    stream: (stream, fromVersion = 1) => readStream(source, find(stream), fromVersion),
    version: (stream) => find(stream)?.version ?? 0,
    positionOf: (stream, version) => {
      const state = find(stream)
      return state === null ? null : (index.positions(state, version)[0] ?? null)
    },
    versionAt: (stream, position) => {
      const state = find(stream)
      return state === null ? 0 : index.versionAt(state, position)
    },
    streams: (kind) => {
      source.refresh()
      return kind === undefined ? index.allNames() : index.namesOf(kind)
    },
    ...bodyReads(source),
    snapshot: (stream, atVersion) => newestSnapshot(tables, find(stream), atVersion),
    checkpoint: (name) => {
      guard()
      return newestCheckpoint(tables, name)
    },
    ...readProof(source),
  }
}

type BodyReads = Pick<StoreReader, 'body' | 'salted' | 'bodyState' | 'refs'>

function bodyReads({ tables, guard }: ReadSource): BodyReads {
  return {
    body: (ref) => {
      guard()
      return readBody(tables, ref)?.bytes ?? null
    },
    salted: (ref) => {
      guard()
      return readBody(tables, ref)
    },
    bodyState: (ref) => {
      guard()
      return bodyStateOf(tables, ref)
    },
    refs: () => {
      guard()
      return readRefs(tables)
    },
  }
}

/** Reads the end of the journal from the table. */
export function readHead(tables: Tables): Head {
  return headAt(tables, lastPosition(tables))
}

/** Reads the head as it was when a record was the newest. */
export function headAt(tables: Tables, position: number): Head {
  if (position === 0) return { position, hash: ZERO_HASH }
  const record = readRecord(tables, position)
  if (record === null) throw corruptRecord(position, 'missing')
  return { position, hash: record.hash }
}

/** Reads the newest writer's epoch, past what this turn has seen. */
export function readEpoch(tables: Tables): number {
  tables.meta.resetReadTxn()
  return newestEpoch(tables)
}

function readStored(source: ReadSource, position: number): StoredRecord | null {
  const record = readUnsealed(source, position)
  return record === null || record.pruned
    ? null
    : storedRecord(position, streamOf(source, position, record), record)
}

function readLink(source: ReadSource, position: number): StoredLink | null {
  const record = readUnsealed(source, position)
  if (record === null) return null
  return storedLink(position, streamOf(source, position, record), record)
}

function readUnsealed({ tables }: ReadSource, position: number): UnsealedRecord | null {
  if (!Number.isSafeInteger(position) || position < 1) return null
  const record = readRecord(tables, position)
  if (record === null) throw corruptRecord(position, 'missing')
  return record
}

function streamOf({ index }: ReadSource, position: number, record: UnsealedRecord): string {
  const stream = index.name(record.streamNumber)
  if (stream === null) throw corruptRecord(position, `unknown stream ${record.streamNumber}`)
  return stream
}

function* readRange(source: ReadSource, from: number, to: number): Generator<StoredRecord> {
  for (let position = Math.max(1, Math.ceil(from)); position <= to; position += 1) {
    renew(source, position)
    const record = readStored(source, position)
    if (record !== null) yield record
  }
}

function renew(source: ReadSource, count: number): void {
  if (count % limits.readTransactionRecordsMax !== 0) return
  source.guard()
  source.tables.records.resetReadTxn()
}

function* readStream(
  source: ReadSource,
  state: StreamState | null,
  fromVersion: number,
): Generator<StoredRecord> {
  if (state === null) return
  const last = state.version
  let version = Math.max(1, Math.ceil(fromVersion))
  while (version <= last) {
    source.guard()
    for (const position of source.index.positions(state, version)) {
      if (version > last) return
      renew(source, version)
      const record = readPlaced(source, state, version, position)
      if (record.pruned) throw prunedFault(source, state, version)
      yield storedRecord(position, state.name, record)
      version += 1
    }
  }
}

/** Reads the record that the index names, and holds it to what the index says of it. */
function readPlaced(
  source: ReadSource,
  state: StreamState,
  version: number,
  position: number,
): UnsealedRecord {
  const record = readRecord(source.tables, position)
  if (record === null) throw corruptRecord(position, 'missing')
  if (record.streamNumber === state.number && record.version === version) return record
  throw corruptRecord(
    position,
    `expected ${state.name} version ${version}, ` +
      `got stream ${record.streamNumber} version ${record.version}`,
  )
}

// What is pruned is a prefix of the stream, so its end is found by halving.
function prunedFault(source: ReadSource, state: StreamState, from: number): GatewayError {
  let pruned = from
  let kept = state.version + 1
  while (kept - pruned > 1) {
    const middle = Math.floor((pruned + kept) / 2)
    const [position = 0] = source.index.positions(state, middle)
    if (readPlaced(source, state, middle, position).pruned) pruned = middle
    else kept = middle
  }
  return prunedError(state.name, pruned)
}

function readBody(tables: Tables, ref: string): SaltedBody | null {
  const value = readValue(tables, 'bodies', ref)
  return value === null ? null : parsePlainBody(ref, value)
}

function* readRefs(tables: Tables): Generator<string> {
  for (const key of walkKeys(tables, 'bodies')) if (typeof key === 'string') yield key
}

/** Tells whether a body is there, or was. */
export function bodyStateOf(tables: Tables, ref: string): BodyState {
  const value = readValue(tables, 'bodies', ref)
  if (value === null) return 'missing'
  return parsePlainBody(ref, value) === null ? 'erased' : 'there'
}

function newestSnapshot(
  tables: Tables,
  state: StreamState | null,
  atVersion = Number.MAX_SAFE_INTEGER,
): StoredSnapshot | null {
  if (state === null) return null
  const found = newestReadable(tables, 'snapshots', state.number, atVersion)
  return found === null ? null : { version: found.count, bytes: found.bytes }
}

function newestCheckpoint(tables: Tables, name: string): StoredCheckpoint | null {
  const found = newestReadable(tables, 'checkpoints', name, Number.MAX_SAFE_INTEGER)
  return found === null ? null : { position: found.count, bytes: found.bytes }
}

/** Steps back over damaged values: a cached fold may be missing, never wrong. */
function newestReadable(
  tables: Tables,
  name: 'snapshots' | 'checkpoints',
  owner: string | number,
  atMost: number,
): { count: number; bytes: Uint8Array } | null {
  let start: TableKey = [owner, atMost]
  for (;;) {
    const [key] = listKeys(tables, name, { start, end: [owner], reverse: true, limit: 1 })
    const count = Array.isArray(key) ? key[1] : null
    if (typeof count !== 'number') return null
    const bytes = readOrSkip(tables, name, [owner, count])
    if (bytes !== null) return { count, bytes }
    start = [owner, count - 1]
  }
}

function readOrSkip(
  tables: Tables,
  name: 'snapshots' | 'checkpoints',
  key: TableKey,
): Uint8Array | null {
  try {
    return readValue(tables, name, key)
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'STORE_CORRUPT') return null
    throw error
  }
}
