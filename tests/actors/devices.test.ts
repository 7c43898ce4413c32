/** Devices that are in: what they may do, setup codes, revoking, rotating. Over a real socket. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemory } from '../../store/memory.ts'
import { KeyedDevice } from '../support/device.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { ask, code, detail, owner, paired, REMOTE, typesOf } from '../support/pairing.ts'

const devices = suite<{ house: TestGateway }>('devices')
devices.before.each(async (context) => {
  context.house = await startTestGateway()
})
devices.after.each(({ house }) => house.stop())

devices('S34 the token of one device does not open another', async ({ house }) => {
  const { device } = await paired(house)
  const { payload } = await device.connect(house.client(REMOTE))
  const auth = { deviceToken: payload['deviceToken'] }

  const other = await house.client(REMOTE).connect({ deviceId: 'owner', auth })
  const unknown = await house.client(REMOTE).connect({ deviceId: 'nobody', auth })

  assert.not(other.ok)
  assert.not(unknown.ok)
})

devices('P11 nobody grants more than he has, and a node has no scopes', async ({ house }) => {
  const boss = await owner(house)
  const asks = { params: { scopes: ['operator.admin'] } }
  const waits = await ask(house, new KeyedDevice(), asks)

  assert.is(code(waits), 'FORBIDDEN', 'without a secret nobody administers from elsewhere')
  const device = new KeyedDevice()
  const request = { requestId: detail(await ask(house, device), 'requestId') }
  for (const [scopes, expected] of [
    [['operator.everything'], 'INVALID_REQUEST'],
    [['toString'], 'INVALID_REQUEST'],
  ]) {
    assert.is(code(await boss.request('pairing.approve', { ...request, scopes })), expected)
  }
  const done = await boss.request('pairing.approve', { ...request, scopes: ['operator.read'] })
  const client = house.client(REMOTE)
  const hello = await device.connect(client)
  const wide = await device.connect(house.client(REMOTE), {
    params: { scopes: ['operator.write'] },
  })

  assert.is(done.ok, true)
  assert.equal(hello.payload['scopes'], ['operator.read'])
  assert.equal([code(wide), detail(wide, 'requiredScopes')], ['FORBIDDEN', ['operator.write']])
  assert.is(typesOf(house, device.id).at(-1), 'upgrade.requested', 'that a person may grant')
  const over = { params: { scopes: ['operator.admin'] } }
  assert.is(detail(await device.connect(house.client(REMOTE), over), 'requestId'), undefined)
  assert.is(typesOf(house, device.id).at(-1), 'scopes.refused')
  for (const method of ['pairing.list', 'device.list', 'pairing.setup']) {
    assert.equal(detail(await client.request(method), 'requiredScopes'), ['operator.admin'], method)
  }
})

devices('P9 a connection that asks for no scope has none', async ({ house }) => {
  const client = house.client()
  const hello = await client.connect({ deviceId: 'modest', scopes: [] })

  assert.equal(hello.payload['scopes'], [])
  assert.is(code(await client.request('health')), 'FORBIDDEN')
})

devices('S30 a node may ask how the gateway is, and nothing else', async ({ house }) => {
  const node = house.client()
  await node.connect({ deviceId: 'n', role: 'node', capabilities: ['camera'] })

  assert.is((await node.request('health')).ok, true)
  for (const [method, params] of [
    ['sessions.list', {}],
    ['pairing.list', {}],
    ['config.get', {}],
    ['device.revoke', { deviceId: 'x' }],
  ] as const) {
    const refused = await node.request(method, params)
    assert.equal([code(refused), detail(refused, 'requiredRoles')], ['FORBIDDEN', ['client']])
  }
})

for (const [method, event] of [
  ['device.revoke', 'device.revoked'],
  ['device.rotate', 'device.rotated'],
] as const) {
  devices(
    `S35 P12 ${method} closes what is open at once, and kills the token`,
    async ({ house }) => {
      const { device, boss } = await paired(house)
      const client = house.client(REMOTE)
      const hello = await device.connect(client)
      const auth = { deviceToken: hello.payload['deviceToken'] }
      const start = performance.now()

      const done = await boss.request(method, { deviceId: device.id })
      const { code: closeCode, reason } = await client.closed

      assert.ok(performance.now() - start < 1_000)
      assert.equal([done.ok, closeCode, reason], [true, 1008, event])
      const old = await house.client(REMOTE).connect({ deviceId: device.id, auth })
      assert.is(code(old), 'UNAUTHORIZED')
      const next = { deviceToken: done.payload['deviceToken'] ?? 'none' }
      const fresh = await house.client(REMOTE).connect({ deviceId: device.id, auth: next })
      assert.is(fresh.ok, method === 'device.rotate')
      const byKey = await device.connect(house.client(REMOTE))
      assert.is(byKey.ok, method === 'device.rotate')
    },
  )
}

devices('S35 a device that revokes itself is answered first', async ({ house }) => {
  const client = house.client()
  await client.connect({ deviceId: 'me' })

  assert.is((await client.request('device.revoke', { deviceId: 'me' })).ok, true)
  assert.is((await client.closed).code, 1008)
})

devices('S35 who is not paired cannot be revoked or rotated', async ({ house }) => {
  const boss = await owner(house)
  for (const method of ['device.revoke', 'device.rotate']) {
    assert.is(code(await boss.request(method, { deviceId: 'nobody' })), 'NOT_FOUND')
    assert.is(code(await boss.request(method, { deviceId: '' })), 'INVALID_REQUEST')
  }
})

devices('P14 a setup code pairs one device, by its key', async ({ house }) => {
  const boss = await owner(house)
  const { payload } = await boss.request('pairing.setup', { scopes: ['operator.read'] })
  const auth = { bootstrapToken: payload['bootstrapToken'] }
  const phone = new KeyedDevice()

  const unsigned = await house.client(REMOTE).connect({ deviceId: 'phone', auth })
  const first = await phone.connect(house.client(REMOTE), { auth })
  const second = await new KeyedDevice().connect(house.client(REMOTE), { auth })
  const approval = readRecords(house.store).findLast(
    ({ event }) => event.type === 'device.approved',
  )

  assert.is(code(unsigned), 'PAIRING_REQUIRED')
  assert.equal([first.ok, first.payload['scopes']], [true, ['operator.read']])
  assert.is(code(second), 'UNAUTHORIZED')
  assert.equal([approval?.event['rule'], approval?.event['by']], ['setup.code', 'owner'])
  const told = JSON.parse(
    Buffer.from(String(payload['setupCode']), 'base64url').toString(),
  ) as object
  assert.equal(told, { url: house.gateway.url, ...auth })
})

devices('S35 device.list tells who is in, how, and shows no digest', async ({ house }) => {
  const { device, boss } = await paired(house)

  const { payload } = await boss.request('device.list')
  const rows = payload['devices'] as Record<string, unknown>[]

  assert.equal(new Set(rows.map(({ deviceId }) => deviceId)), new Set([device.id, 'owner']))
  const row = rows.find(({ deviceId }) => deviceId === device.id)
  assert.equal(
    [row?.['state'], row?.['rule'], row?.['hasKey'], row?.['hasToken']],
    ['paired', 'operator.code', true, false],
  )
  assert.not.match(JSON.stringify(payload), 'Hash')
})

devices.run()

const alone = suite('devices alone')

alone('S35 a replayed journal resurrects no token', async () => {
  const store = openMemory()
  const first = await startTestGateway({ store: { ...store, close: async () => {} } })
  const { device, boss } = await paired(first)
  const { payload } = await device.connect(first.client(REMOTE))
  await boss.request('device.revoke', { deviceId: device.id })
  await first.stop()
  const second = await startTestGateway({ store })

  const auth = { deviceToken: payload['deviceToken'] }
  const byToken = await second.client(REMOTE).connect({ deviceId: device.id, auth })
  const byKey = await device.connect(second.client())

  assert.equal([code(byToken), code(byKey)], ['UNAUTHORIZED', 'UNAUTHORIZED'])
  await second.stop()
})

alone.run()
