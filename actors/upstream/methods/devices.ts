/** Upstream's methods about devices, over our own pairing. Step 4 of 8. */
import { HOUR_MS } from '../../../machines/pairing.ts'
import type { deviceMethods } from '../../../protocol/dialect/upstream/methods/devices.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import type { Device, Waiting } from '../../pairings.ts'
import type { Call, Handlers, UpstreamHouse } from '../house.ts'

export const deviceHandlers: Handlers<typeof deviceMethods> = {
  'device.pair.list': (house) => ({
    pending: house.pairings.waiting().map(formatWaiting),
    paired: house.pairings
      .devices()
      .filter(({ state }) => state === 'paired')
      .map((device) => formatDevice(house, device)),
  }),
  'device.pair.approve': async (house, { requestId }, call) => {
    const { deviceId } = await decide(house, 'pairing.approve', requestId, call)
    const device = house.pairings.devices().find(({ context }) => context.deviceId === deviceId)
    return { requestId, device: device === undefined ? { deviceId } : formatDevice(house, device) }
  },
  'device.pair.reject': async (house, { requestId }, call) => {
    const { deviceId } = await decide(house, 'pairing.reject', requestId, call)
    return { requestId, deviceId }
  },
  'device.pair.remove': async (house, { deviceId }, call) => {
    await revoke(house, deviceId, call)
    return { deviceId }
  },
  'device.pair.setupCode': async (house, { bootstrapProfile }, call) => {
    const role = bootstrapProfile === 'node' ? 'node' : 'client'
    const made = await house.perform({ method: 'pairing.setup', params: { role } }, call)
    const { setupCode, url, expiresAt } = made as Setup
    const auth = house.auth.mode === 'password' ? 'password' : 'token'
    const access = role === 'node' ? 'node' : 'limited'
    return { setupCode, gatewayUrl: url, auth, urlSource: 'bind', access, expiresAtMs: expiresAt }
  },
  'device.token.rotate': rotate,
  // A device that has a key could sign itself in again: who takes its token away means the device.
  'device.token.revoke': async (house, { deviceId, role }, call) => {
    await revoke(house, deviceId, call)
    return { deviceId, role, revokedAtMs: house.services.clock.now() }
  },
}

interface Setup {
  readonly setupCode: string
  readonly url: string
  readonly expiresAt: number
}

async function decide(
  house: UpstreamHouse,
  method: 'pairing.approve' | 'pairing.reject',
  requestId: string,
  call: Call,
): Promise<{ deviceId: string }> {
  try {
    return (await house.perform({ method, params: { requestId } }, call)) as { deviceId: string }
  } catch (thrown) {
    if (!(thrown instanceof GatewayError) || thrown.code !== 'NOT_FOUND') throw thrown
    throw new GatewayError('INVALID_REQUEST', 'unknown requestId', { path: 'requestId' })
  }
}

async function revoke(house: UpstreamHouse, deviceId: string, call: Call): Promise<void> {
  await known(() => house.perform({ method: 'device.revoke', params: { deviceId } }, call))
}

// The token goes to the device itself only; another one's is fetched by signing.
async function rotate(
  house: UpstreamHouse,
  { deviceId, role, scopes }: { deviceId: string; role: string; scopes?: string[] | undefined },
  call: Call,
): Promise<unknown> {
  const params = { deviceId, ...(scopes === undefined ? {} : { scopes }) }
  const made = await known(() => house.perform({ method: 'device.rotate', params }, call))
  const { deviceToken, scopes: granted } = made as { deviceToken: string; scopes: string[] }
  const rotatedAtMs = house.services.clock.now()
  const isOwn = call.caller.admission.deviceId === deviceId
  const delivery = isOwn
    ? { token: deviceToken, tokenDelivery: 'in-band' }
    : { tokenDelivery: 'withheld-cross-device' }
  return { deviceId, role, scopes: granted, rotatedAtMs, ...delivery }
}

async function known<T>(perform: () => T): Promise<Awaited<T>> {
  try {
    return await perform()
  } catch (thrown) {
    if (!(thrown instanceof GatewayError) || thrown.code !== 'NOT_FOUND') throw thrown
    throw new GatewayError('INVALID_REQUEST', 'unknown deviceId', { path: 'deviceId' })
  }
}

const roleOf = (role: string): 'node' | 'operator' => (role === 'node' ? 'node' : 'operator')

function formatWaiting({ deviceId, request }: Waiting): unknown {
  const { requestId, publicKey, role, scopes, address, requestedAt, origin } = request
  const called = roleOf(role)
  return {
    requestId,
    deviceId,
    publicKey,
    role: called,
    roles: [called],
    scopes: scopes ?? [],
    remoteIp: address,
    ...(origin === null ? {} : { browserOrigin: origin }),
    silent: false,
    isRepair: false,
    ts: requestedAt,
  }
}

function formatDevice({ presence }: UpstreamHouse, { context }: Device): unknown {
  const { deviceId, role, scopes, rule, tokenHash, publicKey, approvedAt, seenHour } = context
  const called = roleOf(role)
  const lastSeenAtMs = Math.max(approvedAt, seenHour * HOUR_MS)
  return {
    deviceId,
    ...(publicKey === undefined || publicKey === null ? {} : { publicKey }),
    role: called,
    roles: [called],
    scopes,
    approvedScopes: scopes,
    approvedVia: rule.startsWith('loopback.') ? 'silent' : rule,
    createdAtMs: approvedAt,
    approvedAtMs: approvedAt,
    lastSeenAtMs,
    connected: presence.has(deviceId),
    tokens: tokenHash === '' ? [] : [{ role: called, scopes, createdAtMs: approvedAt }],
  }
}
