/** A journal as tests look at it: from outside, whether a gateway writes to it or not. */
import { replayStream, type Replayed } from '../../actors/stream.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { StoreReader } from '../../store/contract.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import { readRecords } from './kernel.ts'

/** Opens a journal for the time of a look. */
export async function withReader<T>(
  directory: string,
  look: (reader: StoreReader) => T,
): Promise<T> {
  const reader = await openLmdbReader(directory)
  try {
    return look(reader)
  } finally {
    await reader.close()
  }
}

/** Reads all records of a journal. */
export function recordsOf(directory: string): Promise<JournalRecord[]> {
  return withReader(directory, readRecords)
}

// No code has this identity, so no snapshot fits and the stream is folded from its first record.
const NO_CODE = 'none'

/** Folds a stream from its first record up to a version, whatever snapshots there are. */
export function replayFromZero(
  reader: StoreReader,
  stream: StreamId,
  upToVersion?: number,
): Replayed {
  return replayStream(reader, stream, NO_CODE, upToVersion)
}
