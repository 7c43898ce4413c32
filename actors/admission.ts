/**
 * Admission: who may connect, judged from what a socket shows and what a device proves. Pure.
 *
 *   paired, its token or its key        admitted, for what it was granted
 *   direct loopback, right secret       the owner (decisions.md 18); approved by itself
 *   a one-time setup code and a key     approved by whoever made the code
 *   a key that nobody knows yet         waits for a person
 *   no key                              gets a challenge, on the same socket
 *
 * Direct loopback means: the peer's address is loopback, no Origin, no forwarding header. A wrong
 * credential refuses, even where another way in would have been open without it.
 */
import type { PairingContext } from '../machines/pairing.ts'
import { beyond, OWNER_SCOPES, type Role, type Scope } from '../protocol/auth/scopes.ts'
import { isFingerprint } from '../protocol/auth/signature.ts'
import type { RefusalReason } from '../protocol/dialect/upstream/faults.ts'
import { GatewayError } from '../protocol/errors.ts'
import type { ConnectParams } from '../protocol/methods.ts'
import type { Credentials } from './credentials.ts'
import { isDirect, type Peer } from './peer.ts'

export interface AuthSettings {
  readonly mode: 'none' | 'token' | 'password'
  readonly secret: string
  readonly autoApprove: boolean // new devices directly on loopback
}

/** What was decided: who it is and what it may do. */
export interface Admission {
  readonly deviceId: string
  readonly pairingId: string // of the pairing by which it is in (`Pairings.idFor`)
  readonly role: Role
  readonly scopes: readonly Scope[]
  readonly rule: string
  readonly secret: 'none' | 'token' | 'password'
  readonly keyless: boolean // a program of the owner's without a device of its own
}

/** A device as its pairing actor knows it. */
export interface KnownDevice {
  readonly known: boolean
  readonly revoked: boolean
  readonly context: PairingContext
}

/**
 * admit      by `rule`, for at most `granted`; `approves` a device that is new or gets a new token
 * challenge  it must sign first
 * wait       it has signed, and a person must say yes
 */
export type Verdict =
  | {
      readonly kind: 'admit'
      readonly rule: string
      readonly granted: readonly string[]
      readonly approves: boolean
    }
  | { readonly kind: 'challenge'; readonly why: string }
  | { readonly kind: 'wait' }

export interface Case {
  readonly params: ConnectParams
  readonly keyless: boolean
  readonly upgrades: boolean // paired in another role, and not in this one
  readonly peer: Peer
  readonly settings: AuthSettings
  readonly device: KnownDevice
  readonly held: Credentials
}

/** Judges a `connect`. @throws {GatewayError} UNAUTHORIZED, INVALID_REQUEST */
export function judgeConnect(given: Case): Verdict {
  const { params, device, held } = given
  if (params.role === 'node' && (params.capabilities ?? []).length === 0) {
    const text = 'params.capabilities: a node must declare its capabilities'
    throw new GatewayError('INVALID_REQUEST', text, { path: 'capabilities' })
  }
  if (given.keyless) return judgeKeyless(given)
  if (device.revoked) throw unauthorized('this device was revoked', 'device-token-wrong')
  if (held.key === 'wrong') throw unauthorized(held.fault, held.faultReason)
  return (device.known ? judgeKnown(given) : null) ?? judgeNew(given)
}

/** Judges by what a paired device proves; null where it proves nothing, and shows nothing wrong. */
function judgeKnown(given: Case): Verdict | null {
  const { params, held } = given
  const { context } = given.device
  const { role = 'client' } = params
  const isOwnKey = held.key === 'right' && held.publicKey === context.publicKey
  const isProven = held.token === 'right' || (isOwnKey && held.token === 'none')
  const rule = held.token === 'right' ? 'device.token' : 'device.key'
  if (isOwnKey && isProven && role === 'client' && isOwners(given) && asksMore(given)) {
    return judgeOwner(given)
  }
  if (isProven) return { kind: 'admit', rule, granted: context.scopes, approves: false }
  if (isOwnKey) throw deviceTokenWrong()
  if ((context.publicKey ?? null) === null) return null
  if (held.token === 'wrong') throw deviceTokenWrong()
  if (held.secret === 'wrong') throw secretWrong(given.settings)
  return { kind: 'challenge', why: 'this device has a key and must sign, or show its token' }
}

