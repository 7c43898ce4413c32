/** A journal as tests look at it: from outside, whether a gateway writes to it or not. */
import { replayStream } from '../../actors/stream.ts'
import type { Folded } from '../../machines/history/fold.ts'
import { GatewayError } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { type JournalRecord, parseRecord } from '../../protocol/record.ts'
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
  } catch (cause) {
    // uvu 0.5.6 takes `details` for a text of its own and ends the suite over a GatewayError.
    throw cause instanceof GatewayError ? new Error(cause.message, { cause }) : cause
  } finally {
    await reader.close()
  }
}

/** Reads all records of a journal. */
export function recordsOf(directory: string): Promise<JournalRecord[]> {
  return withReader(directory, readRecords)
}

/** Reads the records of one stream, whatever has become of the others. */
export function streamOf(directory: string, stream: StreamId): Promise<JournalRecord[]> {
  return withReader(directory, (reader) =>
    [...reader.stream(stream)].map((stored) => parseRecord(stored, stored.fields)),
  )
}

// No code has this identity, so no snapshot fits and the stream is folded from its first record.
const NO_CODE = 'none'

/** Folds a stream from its first record up to a version, whatever snapshots there are. */
export function replayFromZero(
  reader: StoreReader,
  stream: StreamId,
  upToVersion?: number,
): Folded {
  return replayStream(reader, stream, NO_CODE, upToVersion)
}
