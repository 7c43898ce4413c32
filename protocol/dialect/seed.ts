/**
 * The specification's dialect: a request carries its method in `id`, and the answer repeats it.
 *
 *   { type: 'req', id: 'health#7', params: {} }  ─►  { type: 'res', id: 'health#7', ok: true, ... }
 *
 * Everything from the first `#` on is the client's own correlation and is echoed back.
 */
import { type Command, parseCommand } from '../command.ts'
import { type GatewayError, isRetryable } from '../errors.ts'
import type { RequestFrame, ResponseFrame, WireError } from '../frame.ts'

/** Reads the command of a request. @throws {GatewayError} UNKNOWN_METHOD, INVALID_REQUEST */
export function parseSeedRequest({ id, params }: RequestFrame): Command {
  const hash = id.indexOf('#')
  return parseCommand(hash === -1 ? id : id.slice(0, hash), params)
}

/** Answers a request well. */
export function formatResult(id: string, payload: unknown): ResponseFrame {
  return { type: 'res', id, ok: true, payload }
}

/** Answers a request with a fault; details are left out where there are none. */
export function formatFault(id: string, { code, message, details }: GatewayError): ResponseFrame {
  const error: WireError = {
    code,
    message: code === 'INTERNAL' ? 'internal error; the log has the details' : message,
    ...(Object.keys(details).length > 0 ? { details } : {}),
    ...(isRetryable(code) ? { retryable: true } : {}),
  }
  return { type: 'res', id, ok: false, error }
}
