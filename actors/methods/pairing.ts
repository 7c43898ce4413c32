/**
 * Methods about who may come in: requests that wait, devices that are in. Step 4 of 8.
 *
 * Nobody gives away more than he has: what is granted lies within the caller's own scopes. A code
 * is typed by a person, so a wrong one costs every code that is alive a try.
 */
import { HOUR_MS, type PairingContext } from '../../machines/pairing.ts'
import { beyond, GUEST_SCOPES, isScope, type Role } from '../../protocol/auth/scopes.ts'
import { formatSetupCode, readPairingCode } from '../../protocol/auth/pairing-code.ts'
import { digestSecret } from '../../protocol/auth/token.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import type { MethodParams } from '../../protocol/methods.ts'
import type { Origin } from '../caller.ts'
import type { Waiting } from '../pairings.ts'
import {
  approveSender,
  askedByCode,
  type AskingSender,
  findAnywhere,
  missAnywhere,
  rejectSender,
} from './channel-pairing.ts'
import type { Handler, MethodHouse } from './house.ts'

/** `{ pending: [{ requestId, deviceId, role, scopes, address, …, hasCode, upgrades }] }` */
export const pairingList: Handler<'pairing.list'> = ({ pairings }) => ({
  pending: pairings.waiting().map(({ deviceId, request, upgrades }) => {
    const { requestId, role, scopes, address, requestedAt, expiresAt, codeHash } = request
    const hasCode = codeHash !== ''
    const asked = { requestId, deviceId, role, scopes, address, requestedAt, expiresAt }
    return { ...asked, hasCode, upgrades }
  }),
})

/**
 * `{ requestId, deviceId, role, scopes, position }`; the device fetches its token by its key. Of a
 * sender's code: `{ channel, senderId, position }`.
 */
export const pairingApprove: Handler<'pairing.approve'> = async (house, params, origin) => {
  const asked = await findAsked(house, params, origin)
  if ('deviceId' in asked) return approveDevice(house, { ...asked, params }, origin)
  if (params.scopes === undefined) return approveSender(house, asked, origin)
  const text = 'params.scopes: a sender of a channel has none'
  throw new GatewayError('INVALID_REQUEST', text, { path: 'scopes' })
}

async function approveDevice(
  house: MethodHouse,
  given: Waiting & { readonly params: MethodParams<'pairing.approve'> },
  origin: Origin,
): Promise<object> {
  const { pairingId, deviceId, request, params } = given
  const { requestId, role, publicKey, address, origin: page, forwarded } = request
  const { caller, cause, correlationId } = origin
  const by = caller.admission.deviceId
  if (by === deviceId) throw new GatewayError('FORBIDDEN', 'a device cannot approve itself')
  const asked = params.scopes ?? request.scopes ?? undefined
  const scopes = grantable(asked, role, origin)
  const evidence = { address, origin: page, forwarded, secret: 'none', key: publicKey }
  const approved = { deviceId, role, scopes, tokenHash: '', publicKey, requestId, by, evidence }
  const rule = params.code === undefined ? 'operator.id' : 'operator.code'
  // Who is in already keeps what he has, his token too.
  const all = [...new Set([...pairedScopes(house, given), ...scopes])].sort()
  const event = given.upgrades
    ? { type: 'upgrade.approved', requestId, scopes: all, rule, by }
    : { type: 'device.approved', ...approved, rule }
  const record = await house.pairings.tell(pairingId, event, { cause, correlationId })
  if (record.ignored !== null) throw noRequest()
  return { requestId, deviceId, role, scopes, position: record.position }
}

function pairedScopes({ pairings }: MethodHouse, { pairingId, upgrades }: Waiting): string[] {
  if (!upgrades) return []
  return (pairings.snapshot(pairingId)?.context as PairingContext | undefined)?.scopes ?? []
}

/** `{ requestId, deviceId, position }`; of a sender's code: `{ channel, senderId, position }`. */
export const pairingReject: Handler<'pairing.reject'> = async (house, params, origin) => {
  const asked = await findAsked(house, params, origin)
  if (!('deviceId' in asked)) return rejectSender(house, asked, origin)
  const { pairingId, deviceId, request, upgrades } = asked
  const { requestId } = request
  const { caller, cause, correlationId } = origin
  const type = upgrades ? 'upgrade.rejected' : 'approval.rejected'
  const event = { type, requestId, by: caller.admission.deviceId }
  const record = await house.pairings.tell(pairingId, event, { cause, correlationId })
  if (record.ignored !== null) throw noRequest()
  return { requestId, deviceId, position: record.position }
}

/** `{ url, setupCode, bootstrapToken, role, scopes, expiresAt }`: good for one device. */
export const pairingSetup: Handler<'pairing.setup'> = (house, params, origin) => {
  const { role = 'client' } = params
  const scopes = grantable(params.scopes, role, origin)
  const bootstrapToken = Buffer.from(house.services.chance.bytes(32)).toString('base64url')
  const by = origin.caller.admission.deviceId
  const { expiresAt } = house.pairings.setupCodes.add(bootstrapToken, { role, scopes, by })
  const url = house.url()
  return {
    url,
    setupCode: formatSetupCode(url, bootstrapToken),
    bootstrapToken,
    role,
    scopes,
    expiresAt,
  }
}

/** `{ devices: [{ deviceId, state, role, scopes, rule, hasKey, hasToken, …, label? }] }` */
export const deviceList: Handler<'device.list'> = ({ pairings }) => ({
  devices: pairings.devices().map(({ state, context }) => {
    const { deviceId, role, scopes, rule, tokenHash, publicKey, approvedAt, seenHour } = context
    const held = { hasKey: (publicKey ?? null) !== null, hasToken: tokenHash !== '' }
    const seenAt = Math.max(approvedAt, seenHour * HOUR_MS)
    const named = context.label === undefined ? {} : { label: context.label }
    return { deviceId, state, role, scopes, rule, ...held, approvedAt, seenAt, ...named }
  }),
})

