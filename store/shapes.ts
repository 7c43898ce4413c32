/**
 * Shapes that every store reads back in the same way: bodies, and the fault of pruned versions.
 *
 * Step 6 of 8.
 */
import { pack, unpack } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { corruptValue } from './seal.ts'
import type { SaltedBody } from './contract.ts'

const EMPTY = new Uint8Array(0)

/** Makes the fault of reading versions that compaction took away: 1 to `to`. */
export function prunedError(stream: string, to: number): GatewayError {
  return new GatewayError('HISTORY_PRUNED', `${stream}: versions 1 to ${to} are pruned`, {
    pruned: true,
    from: 1,
    to,
  })
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
