/**
 * Compaction: takes away the records of a stream that a snapshot stands for.
 *
 * Promises that the chain survives: each record leaves a tombstone with its links and its place
 * (`seal.ts`), so positions and versions stay dense and the journal can still be verified from its
 * first record; with them goes what the caller wants kept of each. Goes upwards in small commits
 * through the queue, so what is pruned is always a prefix of its stream, also after a crash
 * half-way. Bodies stay. Step 6 of 8.
 */
import { limits } from '../../protocol/limits.ts'
import { corruptRecord, sealTombstone } from '../seal.ts'
import { storedRecord } from '../shapes.ts'
import { readRecord } from './environment.ts'
import type { KeepOf } from '../contract.ts'
import type { Tables } from './environment.ts'
import type { StreamIndex, StreamState, Write } from './streams.ts'

/** What compaction needs of the journal. */
export interface CompactTarget {
  readonly tables: Tables
  readonly index: StreamIndex
  readonly commit: (writes: readonly Write[]) => Promise<void>
  readonly keep?: KeepOf | undefined
}

/**
 * Removes the records of a stream below a version, which must have a readable snapshot.
 * @throws {GatewayError} STORE_CORRUPT: a damaged record, which is left as it is; STORE_FAILED.
 */
export async function compactBelow(
  target: CompactTarget,
  state: StreamState,
  belowVersion: number,
): Promise<{ removed: number }> {
  let removed = 0
  let version = firstKept(target, state, belowVersion)
  while (version < belowVersion) {
    const count = Math.min(limits.compactRecordsPerCommit, belowVersion - version)
    const writes = target.index
      .positions(state, version)
      .slice(0, count)
      .map((position) => tombstoneWrite(target, state.name, position))
    await target.commit(writes)
    removed += writes.length
    version += writes.length
  }
  return { removed }
}

// Earlier compactions took a prefix, so its end is found by halving.
function firstKept({ tables, index }: CompactTarget, state: StreamState, below: number): number {
  let low = 1
  let high = below
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const [position = 0] = index.positions(state, middle)
    if (readRecord(tables, position)?.pruned === true) low = middle + 1
    else high = middle
  }
  return low
}

function tombstoneWrite({ tables, keep }: CompactTarget, stream: string, position: number): Write {
  const record = readRecord(tables, position)
  if (record === null) throw corruptRecord(position, 'missing')
  const kept = keep?.(storedRecord(position, stream, record)) ?? []
  const value = sealTombstone(position, record, kept)
  return { table: tables.records, key: position, value, once: false }
}