/** `{ deviceId, position }`: its sockets close at once, and it never comes back. */
export const deviceRevoke: Handler<'device.revoke'> = async (house, { deviceId }, origin) => {
  const { caller, cause, correlationId } = origin
  const event = { type: 'device.revoked', by: caller.admission.deviceId }
  const { pairings } = house
  const ids = pairings.idsOf(deviceId)
  if (!ids.some((id) => pairings.snapshot(id)?.value === 'paired')) throw noDevice(deviceId)
  // In every role, what waits included; its own name first, under which it could ask again.
  const told = ids.map((id) => pairings.tell(id, event, { cause, correlationId }))
  const records = (await Promise.all(told)).filter(({ ignored }) => ignored === null)
  const last = records.at(-1)
  if (last === undefined) throw noDevice(deviceId)
  return { deviceId, position: last.position }
}

/** `{ deviceId, label, position }`: in every role that it has. */
export const deviceRename: Handler<'device.rename'> = async (house, params, origin) => {
  const { deviceId } = params
  const label = params.label.trim()
  if (label === '') throw new GatewayError('INVALID_REQUEST', 'label required', { path: 'label' })
  const { caller, cause, correlationId } = origin
  const { pairings } = house
  const ids = pairings.idsOf(deviceId).filter((id) => pairings.snapshot(id)?.value === 'paired')
  const event = { type: 'device.renamed', label, by: caller.admission.deviceId }
  const records = await Promise.all(
    ids.map((id) => pairings.tell(id, event, { cause, correlationId })),
  )
  const last = records.findLast(({ ignored }) => ignored === null)
  if (last === undefined) throw noDevice(deviceId)
  return { deviceId, label, position: last.position }
}

/** `{ deviceId, role, scopes, deviceToken, position }`: the old token is dead, its sockets close. */
export const deviceRotate: Handler<'device.rotate'> = async (house, params, origin) => {
  const { deviceId } = params
  const pairingId =
    params.role === undefined ? deviceId : house.pairings.idFor(deviceId, params.role)
  const { role, scopes: held } = pairedDevice(house, pairingId)
  const { caller, cause, correlationId } = origin
  const scopes = grantable(params.scopes ?? held, role, origin)
  const deviceToken = house.services.chance.hex(32)
  const tokenHash = digestSecret(deviceToken)
  const event = { type: 'device.rotated', tokenHash, scopes, by: caller.admission.deviceId }
  const record = await house.pairings.tell(pairingId, event, { cause, correlationId })
  if (record.ignored !== null) throw noDevice(deviceId)
  return { deviceId, role, scopes, deviceToken, position: record.position }
}

type RequestParams = Pick<MethodParams<'pairing.reject'>, 'code' | 'requestId' | 'channel'>

// One code space: a code alone may be a device's or a sender's (decisions.md 22).
async function findAsked(
  house: MethodHouse,
  { code, requestId, channel }: RequestParams,
  origin: Origin,
): Promise<Waiting | AskingSender> {
  if ((code === undefined) === (requestId === undefined)) {
    const text = 'params: expected either code or requestId'
    throw new GatewayError('INVALID_REQUEST', text, { path: 'code' })
  }
  const { pairings } = house
  if (code === undefined) {
    const found = pairings.waiting().find(({ request }) => request.requestId === requestId)
    // Those who wait by id are devices; no channel has a request of its own.
    if (found === undefined || channel !== undefined) throw noRequest()
    return found
  }
  if (channel !== undefined) return askedByCode(house, { channel, code }, origin)
  const read = readPairingCode(code)
  if (read === null) throw noRequest()
  const [device, sender] = [pairings.findByCode(read), findAnywhere(house, read)]
  const found = device ?? sender
  if (found !== null) return found
  const { cause, correlationId } = origin
  await pairings.missCode({ cause, correlationId })
  await missAnywhere(house, origin)
  throw noRequest()
}

// One answer to a code that is wrong, burned, used, or too old.
function noRequest(): GatewayError {
  return new GatewayError('NOT_FOUND', 'no request waits under this code or id')
}

function noDevice(deviceId: string): GatewayError {
  return new GatewayError('NOT_FOUND', `no paired device ${quote(deviceId)}`)
}

function pairedDevice({ pairings }: MethodHouse, pairingId: string): PairingContext {
  const snapshot = pairings.snapshot(pairingId)
  if (snapshot?.value !== 'paired') throw noDevice(pairingId)
  return snapshot.context as PairingContext
}

/** @throws {GatewayError} FORBIDDEN: more than the caller has; INVALID_REQUEST: no scope of ours. */
function grantable(asked: readonly string[] | undefined, role: Role, { caller }: Origin): string[] {
  const wanted = asked ?? (role === 'node' ? [] : GUEST_SCOPES)
  const unknown = wanted.find((scope) => !isScope(scope))
  if (unknown !== undefined) {
    const text = `params.scopes: ${quote(unknown)} is no scope`
    throw new GatewayError('INVALID_REQUEST', text, { path: 'scopes' })
  }
  if (role === 'node' && wanted.length > 0) {
    throw new GatewayError('INVALID_REQUEST', 'params.scopes: a node has none', { path: 'scopes' })
  }
  const missing = beyond(caller.admission.scopes, wanted)
  if (missing.length === 0) return [...wanted]
  const text = `params.scopes: you do not have ${missing.join(', ')} yourself`
  throw new GatewayError('FORBIDDEN', text, { requiredScopes: missing })
}