// A device of the owner's on this machine is given more where the owner's secret stands behind it.
function isOwners({ peer, settings, held }: Case): boolean {
  return isDirect(peer) && (settings.mode === 'none' || held.secret === 'right')
}

function asksMore({ params, device: { context } }: Case): boolean {
  return beyond(context.scopes, params.scopes ?? []).length > 0
}

function judgeNew(given: Case): Verdict {
  const { held, settings, peer } = given
  if (held.secret === 'wrong') throw secretWrong(settings)
  if (held.setupHeld === 'wrong') throw unauthorized('the setup code is wrong, used or too old')
  if (held.setup !== null) return judgeSetup(given)
  // A device that shows the token of a pairing that is no more is told so, and drops it.
  if (held.token === 'wrong' && !given.device.known && held.secret !== 'right') {
    throw deviceTokenWrong()
  }
  if (given.upgrades) return stranger(given) // Another role is a person's to give, right here too.
  if (!isDirect(peer)) return stranger(given)
  if (settings.mode !== 'none' && held.secret !== 'right') {
    if (held.key !== 'none') return stranger(given)
    throw secretMissing(settings)
  }
  return judgeOwner(given)
}

/** Judges a program that names no device: right here, with the secret where there is one. */
function judgeKeyless({ params, settings, held, peer }: Case): Verdict {
  if (held.secret === 'wrong') throw secretWrong(settings)
  const isOpen = settings.mode === 'none'
  if (!isOpen && held.secret !== 'right') throw secretMissing(settings)
  if (!isDirect(peer) || params.role === 'node') {
    return { kind: 'challenge', why: 'a device identity is required' }
  }
  const rule = isOpen ? 'loopback.direct' : 'loopback.secret'
  return { kind: 'admit', rule, granted: OWNER_SCOPES, approves: false }
}

/** Judges a direct peer that has shown the secret, where there is one. */
function judgeOwner(given: Case): Verdict {
  const { params, settings, device, held } = given
  const { role = 'client' } = params
  const isOpen = settings.mode === 'none'
  if (isOpen && device.known && held.token === 'wrong') throw deviceTokenWrong()
  const isUnsigned =
    held.key === 'offered' || (held.key === 'none' && isFingerprint(params.deviceId))
  if (isUnsigned) return { kind: 'challenge', why: 'a device with a key must sign' }
  const granted = role === 'node' ? [] : OWNER_SCOPES
  const rule = isOpen ? 'loopback.direct' : 'loopback.secret'
  if (settings.autoApprove) return { kind: 'admit', rule, granted, approves: true }
  // The secret makes the owner; the device stays unknown.
  if (!isOpen && role === 'client') return { kind: 'admit', rule, granted, approves: false }
  return stranger(given)
}

function judgeSetup({ params, held }: Case): Verdict {
  const { setup } = held
  if (held.key !== 'right')
    return { kind: 'challenge', why: 'a device with a setup code must sign' }
  if (setup === null || setup.role !== (params.role ?? 'client')) {
    throw unauthorized('the setup code is for another role')
  }
  return { kind: 'admit', rule: 'setup.code', granted: setup.scopes, approves: true }
}

function stranger({ held, device }: Case): Verdict {
  if (held.key !== 'right') {
    return { kind: 'challenge', why: 'a new device must sign the challenge, to be paired' }
  }
  if (device.known) throw unauthorized('this device is paired without this key')
  return { kind: 'wait' }
}

/** Makes the refusal of a `connect`; `reason` is for programs. */
export function unauthorized(why: string, reason: RefusalReason | null = null): GatewayError {
  return new GatewayError('UNAUTHORIZED', `connect: ${why}`, reason === null ? {} : { reason })
}

function secretWrong({ mode }: AuthSettings): GatewayError {
  const why = 'the gateway token or password is wrong'
  return unauthorized(why, mode === 'password' ? 'password-wrong' : 'secret-wrong')
}

function secretMissing({ mode }: AuthSettings): GatewayError {
  const why = 'a gateway token, password or device token is required'
  return unauthorized(why, mode === 'password' ? 'password-missing' : 'secret-missing')
}

function deviceTokenWrong(): GatewayError {
  return unauthorized('the device token is wrong', 'device-token-wrong')
}
