/**
 * Shapes that every store reads back in the same way: records, links, bodies, and the fault of pruned
 * versions.
 *
 * Step 6 of 8.
 */
import { pack, unpack } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { corruptValue } from './seal.ts'
import type { SaltedBody, StoredLink, StoredRecord } from './contract.ts'
import type { UnsealedRecord } from './seal.ts'

const EMPTY = new Uint8Array(0)

/** Makes the fault of reading versions that compaction took away: 1 to `to`. */
export function prunedError(stream: string, to: number): GatewayError {
  return new GatewayError('HISTORY_PRUNED', `${stream}: versions 1 to ${to} are pruned`, {
    pruned: true,
    from: 1,
    to,
  })
}

/** Makes the record that readers are given of one that was unsealed. */
export function storedRecord(
  position: number,
  stream: string,
  record: UnsealedRecord,
): StoredRecord {
  return new Stored(position, stream, record)
}

// A class, so that the hash is worked out only for those who ask for it (seal.ts).
class Stored implements StoredRecord {
  readonly position: number
  readonly stream: string
  readonly version: number
  readonly fields: readonly unknown[]
  readonly previousHash: Uint8Array
  readonly body: Uint8Array
  #record: UnsealedRecord

  constructor(position: number, stream: string, record: UnsealedRecord) {
    this.position = position
    this.stream = stream
    this.version = record.version
    this.fields = record.fields
    this.previousHash = record.previousHash
    this.body = record.body
    this.#record = record
  }

  get hash(): Uint8Array {
    return this.#record.hash
  }
}

/** Makes the link that readers are given of a record or of its tombstone. */
export function storedLink(position: number, stream: string, record: UnsealedRecord): StoredLink {
  const { version, hash, previousHash, pruned, fields } = record
  return { position, stream, version, hash, previousHash, pruned, kept: pruned ? fields : [] }
}

/** What stands in the place of an erased body: [format = 2, keyId = 0, and nothing]. */
export const ERASED_BODY: Uint8Array = pack([2, 0, EMPTY, EMPTY, EMPTY])

/** A body tuple as read back. */
export interface StoredBody extends SaltedBody {
  readonly keyId: number // 0: not encrypted
}

/**
 * Reads a body tuple [format = 1, keyId, salt, nonce, bytes]; null where it is erased (format 2).
 * @throws {GatewayError} STORE_CORRUPT: of another shape.
 */
export function parseBody(ref: string, value: Uint8Array): StoredBody | null {
  const tuple = unpack(value)
  if (Array.isArray(tuple) && tuple.length === 5) {
    const [format, keyId, salt, , bytes]: unknown[] = tuple
    if (format === 2) return null
    const isBody = format === 1 && salt instanceof Uint8Array && bytes instanceof Uint8Array
    if (isBody && typeof keyId === 'number') return { keyId, salt, bytes }
  }
  throw corruptValue('bodies', ref, 'no body')
}

/**
 * Reads a body that is not encrypted; null where it is erased.
 * @throws {GatewayError} STORE_CORRUPT: of another shape, or under a key that we do not have.
 */
export function parsePlainBody(ref: string, value: Uint8Array): SaltedBody | null {
  const body = parseBody(ref, value)
  if (body !== null && body.keyId !== 0) {
    throw corruptValue('bodies', ref, `unknown key ${body.keyId}`)
  }
  return body
}
