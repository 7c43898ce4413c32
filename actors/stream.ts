/**
 * Waking a stream: newest usable snapshot, then the records behind it, folded in silence.
 *
 * Replay runs no effect. What it arrives at must hash to what the last record says; where only the
 * code has changed since, the caller decides.
 */
import type { AnyMachineSnapshot } from 'xstate'
import { kinds } from '../machines/kinds.ts'
import { hashSnapshot, saveSnapshot, type SavedState, type Stepper } from '../machines/step.ts'
import { pack, unpack } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { type StreamId, streamKind } from '../protocol/ids.ts'
import { type JournalRecord, parseRecord } from '../protocol/record.ts'
import type { StoreReader } from '../store/contract.ts'

/** One actor as its stream tells it. */
export interface Replayed {
  readonly snapshot: AnyMachineSnapshot
  readonly version: number // 0 where the stream does not exist
  readonly hash: string // state hash, recomputed
  readonly recordedHash: string // state hash of the newest record; equal unless code changed
  readonly recordedCode: string
  readonly folded: number // records stepped
}

interface SnapshotDocument extends SavedState {
  readonly format: 1
  readonly code: string
  readonly hash: string
}

/** Encodes a snapshot for the store, with the code that made it and its own hash. */
export function formatSnapshot(snapshot: AnyMachineSnapshot, code: string): Uint8Array {
  const hash = hashSnapshot(snapshot)
  return pack({ format: 1, code, hash, ...saveSnapshot(snapshot) } satisfies SnapshotDocument)
}

/**
 * Rebuilds an actor from its stream up to a version (default: the newest).
 * @throws {GatewayError} STORE_CORRUPT: a record is damaged or missing; NOT_FOUND: pruned.
 */
export function replayStream(
  store: StoreReader,
  stream: StreamId,
  code: string,
  upToVersion = Number.MAX_SAFE_INTEGER,
): Replayed {
  const { stepper } = kinds[streamKind(stream)]
  const base = readBase(store, stream, { code, upToVersion, stepper })
  let snapshot = base?.snapshot ?? stepper.initial
  let version = base?.version ?? 0
  let last: JournalRecord | null = null
  let folded = 0
  for (const stored of store.stream(stream, version + 1)) {
    if (stored.version > upToVersion) break
    last = parseRecord(stored, stored.fields)
    if (last.version !== version + 1) throw gap(stream, version + 1, last)
    version = last.version
    if (last.kind !== 'event') continue
    snapshot = stepper.step(snapshot, last.event, last.at).snapshot
    folded += 1
  }
  const hash = hashSnapshot(snapshot)
  return {
    snapshot,
    version,
    hash,
    recordedHash: last?.stateHash ?? hash,
    recordedCode: last?.code ?? code,
    folded,
  }
}

interface Base {
  readonly snapshot: AnyMachineSnapshot
  readonly version: number
}

interface Wanted {
  readonly code: string
  readonly upToVersion: number
  readonly stepper: Stepper
}

// A snapshot of other code is no base while the records behind it are there; where they were
// compacted away it is the only one.
function readBase(store: StoreReader, stream: StreamId, wanted: Wanted): Base | null {
  const stored = store.snapshot(stream, wanted.upToVersion)
  if (stored === null) return null
  const document = unpack(stored.bytes) as SnapshotDocument
  if (document.format !== 1) return null
  if (document.code !== wanted.code && hasFirst(store, stream)) return null
  return restoreBase(document, stored.version, wanted)
}

function hasFirst(store: StoreReader, stream: StreamId): boolean {
  const first = store.positionOf(stream, 1)
  return first !== null && store.read(first) !== null
}

// One that does not hash to what it says is none.
function restoreBase(
  document: SnapshotDocument,
  version: number,
  { stepper }: Wanted,
): Base | null {
  const snapshot = stepper.restore(document)
  return hashSnapshot(snapshot) === document.hash ? { snapshot, version } : null
}

function gap(stream: string, expected: number, found: JournalRecord): GatewayError {
  return new GatewayError(
    'STORE_CORRUPT',
    `${stream}: expected version ${expected}, found ${found.version} at #${found.position}`,
    { stream, position: found.position },
  )
}
