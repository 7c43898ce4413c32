/**
 * What is said between us and other code in its own process: one msgpack document each way.
 *
 *   load     the files of the code                            -> loaded
 *   take     records of a replay                              -> need, or taken
 *   seed     a stream up to where a replay needs it           -> seeded
 *   go       the records given before, now that all is seeded -> taken
 *   fork     a stretch, to be run again                       -> forked
 *   explore  a stretch, to be crashed                         -> explored
 *
 * Any answer may be a fault instead. Answers are a stranger's: `code-answer.ts` reads them.
 */
import type { Exploration, ExplorePlan, ExploreSample } from '../machines/history/explore.ts'
import type { Rerun } from '../machines/history/fork.ts'
import type { RerunPlan } from '../machines/history/plan.ts'
import type { Difference } from '../machines/history/replay.ts'
import type { Segment } from '../machines/history/segment.ts'
import type { Base } from '../machines/history/source.ts'
import { pack, unpack } from '../protocol/codec.ts'
import { type ErrorCode, GatewayError } from '../protocol/errors.ts'
import type { StreamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'

/** Code as text: its files by path, and which two are asked. */
export interface CodeFiles {
  readonly id: string
  readonly files: Readonly<Record<string, string>> // by path from the root, with slashes
  readonly kinds: string // path of the file that exports `kinds`
  readonly step: string // path of the file that exports `hashSnapshot` and `formatValue`
}

export type Question =
  | { readonly t: 'load'; readonly code: CodeFiles }
  | { readonly t: 'take'; readonly records: readonly JournalRecord[] }
  | {
      readonly t: 'seed'
      readonly stream: StreamId
      readonly version: number
      readonly base: Base | null
      readonly records: readonly JournalRecord[]
    }
  | { readonly t: 'go' }
  | { readonly t: 'fork'; readonly segment: Segment; readonly plan: RerunPlan }
  | { readonly t: 'explore'; readonly segment: Segment; readonly plan: ExplorePlan }

export type Answer =
  | { readonly t: 'loaded' }
  | { readonly t: 'need'; readonly streams: readonly Needed[] }
  | { readonly t: 'seeded' }
  | { readonly t: 'taken'; readonly differences: readonly (Difference | null)[] }
  | { readonly t: 'forked'; readonly rerun: Rerun }
  | {
      readonly t: 'explored'
      readonly exploration: Exploration
      readonly samples: readonly SampleRecords[]
    }
  | { readonly t: 'fault'; readonly code: ErrorCode; readonly message: string }

/** A violation with the records that show it; what they stand on is the stretch's. */
export interface SampleRecords extends Pick<ExploreSample, 'violation'> {
  readonly records: readonly JournalRecord[]
}

/** A stream whose state up to a version is needed before a replay can go on. */
export interface Needed {
  readonly stream: StreamId
  readonly version: number
}

/** Encodes a message. @throws {GatewayError} PAYLOAD_TOO_LARGE */
export function formatMessage(message: Question | Answer): Uint8Array {
  const bytes = pack(message)
  assertSize(bytes)
  return bytes
}

/** Decodes a question; it is ours. @throws {GatewayError} PAYLOAD_TOO_LARGE, RECORD_FORMAT */
export function parseQuestion(message: unknown): Question {
  if (!(message instanceof Uint8Array)) {
    throw new GatewayError('RECORD_FORMAT', 'code: expected bytes')
  }
  assertSize(message)
  return unpack(message) as Question
}

function assertSize({ byteLength }: Uint8Array): void {
  if (byteLength <= limits.codeMessageBytesMax) return
  const text = `code: a message of ${byteLength} bytes, at most ${limits.codeMessageBytesMax}`
  throw new GatewayError('PAYLOAD_TOO_LARGE', text)
}
