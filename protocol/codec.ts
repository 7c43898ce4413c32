/**
 * Bytes and digests: msgpack, SHA-256, canonical text, state hashes, body references.
 *
 * Everything that is hashed is hashed here, so that a digest has one definition. msgpackr runs
 * without records and structures: each value stands alone and can be read for ever (D-R20).
 */
import { createHmac } from 'node:crypto'
import { Packr } from 'msgpackr'
import { canonical } from './canonical.ts'
import { sha256Hex } from './digest.ts'
import { GatewayError } from './errors.ts'

export { canonical } from './canonical.ts'
export { sha256, sha256Hex } from './digest.ts'

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true })

/** Encodes a value as one self-contained msgpack document. */
export function pack(value: unknown): Uint8Array {
  return packr.pack(value)
}

/**
 * Decodes one msgpack document.
 * @throws {GatewayError} RECORD_FORMAT: not msgpack, cut short, or bytes behind the value.
 */
export function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes)
  } catch (cause) {
    throw new GatewayError('RECORD_FORMAT', 'msgpack: unreadable document', {}, cause)
  }
}

/**
 * Names a body by a salted digest, so that short texts cannot be guessed from their name.
 * Shape: `b:` + 20 hex digits of HMAC-SHA-256(salt, bytes).
 */
export function bodyRef(salt: Uint8Array, bytes: Uint8Array): string {
  return `b:${createHmac('sha256', salt).update(bytes).digest('hex').slice(0, 20)}`
}

/**
 * Hashes what an actor is: value, status and context, as 16 hex digits. `keep`: it will be hashed
 * again after its next step (canonical.ts).
 */
export function stateHash(
  { value, status, context }: { value: unknown; status: string; context: unknown },
  keep = false,
): string {
  const text = `${canonical(value)}\n${status}\n${canonical(context, keep)}`
  return sha256Hex(text).slice(0, 16)
}
