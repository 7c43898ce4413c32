/** Upstream's methods about devices, each once well and once refused. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { deviceMethods } from '../../../protocol/dialect/upstream/methods/devices.ts'
import { KeyedDevice } from '../../support/device.ts'
import { REMOTE } from '../../support/pairing.ts'
import { KEYLESS, type UpstreamClient, type UpstreamWorld } from '../../support/upstream-client.ts'
import { runMethods } from '../../support/upstream-methods.ts'

type Json = Readonly<Record<string, unknown>>

/** A device that asks from elsewhere, and the request that waits for a person. */
async function asks({ guest }: UpstreamWorld, device = new KeyedDevice()) {
  const { error } = await guest(REMOTE).knock({ device, auth: {}, scopes: ['operator.read'] })
  const requestId = String(error?.details?.['requestId'])
  return { device, requestId }
}

const listOf = async (boss: UpstreamClient, name: 'pending' | 'paired') =>
  (await boss.get('device.pair.list'))[name] as Json[]

const pairedOf = async (boss: UpstreamClient, { id }: KeyedDevice) =>
  (await listOf(boss, 'paired')).find(({ deviceId }) => deviceId === id)

/** Decides on a request, which is there once only. */
async function decide(boss: UpstreamClient, world: UpstreamWorld, method: string) {
  const asked = await asks(world)
  const unknown = await boss.ask(method, { requestId: 'nobody' })
  assert.is(unknown.error?.message, 'unknown requestId')
  const payload = await boss.get(method, { requestId: asked.requestId })
  assert.equal(await listOf(boss, 'pending'), [])
  const again = await boss.ask(method, { requestId: asked.requestId })
  assert.is(again.error?.message, 'unknown requestId')
  return { ...asked, payload }
}

/** A device that is in for reading alone. */
async function modest({ enter }: UpstreamWorld) {
  const device = new KeyedDevice()
  return { device, client: await enter({ device, scopes: ['operator.read'] }) }
}

