/**
 * Admission: who may connect, judged from what a socket shows and what a device proves.
 *
 * Direct loopback means: the peer's address is loopback, no Origin, no forwarding header. Only
 * there is a new device approved by itself, and only with the shared secret where one is
 * configured (D-R19). A device token always counts, wherever it comes from, for what its device
 * was granted. Secrets are compared
 * as digests of fixed length, in constant time.
 */
import { timingSafeEqual } from 'node:crypto'
import type { PairingContext } from '../machines/pairing.ts'
import { sha256, sha256Hex } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import type { ConnectParams, Scope } from '../protocol/methods.ts'

/** What the listener saw of a socket before any frame. */
export interface Peer {
  readonly address: string
  readonly loopback: boolean
  readonly origin: string | null
  readonly forwarded: boolean
}

export interface AuthSettings {
  readonly mode: 'none' | 'token' | 'password'
  readonly secret: string
}

/** What was decided: who it is, what it may do, and whether it gets a new device token. */
export interface Admission {
  readonly deviceId: string
  readonly role: 'client' | 'node'
  readonly scopes: readonly Scope[]
  readonly rule: string
  readonly secret: 'none' | 'token' | 'password'
  readonly issueToken: boolean
}

const OWNER: readonly Scope[] = [
  'operator.admin',
  'operator.history',
  'operator.read',
  'operator.write',
]
const NODE: readonly Scope[] = []

/**
 * Judges a `connect`. `device` is the pairing actor's durable context, `known` whether it is paired.
 * @throws {GatewayError} UNAUTHORIZED, PAIRING_REQUIRED, INVALID_REQUEST
 */
export function judgeConnect(
  params: ConnectParams,
  peer: Peer,
  settings: AuthSettings,
  device: { known: boolean; revoked: boolean; context: PairingContext },
): Admission {
  const role = params.role ?? 'client'
  if (role === 'node' && (params.capabilities ?? []).length === 0) {
    throw new GatewayError(
      'INVALID_REQUEST',
      'params.capabilities: a node must declare its capabilities',
      { path: 'capabilities' },
    )
  }
  if (device.revoked) throw unauthorized('this device was revoked')
  const admitted = (rule: string, secret: Admission['secret'], issueToken: boolean): Admission => ({
    deviceId: params.deviceId,
    role,
    scopes: role === 'node' ? NODE : OWNER,
    rule,
    secret,
    issueToken,
  })
  if (device.known && provesDevice(params, device.context)) {
    if (device.context.role !== role)
      throw unauthorized(`this device is paired as ${device.context.role}`)
    const granted = new Set(device.context.scopes)
    const admission = admitted('device.token', 'none', false)
    return { ...admission, scopes: admission.scopes.filter((scope) => granted.has(scope)) }
  }
  const direct = peer.loopback && peer.origin === null && !peer.forwarded
  const secret = provesSecret(params, settings)
  if (settings.mode !== 'none' && !secret) {
    throw unauthorized(
      shown(params, settings)
        ? 'the gateway token or password is wrong'
        : 'a gateway token, password or device token is required',
    )
  }
  if (!direct) throw pairingRequired(settings)
  if (settings.mode !== 'none') return admitted('loopback.secret', settings.mode, true)
  if (device.known && showsToken(params)) throw unauthorized('the device token is wrong')
  return admitted('loopback.direct', 'none', true)
}

/** Tells whether a device proves itself by its token, in either field that may carry it. */
function provesDevice({ auth }: ConnectParams, { tokenHash }: PairingContext): boolean {
  if (tokenHash === '') return false
  return [auth?.deviceToken, auth?.token].some(
    (token) => token !== undefined && equalText(sha256Hex(token), tokenHash),
  )
}

function provesSecret({ auth }: ConnectParams, { mode, secret }: AuthSettings): boolean {
  const offered = mode === 'password' ? auth?.password : auth?.token
  return mode !== 'none' && offered !== undefined && equalText(offered, secret)
}

function shown({ auth }: ConnectParams, { mode }: AuthSettings): boolean {
  return (mode === 'password' ? auth?.password : auth?.token) !== undefined
}

function showsToken({ auth }: ConnectParams): boolean {
  return auth?.deviceToken !== undefined || auth?.token !== undefined
}

function equalText(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b))
}

function unauthorized(why: string): GatewayError {
  return new GatewayError('UNAUTHORIZED', `connect: ${why}`)
}

function pairingRequired({ mode }: AuthSettings): GatewayError {
  const why =
    mode === 'none'
      ? 'a device that is not directly on loopback needs gateway.auth to be configured'
      : 'a new device must first be paired directly on loopback'
  return new GatewayError('PAIRING_REQUIRED', `connect: ${why}`)
}
