/**
 * The closed list of faults that the world can cause, and the one error class that carries them.
 *
 * A fault of the world has a code that programs match and a message that people read; a fault of
 * the programmer is an `assert`. Messages show the path and the value seen, never a secret.
 */

/** Codes that may travel on the wire or out of a verb; tests match these, never messages. */
export const ERROR_CODES = [
  // The wire.
  'FRAME_INVALID', // not JSON, not an object, too deep, or without the fields of a frame
  'INVALID_REQUEST', // a known method with wrong parameters; details.path names the fault
  'UNKNOWN_METHOD',
  'UNAUTHORIZED', // no, wrong or revoked credentials
  'FORBIDDEN', // known, but not allowed to; details.requiredScopes
  'PAIRING_REQUIRED',
  'PAYLOAD_TOO_LARGE',
  'RATE_LIMITED',
  'IDEMPOTENCY_CONFLICT', // the same key with another body
  'UNAVAILABLE', // not now; retryable
  'TIMEOUT',
  'NOT_FOUND',
  'CHANNEL_UNKNOWN',
  'TARGET_INVALID',
  'RESUME_TOO_OLD', // resumeFrom lies behind what is kept, or before too many records
  // The journal.
  'APPEND_REJECTED', // the draft itself is unacceptable (size, shape); nothing was written
  'VERSION_CONFLICT', // another append to the stream came first; nothing was written
  'EPOCH_FENCED', // a newer writer has the journal
  'STORE_FAILED', // a commit failed; this process acknowledges nothing any more
  'STORE_CORRUPT', // a checksum, a chain link or a page is wrong; details.position
  'STORE_LOW_SPACE', // the disk is nearly full; reads go on
  'STORE_LOCKED', // another process writes here; details.pid
  'STORE_ROLLBACK', // the journal ends before what was once known to be in it
  'RECORD_FORMAT', // written by a newer version
  'STREAM_QUARANTINED', // this actor cannot be stepped or replayed; others serve
  'HISTORY_PRUNED', // compacted away or erased; never another state in its place
  'PROOF_INVALID', // a signed head or a proof does not hold, or is none; details.size
  'REPLAY_DIVERGED', // replay gave another state than the record says
  // The house.
  'CONFIG_INVALID', // details.file, line, column, path
  'CONFIG_STALE', // baseHash is missing or old; details.hash is that of now
  'PORT_TAKEN', // details.port, pid where known
  'NOT_RUNNING',
  'ALREADY_RUNNING', // details.pid
  'USAGE',
  'PERMISSION',
  'INTERNAL', // a bug of ours
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

export type ErrorDetails = Readonly<Record<string, unknown>>

/** A fault of the world: `code` for programs, `message` for people, `details` for both. */
export class GatewayError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'GatewayError'
    this.code = code
    this.details = details
  }
}

const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNAVAILABLE',
  'RATE_LIMITED',
  'TIMEOUT',
  'STORE_LOW_SPACE',
])

/** Tells whether the same request may succeed later without being changed. */
export function isRetryable(code: ErrorCode): boolean {
  return RETRYABLE.has(code)
}

/** Turns anything thrown into a GatewayError; what is not one already becomes `INTERNAL`. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  return new GatewayError('INTERNAL', messageOf(thrown), {}, thrown)
}

/** Says in words what was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