runMethods('devices', deviceMethods, {
  'device.pair.list': {
    well: async (boss, world) => {
      const { device, requestId } = await asks(world)
      const [waiting, ...others] = await listOf(boss, 'pending')
      assert.equal(others, [])
      const { deviceId, publicKey, role, scopes, silent } = waiting ?? {}
      assert.is(waiting?.['requestId'], requestId)
      assert.equal(
        [deviceId, publicKey, role, scopes, silent],
        [device.id, device.publicKey, 'operator', ['operator.read'], false],
      )
      const [own] = await listOf(boss, 'paired')
      assert.equal([own?.['approvedVia'], own?.['connected']], ['silent', true])
      assert.not.ok(JSON.stringify(own).includes('tokenHash'))
    },
    bad: { all: true },
  },
  'device.pair.approve': {
    well: async (boss, world) => {
      const { device, payload } = await decide(boss, world, 'device.pair.approve')
      assert.is((payload['device'] as Json)['deviceId'], device.id)
      const hello = await world.guest(REMOTE).knock({ device, auth: {}, scopes: ['operator.read'] })
      assert.is(hello.ok, true)
      assert.is((await pairedOf(boss, device))?.['connected'], true)
    },
    bad: {},
  },
  'device.pair.reject': {
    well: async (boss, world) => {
      const { device, requestId, payload } = await decide(boss, world, 'device.pair.reject')
      assert.equal(payload, { requestId, deviceId: device.id })
      await boss.event('device.pair.resolved', ({ decision }) => decision === 'rejected')
      assert.is(await pairedOf(boss, device), undefined)
    },
    bad: { requestId: 5 },
  },
  'device.pair.remove': {
    well: async (boss, world) => {
      const device = new KeyedDevice()
      const other = await world.enter({ device })
      const unknown = await boss.ask('device.pair.remove', { deviceId: 'nobody' })
      assert.is(unknown.error?.message, 'unknown deviceId')
      assert.equal(await boss.get('device.pair.remove', { deviceId: device.id }), {
        deviceId: device.id,
      })
      assert.is((await other.closed).code, 1008)
      assert.is(await pairedOf(boss, device), undefined)
    },
    bad: { deviceId: '' },
  },
  'device.pair.rename': {
    well: async (boss, { enter }) => {
      const device = new KeyedDevice()
      await enter({ device })
      const named = { deviceId: device.id, label: 'phone' }
      assert.equal(
        await boss.get('device.pair.rename', { deviceId: device.id, label: ' phone ' }),
        named,
      )
      assert.is((await pairedOf(boss, device))?.['operatorLabel'], 'phone')
      const unknown = await boss.ask('device.pair.rename', { ...named, deviceId: 'nobody' })
      assert.is(unknown.error?.message, 'unknown deviceId')
      const empty = await boss.ask('device.pair.rename', { ...named, label: '  ' })
      assert.is(empty.error?.message, 'label required')
    },
    bad: { deviceId: 'x', label: 'x'.repeat(65) },
  },
  'device.scopes.requestUpgrade': {
    well: async (boss, world) => {
      const { client, device } = await modest(world)
      const more = { scopes: ['operator.read', 'operator.approvals'] }
      const { requestId } = await client.get('device.scopes.requestUpgrade', more)
      assert.equal(await client.get('device.scopes.requestUpgrade', more), { requestId })
      const [waiting] = await listOf(boss, 'pending')
      assert.equal([waiting?.['requestId'], waiting?.['deviceId']], [requestId, device.id])

      for (const scopes of [['operator.approvals'], ['operator.read', 'operator.everything']]) {
        const { error } = await client.ask('device.scopes.requestUpgrade', { scopes })
        assert.is(error?.code, 'INVALID_REQUEST', String(scopes))
      }
      const keyless = await world.enter(KEYLESS)
      const { error } = await keyless.ask('device.scopes.requestUpgrade', more)
      assert.is(error?.details?.['code'], 'DEVICE_IDENTITY_REQUIRED')
    },
    bad: { scopes: [] },
  },
  'device.scopes.waitUpgrade': {
    well: async (boss, world) => {
      const { client, device } = await modest(world)
      const scopes = ['operator.approvals', 'operator.read']
      const wish = await client.get('device.scopes.requestUpgrade', { scopes })
      const waiting = client.post('device.scopes.waitUpgrade', wish)
      await boss.get('device.pair.approve', wish)
      const { payload: given } = await client.answer(await waiting)
      assert.equal([given['status'], given['scopes']], ['approved', scopes])

      const auth = { deviceToken: String(given['deviceToken']) }
      const hello = await world.guest(REMOTE).knock({ device, auth, scopes })
      assert.is(hello.ok, true, JSON.stringify(hello.error))
      const past = await client.get('device.scopes.waitUpgrade', wish)
      assert.is(past['status'], 'approved')
      const next = { scopes: ['operator.read', 'operator.pairing'] }
      const other = await client.get('device.scopes.requestUpgrade', next)
      await boss.get('device.pair.reject', other)
      assert.equal(await client.get('device.scopes.waitUpgrade', other), {
        status: 'rejected',
        ...other,
      })
      const unknown = await boss.ask('device.scopes.waitUpgrade', wish)
      assert.is(unknown.error?.message, 'scope upgrade expired or not found')
    },
    bad: { requestId: '' },
  },
  'device.pair.setupCode': {
    well: async (boss, { gateway }) => {
      const made = await boss.get('device.pair.setupCode')
      assert.is(typeof made['setupCode'], 'string')
      assert.equal([made['auth'], made['access']], ['token', 'limited'])
      assert.match(String(made['gatewayUrl']), new RegExp(`:${new URL(gateway.url).port}$`))
      const node = await boss.get('device.pair.setupCode', { bootstrapProfile: 'node' })
      assert.is(node['access'], 'node')
    },
    bad: { bootstrapProfile: 'owner' },
  },
  'device.token.rotate': {
    well: async (boss, { enter, guest }) => {
      const device = new KeyedDevice()
      const other = await enter({ device, scopes: ['operator.read', 'operator.pairing'] })
      const asked = { deviceId: device.id, role: 'operator' }
      const withheld = await boss.get('device.token.rotate', asked)
      assert.is(withheld['tokenDelivery'], 'withheld-cross-device')
      assert.not.ok('token' in withheld)
      assert.is((await other.closed).code, 1008)

      const again = await enter({ device, scopes: ['operator.read', 'operator.pairing'] })
      const own = await again.get('device.token.rotate', asked)
      assert.is(own['tokenDelivery'], 'in-band')
      const auth = { deviceToken: String(own['token']) }
      const hello = await guest(REMOTE).knock({ device, auth, scopes: ['operator.read'] })
      assert.is(hello.ok, true, JSON.stringify(hello.error))
      const unknown = await boss.ask('device.token.rotate', { deviceId: 'x', role: 'node' })
      assert.is(unknown.error?.message, 'unknown deviceId')
    },
    bad: { deviceId: 'x', role: 'client' },
  },
  'device.token.revoke': {
    well: async (boss, { enter }) => {
      const device = new KeyedDevice()
      const other = await enter({ device })
      const asked = { deviceId: device.id, role: 'operator' }
      const done = await boss.get('device.token.revoke', asked)
      assert.equal([done['deviceId'], done['role']], [device.id, 'operator'])
      assert.ok(Number.isInteger(done['revokedAtMs']))
      assert.is((await other.closed).code, 1008)
      const unknown = await boss.ask('device.token.revoke', { ...asked, deviceId: 'nobody' })
      assert.is(unknown.error?.message, 'unknown deviceId')
    },
    bad: { deviceId: 'x' },
  },
})
