/**
 * What every store refuses before it writes: drafts of a wrong shape, size or version.
 *
 * A refusal here leaves nothing behind and the store goes on; what fails later is fatal. Step 6
 * of 8.
 */
import { pack } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { quote } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { isCount, packRecordBody } from './seal.ts'
import type { AppendDraft, BodyDraft } from './contract.ts'

const EMPTY = new Uint8Array(0)
const SALT_BYTES = 16
// Beside the record and a new stream's two names, in one commit.
const BODIES_MAX = limits.commitOperationsMax - 3

/** Makes the refusal of a draft. */
export function rejected(reason: string): GatewayError {
  return new GatewayError('APPEND_REJECTED', `append: ${reason}`, { reason })
}

/**
 * Checks the name of a stream that is not known yet.
 * @throws {GatewayError} APPEND_REJECTED: empty, too long, or not printable text.
 */
export function checkStreamName(name: unknown): void {
  const isText = typeof name === 'string' && name.length > 0 && !/[\p{Cc}\p{Cs}]/u.test(name)
  if (!isText) throw rejected(`stream: expected printable text, got ${quote(name)}`)
  if (Buffer.byteLength(name) > limits.streamNameBytesMax) {
    throw rejected(
      `stream: expected at most ${limits.streamNameBytesMax} bytes, got ${quote(name)}`,
    )
  }
}

/**
 * Compares the version that a draft expects with the newest one of its stream.
 * @throws {GatewayError} APPEND_REJECTED: no version; VERSION_CONFLICT: another append came first.
 */
export function checkVersion({ stream, expectedVersion }: AppendDraft, version: number): void {
  if (expectedVersion === version) return
  if (expectedVersion !== 0 && !isCount(expectedVersion)) {
    throw rejected(`expectedVersion: expected a count, got ${quote(expectedVersion)}`)
  }
  throw new GatewayError(
    'VERSION_CONFLICT',
    `${stream}: expected version ${expectedVersion}, the newest is ${version}`,
    { stream, expectedVersion, version },
  )
}

/**
 * Encodes the body of a draft's record.
 * @throws {GatewayError} APPEND_REJECTED: fields that msgpack cannot hold, or too many bytes.
 */
export function packDraft(draft: AppendDraft, streamNumber: number): Uint8Array {
  let body: Uint8Array
  try {
    body = packRecordBody(streamNumber, draft.expectedVersion + 1, draft.fields)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unknown fault'
    throw rejected(`fields: not encodable: ${reason}`)
  }
  if (body.length <= limits.recordBytesMax) return body
  throw rejected(`record: expected at most ${limits.recordBytesMax} bytes, got ${body.length}`)
}

/**
 * Checks the bodies of a draft.
 * @throws {GatewayError} APPEND_REJECTED: a body without name or salt, too large, or too many.
 */
export function checkBodies(bodies: readonly BodyDraft[]): void {
  if (bodies.length > BODIES_MAX) {
    throw rejected(`bodies: expected at most ${BODIES_MAX}, got ${bodies.length}`)
  }
  for (const { ref, salt, bytes } of bodies) {
    const named = typeof ref === 'string' && ref.length > 0 && ref.length <= limits.idCharsMax
    if (!named) throw rejected(`body ref: expected a short name, got ${quote(ref)}`)
    if (!(salt instanceof Uint8Array) || salt.length !== SALT_BYTES) {
      throw rejected(`body ${ref}: expected a salt of ${SALT_BYTES} bytes`)
    }
    checkBytes(`body ${ref}`, bytes)
  }
}

/**
 * Checks bytes that are stored beside the records.
 * @throws {GatewayError} APPEND_REJECTED: not bytes, or more than limits.bodyBytesMax.
 */
export function checkBytes(what: string, bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) throw rejected(`${what}: expected bytes, got ${quote(bytes)}`)
  if (bytes.length <= limits.bodyBytesMax) return
  throw rejected(`${what}: expected at most ${limits.bodyBytesMax} bytes, got ${bytes.length}`)
}

/**
 * Checks where a snapshot or checkpoint claims to stand.
 * @throws {GatewayError} APPEND_REJECTED: not a count, or past what is committed.
 */
export function checkPlace(what: string, place: number, newest: number): void {
  if (isCount(place) && place <= newest) return
  throw rejected(`${what}: expected 1 to ${newest}, got ${quote(place)}`)
}

/** Checks the name of a checkpoint. @throws {GatewayError} APPEND_REJECTED: empty or too long. */
export function checkName(name: string): void {
  if (name.length > 0 && name.length <= limits.idCharsMax) return
  throw rejected(`checkpoint: expected a short name, got ${quote(name)}`)
}

/** Encodes a body: msgpack [format = 1, keyId = 0, salt, nonce, bytes]; keyId 0 is plain. */
export function packBody({ salt, bytes }: BodyDraft): Uint8Array {
  return pack([1, 0, salt, EMPTY, bytes])
}

/** Checks a public key. @throws {GatewayError} APPEND_REJECTED: not 32 bytes. */
export function checkKey(publicKey: Uint8Array): void {
  if (publicKey instanceof Uint8Array && publicKey.length === 32) return
  throw rejected('key: expected 32 bytes')
}

/** Checks an identity of code. @throws {GatewayError} APPEND_REJECTED: not 16 hex digits. */
export function checkCodeId(id: string): void {
  if (/^[0-9a-f]{16}$/.test(id)) return
  throw rejected(`code: expected 16 hex digits, got ${quote(id)}`)
}

/** Checks the text of a signed head. @throws {GatewayError} APPEND_REJECTED: empty or too long. */
export function checkHeadText(text: string): void {
  if (text.length > 0 && text.length <= limits.checkpointCharsMax) return
  throw rejected(`head: expected 1 to ${limits.checkpointCharsMax} characters, got ${text.length}`)
}
