/**
 * Faults as upstream's clients know them: five codes, and what a program needs in `details.code`.
 *
 * A member that is absent is left out, never null: clients drop an answer whose `error` is malformed.
 */
import { type ErrorCode, type ErrorDetails, GatewayError, isRetryable } from '../../errors.ts'
import type { ResponseFrame } from '../../frame.ts'
import { PROTOCOL_MAX, type Protocol } from './connect.ts'

/** Why a `connect` was refused: how credentials.ts and admission.ts name it in `details.reason`. */
export const REFUSALS = [
  'secret-missing',
  'secret-wrong',
  'password-missing',
  'password-wrong',
  'device-token-wrong',
  'signature-wrong',
  'signature-old',
  'nonce-wrong',
  'key-mismatch',
  'identity-required',
] as const

export type RefusalReason = (typeof REFUSALS)[number]

interface Said {
  readonly message: string
  readonly code: string
  readonly more?: ErrorDetails
}

const HOW = 'open the gateway with its token, or let its owner approve this device'
const HOW_PASSWORD = 'open the gateway with its password, or let its owner approve this device'

const SAYINGS: Readonly<Record<RefusalReason, Said>> = {
  'secret-missing': {
    message: `unauthorized: gateway token missing (${HOW})`,
    code: 'AUTH_TOKEN_MISSING',
    more: {
      authReason: 'token_missing',
      canRetryWithDeviceToken: false,
      recommendedNextStep: 'update_auth_configuration',
    },
  },
  'secret-wrong': {
    message: `unauthorized: gateway token mismatch (${HOW})`,
    code: 'AUTH_TOKEN_MISMATCH',
    more: {
      authReason: 'token_mismatch',
      canRetryWithDeviceToken: true,
      recommendedNextStep: 'retry_with_device_token',
    },
  },
  'password-missing': {
    message: `unauthorized: gateway password missing (${HOW_PASSWORD})`,
    code: 'AUTH_PASSWORD_MISSING',
    more: {
      authReason: 'password_missing',
      canRetryWithDeviceToken: false,
      recommendedNextStep: 'update_auth_configuration',
    },
  },
  'password-wrong': {
    message: `unauthorized: gateway password mismatch (${HOW_PASSWORD})`,
    code: 'AUTH_PASSWORD_MISMATCH',
    more: {
      authReason: 'password_mismatch',
      canRetryWithDeviceToken: true,
      recommendedNextStep: 'retry_with_device_token',
    },
  },
  'device-token-wrong': {
    message: 'unauthorized: device token mismatch (rotate/reissue device token)',
    code: 'AUTH_DEVICE_TOKEN_MISMATCH',
    more: {
      authReason: 'device_token_mismatch',
      canRetryWithDeviceToken: false,
      recommendedNextStep: 'update_auth_credentials',
    },
  },
  'signature-wrong': {
    message: 'device signature invalid',
    code: 'DEVICE_AUTH_SIGNATURE_INVALID',
    more: { reason: 'device-signature' },
  },
  'signature-old': {
    message: 'device signature expired',
    code: 'DEVICE_AUTH_SIGNATURE_EXPIRED',
    more: { reason: 'device-signature-stale' },
  },
  'nonce-wrong': {
    message: 'device nonce mismatch',
    code: 'DEVICE_AUTH_NONCE_MISMATCH',
    more: { reason: 'device-nonce-mismatch' },
  },
  'key-mismatch': {
    message: 'device identity mismatch',
    code: 'DEVICE_AUTH_DEVICE_ID_MISMATCH',
    more: { reason: 'device-id-mismatch' },
  },
  'identity-required': { message: 'device identity required', code: 'DEVICE_IDENTITY_REQUIRED' },
}

/** What the refusal of a `connect` needs to be told. */
export interface Asking {
  readonly deviceId: string
  readonly role: 'operator' | 'node'
  readonly scopes: readonly string[]
}

/** Answers a request with a fault. */
export function formatUpstreamFault(
  id: string,
  fault: GatewayError,
  protocol: Protocol = PROTOCOL_MAX,
): ResponseFrame {
  const { code, message, details } = wordsOf(fault, protocol)
  const retryAfterMs = fault.details['retryAfterMs']
  const error = {
    code,
    message,
    ...(details === null ? {} : { details }),
    ...(isRetryable(fault.code) ? { retryable: true } : {}),
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs: Math.ceil(retryAfterMs) } : {}),
  }
  return { type: 'res', id, ok: false, error }
}

/** Answers a `connect` with its refusal; its message is also why the socket closes. */
export function formatRefusal(
  id: string,
  fault: GatewayError,
  asking: Asking | null,
): { readonly frame: ResponseFrame; readonly reason: string } {
  const { reason } = fault.details
  const known = REFUSALS.find((name) => name === reason)
  if (known !== undefined) return refusalOf(id, known, asking)
  if (fault.code === 'PAIRING_REQUIRED') return pairingOf(id, fault, asking)
  if (fault.code === 'FORBIDDEN' && asking !== null) return scopesOf(id, fault, asking)
  if (fault.code === 'RATE_LIMITED') return lockedOf(id, fault)
  const frame = formatUpstreamFault(id, fault)
  return { frame, reason: frame.ok ? '' : frame.error.message }
}

