/** Whether the journal answers: what a watchdog and a probe ask, without writing a record. */
import { toGatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { StoreReader } from '../store/contract.ts'

/** Why the journal does not answer; null where its newest record is there and no commit hangs. */
export function readPulse(store: Pick<StoreReader, 'stats' | 'head' | 'read'>): string | null {
  try {
    const { commitWaitsMs } = store.stats()
    if (commitWaitsMs > limits.commitHangMs) {
      return `a commit has been under way for ${Math.round(commitWaitsMs / 1_000)} s`
    }
    const { position } = store.head()
    if (position > 0 && store.read(position) === null) return `record #${position} is not there`
    return null
  } catch (thrown) {
    return toGatewayError(thrown).message
  }
}

/** Finds the reader that holds on to an old moment; null: none, or the journal does not answer. */
export function findHolder(store: Pick<StoreReader, 'stats'>): number | null {
  try {
    return store.stats().heldBy
  } catch {
    return null // Which readPulse tells.
  }
}

/** Says what a reader does that holds on to an old moment of the journal. */
export function heldSays(pid: number): string {
  return `process ${pid} reads an old moment and holds on to it: the journal's file grows`
}
