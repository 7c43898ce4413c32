/** Upstream's methods about devices, over our own pairing. Step 4 of 8. */
import { HOUR_MS } from '../../../machines/pairing.ts'
import type { deviceMethods } from '../../../protocol/dialect/upstream/methods/devices.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import type { Device, Waiting } from '../../pairings.ts'
import type { Call, Handlers, UpstreamHouse } from '../house.ts'
import { requestUpgrade, waitUpgrade } from './upgrades.ts'

export const deviceHandlers: Handlers<typeof deviceMethods> = {
  'device.pair.list': (house) => ({
    pending: house.pairings.waiting().map(formatWaiting),
    paired: pairedDevices(house).map((pairings) => formatDevice(house, pairings)),
  }),
  'device.pair.approve': async (house, { requestId }, call) => {
    const { deviceId } = await decide(house, 'pairing.approve', requestId, call)
    const pairings = pairedDevices(house).find(([first]) => first.context.deviceId === deviceId)
    const device = pairings === undefined ? { deviceId } : formatDevice(house, pairings)
    return { requestId, device }
  },
  'device.pair.reject': async (house, { requestId }, call) => {
    const { deviceId } = await decide(house, 'pairing.reject', requestId, call)
    return { requestId, deviceId }
  },
  'device.pair.remove': async (house, { deviceId }, call) => {
    await revoke(house, deviceId, call)
    return { deviceId }
  },
  'device.pair.rename': async (house, { deviceId, label }, call) => {
    const params = { deviceId, label }
    const named = await known(() => house.perform({ method: 'device.rename', params }, call))
    return { deviceId, label: (named as { label: string }).label }
  },
  'device.pair.setupCode': async (house, { bootstrapProfile }, call) => {
    const role = bootstrapProfile === 'node' ? 'node' : 'client'
    const made = await house.perform({ method: 'pairing.setup', params: { role } }, call)
    const { setupCode, url, expiresAt } = made as Setup
    const auth = house.auth.mode === 'password' ? 'password' : 'token'
    const access = role === 'node' ? 'node' : 'limited'
    return { setupCode, gatewayUrl: url, auth, urlSource: 'bind', access, expiresAtMs: expiresAt }
  },
  'device.scopes.requestUpgrade': requestUpgrade,
  'device.scopes.waitUpgrade': waitUpgrade,
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
  const own = role === 'node' ? ('node' as const) : ('client' as const)
  const params = { deviceId, role: own, ...(scopes === undefined ? {} : { scopes }) }
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

/** One that waits, as lists and `device.pair.requested` show it. */
export function formatWaiting({ deviceId, request }: Waiting): unknown {
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

type Pairings = readonly [Device, ...Device[]]

// A device has a pairing for each of its roles; clients show it once.
function pairedDevices({ pairings }: UpstreamHouse): Pairings[] {
  const byDevice = new Map<string, Device[]>()
  for (const device of pairings.devices()) {
    if (device.state !== 'paired') continue
    const { deviceId } = device.context
    byDevice.set(deviceId, [...(byDevice.get(deviceId) ?? []), device])
  }
  return [...byDevice.values()].flatMap(([first, ...more]) =>
    first === undefined ? [] : [[first, ...more] as const],
  )
}

function formatDevice({ presence }: UpstreamHouse, pairings: Pairings): unknown {
  const [{ context }] = pairings
  const { deviceId, rule, publicKey, label } = context
  const contexts = pairings.map((pairing) => pairing.context)
  const scopes = [...new Set(contexts.flatMap((own) => own.scopes))]
  const approvedAtMs = Math.max(...contexts.map(({ approvedAt }) => approvedAt))
  const seenAtMs = Math.max(...contexts.map(({ seenHour }) => seenHour * HOUR_MS))
  return {
    deviceId,
    ...(publicKey === undefined || publicKey === null ? {} : { publicKey }),
    role: roleOf(context.role),
    roles: contexts.map(({ role }) => roleOf(role)),
    scopes,
    approvedScopes: scopes,
    ...(label === undefined ? {} : { operatorLabel: label }),
    approvedVia: rule.startsWith('loopback.') ? 'silent' : rule,
    createdAtMs: Math.min(...contexts.map(({ approvedAt }) => approvedAt)),
    approvedAtMs,
    lastSeenAtMs: Math.max(approvedAtMs, seenAtMs),
    connected: presence.has(deviceId),
    tokens: contexts.flatMap(({ tokenHash, role, scopes: held, approvedAt: createdAtMs }) =>
      tokenHash === '' ? [] : [{ role: roleOf(role), scopes: held, createdAtMs }],
    ),
  }
}