function refusalOf(
  id: string,
  reason: RefusalReason,
  asking: Asking | null,
): { frame: ResponseFrame; reason: string } {
  const { message, code, more = {} } = SAYINGS[reason]
  const isPairing = reason === 'identity-required'
  const details = { code, ...more, ...(isPairing ? askedDetails(asking) : {}) }
  const error = { code: isPairing ? 'NOT_PAIRED' : 'INVALID_REQUEST', message, details }
  return { frame: { type: 'res', id, ok: false, error }, reason: message }
}

// What closes the socket has 123 bytes, and the request's id must be whole in it.
const WAITING = {
  'not-paired': {
    message: 'pairing required: device is not approved yet',
    closing: 'pairing required: device is not approved yet',
    remediationHint: 'Approve this device from the pending pairing requests.',
  },
  'role-upgrade': {
    message: 'pairing required: device is asking for a higher role than currently approved',
    closing: 'pairing required: device is asking for a higher role',
    remediationHint: 'Review the requested role upgrade, then approve the pending request.',
  },
} as const

// Clients read the request's id off the close reason as well.
function pairingOf(
  id: string,
  { details: { requestId, code: pairingCode, upgrades } }: GatewayError,
  asking: Asking | null,
): { frame: ResponseFrame; reason: string } {
  const reason = upgrades === true ? 'role-upgrade' : 'not-paired'
  const { message, closing, remediationHint } = WAITING[reason]
  const details = {
    code: 'PAIRING_REQUIRED',
    reason,
    requestId,
    ...(pairingCode === undefined ? {} : { pairingCode }),
    remediationHint,
    ...askedDetails(asking),
  }
  const error = { code: 'NOT_PAIRED', message, details }
  return {
    frame: { type: 'res', id, ok: false, error },
    reason: `${closing} (requestId: ${String(requestId)})`,
  }
}

function scopesOf(
  id: string,
  { details: { grantedScopes, requestId, code: pairingCode } }: GatewayError,
  asking: Asking,
): { frame: ResponseFrame; reason: string } {
  const message = 'pairing required: device is asking for more scopes than currently approved'
  const closing = 'pairing required: device is asking for more scopes'
  const isAsked = typeof requestId === 'string'
  const remediationHint = 'Review the requested scopes, then approve the pending request.'
  const details = {
    code: 'PAIRING_REQUIRED',
    reason: 'scope-upgrade',
    ...(isAsked ? { requestId, remediationHint } : {}),
    ...(pairingCode === undefined ? {} : { pairingCode }),
    ...askedDetails(asking),
    approvedScopes: grantedScopes ?? [],
  }
  const error = { code: 'NOT_PAIRED', message, details }
  return {
    frame: { type: 'res', id, ok: false, error },
    reason: isAsked ? `${closing} (requestId: ${requestId})` : message,
  }
}

// Clients that are locked out wait, and do not take their credentials for wrong.
function lockedOf(id: string, fault: GatewayError): { frame: ResponseFrame; reason: string } {
  const told = { authReason: 'rate_limited', recommendedNextStep: 'wait_then_retry' }
  const details = { ...fault.details, code: 'AUTH_RATE_LIMITED', ...told }
  const frame = formatUpstreamFault(id, new GatewayError(fault.code, fault.message, details))
  return { frame, reason: fault.message }
}

function askedDetails(asking: Asking | null): ErrorDetails {
  if (asking === null) return {}
  const { deviceId, role, scopes } = asking
  return { deviceId, requestedRole: role, requestedScopes: scopes }
}

const CODES: Readonly<Partial<Record<ErrorCode, string>>> = {
  FORBIDDEN: 'FORBIDDEN',
  PAIRING_REQUIRED: 'NOT_PAIRED',
  RATE_LIMITED: 'UNAVAILABLE',
  UNAVAILABLE: 'UNAVAILABLE',
  TIMEOUT: 'UNAVAILABLE',
  STORE_LOW_SPACE: 'UNAVAILABLE',
  STORE_FAILED: 'UNAVAILABLE',
  EPOCH_FENCED: 'UNAVAILABLE',
  STREAM_QUARANTINED: 'UNAVAILABLE',
  INTERNAL: 'UNAVAILABLE',
}

function wordsOf(
  { code, message, details }: GatewayError,
  protocol: Protocol,
): { code: string; message: string; details: ErrorDetails | null } {
  if (code === 'INTERNAL') {
    return { code: 'UNAVAILABLE', message: 'internal error; the log has it', details: null }
  }
  const named = CODES[code] ?? 'INVALID_REQUEST'
  const { requiredScopes } = details
  if (code === 'FORBIDDEN' && Array.isArray(requiredScopes) && requiredScopes.length > 0) {
    const missingScope = String(requiredScopes[0])
    const said = `missing scope: ${missingScope}`
    if (protocol < PROTOCOL_MAX) return { code: 'INVALID_REQUEST', message: said, details: null }
    return {
      code: named,
      message: said,
      details: { code: 'MISSING_SCOPE', missingScope, requiredScopes },
    }
  }
  const { retryAfterMs: _, ...rest } = details
  return { code: named, message, details: Object.keys(rest).length > 0 ? rest : null }
}
