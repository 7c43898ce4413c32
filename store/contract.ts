/**
 * What a store promises, whatever lies beneath it: LMDB, memory, later a server.
 *
 * The store knows positions, streams, versions, bytes and checksums. It does not know machines or
 * event names: a journal must stay readable and verifiable when no machine code fits it.
 *
 *   S1  append answers only when its record is on the medium.
 *   S2  positions are dense from 1; versions are dense from 1 in each stream.
 *   S3  an append at a stale version writes nothing and throws VERSION_CONFLICT.
 *   S4  a record and its bodies are in one commit: both there or neither.
 *   S5  after the first failed commit every append throws STORE_FAILED, and `failed` has settled.
 *   S6  every value read has passed its checksum; else STORE_CORRUPT with the position.
 *   S7  appends are committed in the order of the calls.
 *   S8  a newer writer's epoch fences an older one: EPOCH_FENCED.
 *   S13 erasing bodies changes no record, hash, root or proof.
 *   S14 a tombstone carries what whoever compacted wanted kept of the record.
 */
import type { Tree } from '../protocol/history/merkle.ts'

/** A body on its way in: bytes named by their salted digest (`protocol/codec.ts` bodyRef). */
export interface BodyDraft {
  readonly ref: string
  readonly salt: Uint8Array // 16 bytes
  readonly bytes: Uint8Array // at most limits.bodyBytesMax
}

/** One record to append. */
export interface AppendDraft {
  readonly stream: string
  readonly expectedVersion: number // 0 for a stream that must not exist yet
  readonly fields: readonly unknown[] // `protocol/record.ts` formatRecord
  readonly bodies?: readonly BodyDraft[]
}

/** Where an appended record stands. */
export interface Appended {
  readonly position: number
  readonly version: number
}

/** One record as read back, its checksum passed. */
export interface StoredRecord {
  readonly position: number
  readonly stream: string
  readonly version: number
  readonly fields: readonly unknown[]
  readonly hash: Uint8Array // 32 bytes: SHA-256(previousHash, position, format, body)
  readonly previousHash: Uint8Array
  readonly body: Uint8Array // what the hash covers: msgpack [streamNumber, version, ...fields]
}

/** What is known of any position, also where its record was compacted away. */
export interface StoredLink {
  readonly position: number
  readonly stream: string
  readonly version: number
  readonly hash: Uint8Array
  readonly previousHash: Uint8Array
  readonly pruned: boolean
  readonly kept: readonly unknown[] // of a pruned record; empty where nothing was kept, or not pruned
}

/** What to keep of a record that is compacted away: small values, in its tombstone. */
export type KeepOf = (record: StoredRecord) => readonly unknown[]

/** The end of the journal. Position 0 and a zero hash where it is empty. */
export interface Head {
  readonly position: number
  readonly hash: Uint8Array
}

/** A cached fold of one stream; may be deleted at any time. */
export interface StoredSnapshot {
  readonly version: number
  readonly bytes: Uint8Array
}

/** A cached fold of the whole journal up to a position. */
export interface StoredCheckpoint {
  readonly position: number
  readonly bytes: Uint8Array
}

/** A head as it was signed: a checkpoint's text (`protocol/history/checkpoint.ts`). */
export interface SignedHead {
  readonly position: number // its size
  readonly text: string
}

/** there: its bytes can be read · erased: they were, a tombstone stands for them · missing. */
export type BodyState = 'there' | 'erased' | 'missing'

/** A body with the salt of its ref, which proves that it is the one named. */
export interface SaltedBody {
  readonly salt: Uint8Array
  readonly bytes: Uint8Array
}

/**
 * The Merkle tree over all records (`protocol/history/merkle.ts`), pruned ones included.
 * Sizes beyond the head throw NOT_FOUND.
 */
export interface StoreTree {
  readonly head: () => Tree // cheap for a writer once `ready` has resolved
  readonly root: (size: number) => Uint8Array
  /** Proves that the record at a position is in the tree of `size`. */
  readonly inclusion: (position: number, size: number) => Uint8Array[]
  /** Proves that the tree of `from` is the beginning of that of `to`. */
  readonly consistency: (from: number, to: number) => Uint8Array[]
  /**
   * Resolves when roots are cheap: a journal that an older version wrote gets its tiles first.
   * Rejects where a damaged record makes that impossible.
   */
  readonly ready: Promise<void>
}

