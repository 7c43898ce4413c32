/**
 * Waking a stream: newest usable snapshot, then the records behind it, folded in silence.
 *
 * Replay runs no effect. What it arrives at must hash to what the last record says; where only the
 * code has changed since, the caller decides.
 */
import type { AnyMachineSnapshot } from 'xstate'
import { kinds } from '../machines/kinds.ts'
import { hashSnapshot, saveSnapshot, type SavedState } from '../machines/step.ts'
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
 * Rebuilds an actor from its stream up to a version (default: the newest). Where records are pruned,
 * a snapshot that other code made is the only base left, and is taken.
 * @throws {GatewayError} STORE_CORRUPT: a record is damaged or missing; HISTORY_PRUNED.
 */
export function replayStream(
  store: StoreReader,
  stream: StreamId,
  code: string,
  upToVersion = Number.MAX_SAFE_INTEGER,
): Replayed {
  const base = readSnapshot(store, stream, upToVersion, (maker) => maker === code)
  try {
    return foldBehind(base, store, stream, { code, upToVersion })
  } catch (error) {
    const isPruned = error instanceof GatewayError && error.details['pruned'] === true
    const other = isPruned ? readSnapshot(store, stream, upToVersion, () => true) : null
    if (other === null) throw error
    return foldBehind(other, store, stream, { code, upToVersion })
  }
}

interface Base {
  readonly snapshot: AnyMachineSnapshot
  readonly version: number
}

function foldBehind(
  base: Base | null,
  store: StoreReader,
  stream: StreamId,
  { code, upToVersion }: { code: string; upToVersion: number },
): Replayed {
  const { stepper } = kinds[streamKind(stream)]
  let { snapshot, version } = base ?? { snapshot: stepper.initial, version: 0 }
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

// The newest that is usable: made by code that will do, and in the state that its record says.
function readSnapshot(
  store: StoreReader,
  stream: StreamId,
  upToVersion: number,
  isUsable: (code: string) => boolean,
): Base | null {
  const { stepper } = kinds[streamKind(stream)]
  let stored = store.snapshot(stream, upToVersion)
  for (; stored !== null; stored = store.snapshot(stream, stored.version - 1)) {
    const { version } = stored
    const document = unpack(stored.bytes) as SnapshotDocument
    if (document.format !== 1 || !isUsable(document.code)) continue
    if (document.hash !== recordedHash(store, stream, version)) continue
    const snapshot = stepper.restore(document)
    if (hashSnapshot(snapshot) === document.hash) return { snapshot, version }
  }
  return null
}

function recordedHash(store: StoreReader, stream: StreamId, version: number): string | null {
  const position = store.positionOf(stream, version)
  const stored = position === null ? null : store.read(position)
  return stored === null ? null : parseRecord(stored, stored.fields).stateHash
}

function gap(stream: string, expected: number, found: JournalRecord): GatewayError {
  return new GatewayError(
    'STORE_CORRUPT',
    `${stream}: expected version ${expected}, found ${found.version} at #${found.position}`,
    { stream, position: found.position },
  )
}
