/**
 * Shapes that every store reads back in the same way: bodies, and the fault of pruned versions.
 *
 * Step 6 of 8.
 */
import { unpack } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { corruptValue } from './seal.ts'

/** Makes the fault of reading versions that compaction took away: 1 to `to`. */
export function prunedError(stream: string, to: number): GatewayError {
  return new GatewayError('HISTORY_PRUNED', `${stream}: versions 1 to ${to} are pruned`, {
    pruned: true,
    from: 1,
    to,
  })
}

/**
 * Reads a body tuple [format = 1, keyId, salt, nonce, bytes].
 * @throws {GatewayError} STORE_CORRUPT: of another shape.
 */
export function parseBody(
  ref: string,
  value: Uint8Array,
): { keyId: number; salt: Uint8Array; bytes: Uint8Array } {
  const tuple = unpack(value)
  if (Array.isArray(tuple) && tuple.length === 5 && tuple[0] === 1) {
    const [, keyId, salt, , bytes]: unknown[] = tuple
    const isBody = salt instanceof Uint8Array && bytes instanceof Uint8Array
    if (isBody && typeof keyId === 'number') return { keyId, salt, bytes }
  }
  throw corruptValue('bodies', ref, 'no body')
}