/** Reading: any process, any time, in short transactions. Iterators may be abandoned. */
export interface StoreReader {
  readonly head: () => Head
  readonly epoch: () => number // the newest writer's
  readonly read: (position: number) => StoredRecord | null
  /** The place and the hashes of a position, pruned or not; null beyond the head. */
  readonly link: (position: number) => StoredLink | null
  /** Records from..to, both included, in order; `to` defaults to the head at the call. */
  readonly range: (from: number, to?: number) => Iterable<StoredRecord>
  /** Records of one stream from a version on, in order. */
  readonly stream: (stream: string, fromVersion?: number) => Iterable<StoredRecord>
  /** Version of the newest record of a stream, 0 where there is none. */
  readonly version: (stream: string) => number
  /** Position of a stream's record, or null. */
  readonly positionOf: (stream: string, version: number) => number | null
  /** Version of the newest record of a stream at or before a position, 0 where there is none. */
  readonly versionAt: (stream: string, position: number) => number
  /** Names of all streams, or of those of one kind, in the order of their first records. */
  readonly streams: (kind?: string) => Iterable<string>
  /** The bytes of a body; null where it was erased, or never written. */
  readonly body: (ref: string) => Uint8Array | null
  readonly bodyState: (ref: string) => BodyState
  /** Refs of all bodies, erased ones included. */
  readonly refs: () => Iterable<string>
  readonly salted: (ref: string) => SaltedBody | null
  /** Newest snapshot at or below a version (default: newest of all); damaged ones are skipped. */
  readonly snapshot: (stream: string, atVersion?: number) => StoredSnapshot | null
  /** The newest readable checkpoint of a name, or null. */
  readonly checkpoint: (name: string) => StoredCheckpoint | null
  readonly tree: StoreTree
  /** The newest signed head of at most so many records (default: of all), or null. */
  readonly signedHead: (atMost?: number) => SignedHead | null
  /** All signed heads, oldest first. */
  readonly signedHeads: () => Iterable<SignedHead>
  /** Public keys that have signed heads here, 32 bytes each, oldest first. */
  readonly keys: () => Uint8Array[]
  /** The code filed under an identity, as stored (`code-archive.ts` readCode), or null. */
  readonly code: (id: string) => Uint8Array | null
  /** Identities of all code that is kept. */
  readonly codes: () => string[]
  readonly stats: () => StoreStats
  readonly close: () => Promise<void>
}

/** Writing: one process at a time. */
export interface Store extends StoreReader {
  /**
   * Appends one record. Calls made in one turn share a commit.
   * @throws {GatewayError} APPEND_REJECTED | VERSION_CONFLICT: nothing was written;
   * STORE_LOW_SPACE: nothing was written, reads go on; EPOCH_FENCED | STORE_FAILED: this store
   * is finished, the record may or may not be there.
   */
  readonly append: (draft: AppendDraft) => Promise<Appended>
  readonly putSnapshot: (stream: string, version: number, bytes: Uint8Array) => Promise<void>
  readonly putCheckpoint: (name: string, position: number, bytes: Uint8Array) => Promise<void>
  /** Removes records of a stream below its newest snapshot at or under `version`; see compact.ts. */
  readonly compact: (stream: string, version: number, keep?: KeepOf) => Promise<{ removed: number }>
  /** Keeps a signed head of `position` records, which must be there. */
  readonly putHead: (position: number, text: string) => Promise<void>
  /** Keeps a public key, once. */
  readonly putKey: (publicKey: Uint8Array) => Promise<void>
  readonly putCode: (id: string, bytes: Uint8Array) => Promise<void>
  /**
   * Puts a tombstone in the place of each of these bodies that is there, in small commits. Freed
   * pages keep their bytes until the store uses them again.
   */
  readonly erase: (refs: readonly string[]) => Promise<{ erased: number }>
  /** Settles with the reason when the store has failed; then the process must end. */
  readonly failed: Promise<Error>
}

export interface StoreStats {
  readonly records: number
  readonly bodies: number
  readonly snapshots: number
  readonly fileBytes: number
  readonly usedBytes: number // pages in use: what was freed is used again before the file grows
  readonly freeBytes: number // of the file system; Infinity where there is none
  readonly commits: number // since opening
  readonly commitMsP99: number // over the last 1,000 commits
  readonly commitWaitsMs: number // how long the commit that is under way has taken; 0: none is
  readonly heldBy: number | null // pid of a reader that holds an old moment: the file grows (D-R12)
}
