/**
 * A store as history: tuples become records, snapshot documents become bases.
 *
 * The bridge between store/, which knows bytes, and machines/history/, which knows records.
 */
import type { Base, History } from '../machines/history/source.ts'
import type { SavedState } from '../machines/step.ts'
import { savedOpenWork } from './projector.ts'
import { pack, unpack } from '../protocol/codec.ts'
import type { StreamId } from '../protocol/ids.ts'
import { type JournalRecord, parseRecord } from '../protocol/record.ts'
import type { StoredRecord, StoreReader } from '../store/contract.ts'

interface SnapshotDocument extends SavedState {
  readonly format: 1
  readonly code: string
  readonly hash: string
}

/** Encodes a state for the store, with the code that made it and its own hash. */
export function formatBase({ code, hash, state }: Omit<Base, 'version'>): Uint8Array {
  return pack({ format: 1, code, hash, ...state } satisfies SnapshotDocument)
}

/** Opens a store as history. Nothing is held; the store stays its owner's. */
export function openHistory(store: StoreReader): History {
  return {
    head: () => store.head().position,
    read: (position) => {
      const stored = store.read(position)
      return stored === null ? null : toRecord(stored)
    },
    range: (from, to) => mapRecords(store.range(from, to)),
    stream: (stream, fromVersion) => mapRecords(store.stream(stream, fromVersion)),
    version: (stream) => store.version(stream),
    versionAt: (stream, position) => store.versionAt(stream, position),
    positionOf: (stream, version) => store.positionOf(stream, version),
    stateHash: (stream, version) => {
      const stored = store.read(store.positionOf(stream, version) ?? 0)
      return stored === null ? null : toRecord(stored).stateHash
    },
    streams: () => store.streams() as Iterable<StreamId>,
    base: (stream, atVersion) => readBase(store, stream, atVersion),
    openWork: (position) => savedOpenWork(store, position),
  }
}

function toRecord(stored: StoredRecord): JournalRecord {
  return parseRecord(stored, stored.fields)
}

function* mapRecords(stored: Iterable<StoredRecord>): Generator<JournalRecord> {
  for (const each of stored) yield toRecord(each)
}

// A document of another format is passed over for an older one.
function readBase(store: StoreReader, stream: StreamId, atVersion: number): Base | null {
  let stored = store.snapshot(stream, atVersion)
  for (; stored !== null; stored = store.snapshot(stream, stored.version - 1)) {
    const { format, code, hash, ...state } = unpack(stored.bytes) as SnapshotDocument
    if (format === 1) return { version: stored.version, code, hash, state }
  }
  return null
}
