/**
 * Waking a stream: folded in silence by the code that runs, from what that same code has saved.
 *
 * Replay runs no effect. What it arrives at must hash to what the last record says; where only the
 * code has changed since, the caller decides.
 */
import type { AnyMachineSnapshot } from 'xstate'
import { type Folded, foldStream } from '../machines/history/fold.ts'
import { kinds } from '../machines/kinds.ts'
import { hashSnapshot, saveSnapshot } from '../machines/step.ts'
import type { StreamId } from '../protocol/ids.ts'
import type { StoreReader } from '../store/contract.ts'
import { formatBase, openHistory } from './history.ts'

/** Encodes a snapshot for the store, with the code that made it and its own hash. */
export function formatSnapshot(snapshot: AnyMachineSnapshot, code: string): Uint8Array {
  return formatBase({ code, hash: hashSnapshot(snapshot), state: saveSnapshot(snapshot) })
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
  upToVersion?: number,
): Folded {
  return foldStream(openHistory(store), kinds, stream, {
    usable: (base) => base.code === code,
    ...(upToVersion === undefined ? {} : { upToVersion }),
  })
}
