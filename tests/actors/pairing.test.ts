/** Pairing over a real socket: strangers, challenges, and people who let them in. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { sha256Hex } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import { openMemory } from '../../store/memory.ts'
import { openFakeClock, settle } from '../support/clock.ts'
import { type Changes, KeyedDevice } from '../support/device.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { ask, code, detail, owner, paired, REMOTE, typesOf } from '../support/pairing.ts'
import { until } from '../support/wait.ts'

const pairing = suite<{ house: TestGateway }>('pairing')
pairing.before.each(async (context) => {
  context.house = await startTestGateway()
})
pairing.after.each(({ house }) => house.stop())

pairing(
  'D-20 a new device is challenged, signs on the same socket, and waits',
  async ({ house }) => {
    const device = new KeyedDevice()
    const client = house.client(REMOTE)

    const challenged = await client.connect({ deviceId: device.id })
    const [nonce, ts] = [detail(challenged, 'challenge'), detail(challenged, 'ts')]
    const waits = await client.request('connect', device.answer(String(nonce), Number(ts)))

    assert.is(code(challenged), 'PAIRING_REQUIRED')
    assert.is.not(nonce, (await client.event('connect.challenge')).payload['nonce'])
    assert.is(code(waits), 'PAIRING_REQUIRED')
    assert.match(String(detail(waits, 'code')), /^[A-Z2-9]{4}-[A-Z2-9]{4}$/)
    assert.type(detail(waits, 'requestId'), 'string')
    assert.type(detail(waits, 'expiresAt'), 'number')
    assert.is((await client.closed).code, 1008)
  },
)

pairing('D-20 a device that asks and never signs leaves no record', async ({ house }) => {
  const before = house.store.head().position
  const client = house.client(REMOTE)
  for (let n = 0; n < limits.challengesPerConnectionMax; n += 1) {
    assert.is(code(await client.connect({ deviceId: `stranger-${n}` })), 'PAIRING_REQUIRED')
  }
  assert.is((await client.closed).code, 1008)
  await settle()

  const added = readRecords(house.store).slice(before)
  assert.equal(
    added.map(({ event }) => event.type),
    ['connections.refused'],
  )
})

pairing('S31 once approved it comes in by its key and fetches its token', async ({ house }) => {
  const { device } = await paired(house)

  const byKey = await device.connect(house.client(REMOTE))
  const deviceToken = String(byKey.payload['deviceToken'])
  const byToken = await house.client(REMOTE).connect({ deviceId: device.id, auth: { deviceToken } })
  const again = await device.connect(house.client(REMOTE))

  assert.equal(byKey.payload['scopes'], ['operator.read', 'operator.write'])
  assert.match(deviceToken, /^[\da-f]{64}$/)
  assert.equal([byToken.ok, byToken.payload['deviceToken']], [true, undefined])
  assert.equal([again.ok, again.payload['deviceToken']], [true, undefined])
  assert.equal(typesOf(house, device.id), [
    'challenge.issued',
    'challenge.answered',
    'approval.requested',
    'device.approved',
    'token.issued',
  ])
  const journal = JSON.stringify(readRecords(house.store))
  assert.not.match(journal, deviceToken)
  assert.match(journal, sha256Hex(deviceToken))
})

pairing(
  'S31 an answer that is not exactly right is refused and burns its nonce',
  async ({ house }) => {
    const other = new KeyedDevice()
    const device = new KeyedDevice()
    const stale = house.client(REMOTE)
    const { payload } = await stale.event('connect.challenge')
    const foreign = String(payload['nonce'])
    const attempts: [string, Changes][] = [
      ['another connection', { signed: { nonce: foreign }, auth: { challenge: foreign } }],
      ['another nonce signed', { signed: { nonce: 'x' } }],
      ['no nonce named', { auth: { challenge: '' } }],
      ['another key', { auth: { publicKey: other.publicKey } }],
      ['another device', { params: { deviceId: other.id } }],
      ['a chosen id', { params: { deviceId: 'device-1' } }],
      ['another role', { signed: { role: 'node' } }],
      [
        'more scopes than signed',
        { params: { scopes: ['operator.admin'] }, signed: { scopes: [] } },
      ],
      ['another token', { auth: { bootstrapToken: 'x' }, signed: { token: '' } }],
      ['another time', { signed: { signedAt: 1 } }],
      ['an old time', { auth: { signedAt: 1 }, signed: { signedAt: 1 } }],
      ['half a signature', { signature: (good) => good.subarray(0, 32) }],
      ['no signature', { signature: () => Buffer.alloc(64) }],
    ]

    for (const [name, changes] of attempts) {
      // Each from an address of its own: the limiter has its own tests.
      const localAddress = `127.0.0.${2 + attempts.findIndex(([each]) => each === name)}`
      const client = house.client({ ...REMOTE, localAddress })
      const answer = await device.connect(client, changes)
      const isMalformed = changes.auth?.['challenge'] === ''
      assert.is(code(answer), isMalformed ? 'INVALID_REQUEST' : 'UNAUTHORIZED', name)
      assert.is((await client.closed).code, 1008, name)
    }
    assert.equal(typesOf(house, device.id), [])
  },
)

pairing('S31 P13 an answer is not good a second time, nor elsewhere', async ({ house }) => {
  const { device } = await paired(house)
  const client = house.client(REMOTE)
  const { payload } = await client.event('connect.challenge')
  const params = device.answer(String(payload['nonce']), Number(payload['ts']))

  assert.is((await client.request('connect', params)).ok, true)
  assert.is(code(await client.request('connect', params)), 'INVALID_REQUEST')
  assert.is(code(await house.client(REMOTE).request('connect', params)), 'UNAUTHORIZED')
})

pairing('S31 a nonce that was answered with a challenge is gone', async ({ house }) => {
  const { device } = await paired(house)
  const client = house.client(REMOTE)
  const { payload } = await client.event('connect.challenge')
  await client.connect({ deviceId: device.id })

  const params = device.answer(String(payload['nonce']), Number(payload['ts']))

  assert.is(code(await client.request('connect', params)), 'UNAUTHORIZED')
})

pairing(
  'D-19 a device with a key must sign or show its token, on loopback too',
  async ({ house }) => {
    const device = new KeyedDevice()
    const first = await device.connect(house.client())
    const bare = await house.client().connect({ deviceId: device.id })
    const wrong = await house.client().connect({ deviceId: device.id, auth: { deviceToken: 'x' } })
    const auth = { deviceToken: first.payload['deviceToken'] }
    const shown = await house.client().connect({ deviceId: device.id, auth })

    assert.ok((first.payload['scopes'] as string[]).includes('operator.admin'))
    assert.is(code(bare), 'PAIRING_REQUIRED')
    assert.type(detail(bare, 'challenge'), 'string')
    assert.is(code(wrong), 'UNAUTHORIZED')
    assert.is(shown.ok, true)
  },
)

pairing('D-19 nobody takes the name of a key without the key', async ({ house }) => {
  const device = new KeyedDevice()

  assert.is(code(await house.client().connect({ deviceId: device.id })), 'PAIRING_REQUIRED')
  assert.equal(typesOf(house, device.id), [])
})

pairing('S32 what waits is capped for an address, and the oldest expires', async ({ house }) => {
  const boss = await owner(house)
  const devices = Array.from({ length: 5 }, () => new KeyedDevice())
  for (const device of devices) assert.is(code(await ask(house, device)), 'PAIRING_REQUIRED')

  const { payload } = await boss.request('pairing.list')
  const pending = payload['pending'] as { deviceId: string }[]

  assert.equal(
    pending.map(({ deviceId }) => deviceId),
    devices.slice(-limits.pairingWaitingPerAddressMax).map(({ id }) => id),
  )
  assert.is(typesOf(house, devices[0]!.id).at(-1), 'approval.expired')
})

pairing('S32 so many new requests an hour, then none, and no record', async ({ house }) => {
  for (let n = 0; n < limits.pairingRequestsPerAddressHour; n += 1) {
    await ask(house, new KeyedDevice())
  }
  const before = house.store.head().position
  const refused = await ask(house, new KeyedDevice())

  assert.is(code(refused), 'RATE_LIMITED')
  assert.type(detail(refused, 'retryAfterMs'), 'number')
  assert.is(house.store.head().position, before)
})

pairing(
  'S32 a device that asks again is told of the same request, without its code',
  async ({ house }) => {
    const device = new KeyedDevice()
    const first = await ask(house, device)
    const second = await ask(house, device)

    assert.is(detail(second, 'requestId'), detail(first, 'requestId'))
    assert.is(detail(second, 'code'), undefined)
    assert.is(typesOf(house, device.id).length, 3)
  },
)

pairing('S33 a code works once, and not after a rejection', async ({ house }) => {
  const boss = await owner(house)
  const [one, two] = [new KeyedDevice(), new KeyedDevice()]
  const first = detail(await ask(house, one), 'code')
  const second = detail(await ask(house, two), 'code')

  const approval = await boss.request('pairing.approve', { code: String(first).toLowerCase() })
  const twice = await boss.request('pairing.approve', { code: first })
  const rejection = await boss.request('pairing.reject', { code: second })
  const late = await boss.request('pairing.approve', { code: second })
  const again = await ask(house, two)

  const record = readRecords(house.store).find(({ event }) => event['by'] === 'owner')
  const key = one.publicKey
  const seen = { address: '127.0.0.1', origin: null, forwarded: true, secret: 'none', key }
  assert.equal(record?.event['evidence'], seen)
  assert.is(approval.payload['deviceId'], one.id)
  assert.is(code(twice), 'NOT_FOUND')
  assert.is(rejection.payload['deviceId'], two.id)
  assert.is(code(late), 'NOT_FOUND')
  assert.is(code(again), 'UNAUTHORIZED')
})

pairing(
  'S33 five wrong codes burn those that are alive; the id still approves',
  async ({ house }) => {
    const boss = await owner(house)
    const device = new KeyedDevice()
    const waits = await ask(house, device)
    for (let n = 0; n < 8; n += 1) {
      assert.is(
        code(await boss.request('pairing.approve', { code: `AAAA-AAA${n + 2}` })),
        'NOT_FOUND',
      )
    }

    const right = await boss.request('pairing.approve', { code: detail(waits, 'code') })
    const byId = await boss.request('pairing.approve', { requestId: detail(waits, 'requestId') })

    assert.is(code(right), 'NOT_FOUND')
    assert.is(byId.ok, true)
  },
)

pairing.run()

const alone = suite('pairing alone')

alone('S33 a request outlives a restart, and can then be approved', async () => {
  const store = openMemory()
  const first = await startTestGateway({ store: { ...store, close: async () => {} } })
  const device = new KeyedDevice()
  const waits = await ask(first, device)
  await first.stop()
  const second = await startTestGateway({ store })
  const boss = await owner(second)

  const done = await boss.request('pairing.approve', { code: detail(waits, 'code') })

  assert.is(done.ok, true)
  assert.is((await device.connect(second.client(REMOTE))).ok, true)
  await second.stop()
})

const SECURED = { gateway: { auth: { mode: 'token', token: 'right' } } }

alone('S07 with the switch off nobody is approved by himself; the secret still owns', async () => {
  const off = { autoApproveLoopback: false }
  const open = await startTestGateway({ config: { gateway: { auth: off } } })
  const keyed = await new KeyedDevice().connect(open.client())
  const bare = await open.client().connect({ deviceId: 'new' })
  await open.stop()
  const house = await startTestGateway({
    config: { gateway: { auth: { ...SECURED.gateway.auth, ...off } } },
  })
  const boss = house.client()
  const hello = await boss.connect({ auth: { token: 'right' } })
  const node = { deviceId: 'n', role: 'node', capabilities: ['x'], auth: { token: 'right' } }
  const refused = await house.client().connect(node)

  assert.equal([code(keyed), code(bare)], ['PAIRING_REQUIRED', 'PAIRING_REQUIRED'])
  assert.type(detail(keyed, 'requestId'), 'string')
  assert.equal([hello.ok, hello.payload['deviceToken']], [true, undefined])
  assert.is((await boss.request('pairing.list')).ok, true)
  assert.is(code(refused), 'PAIRING_REQUIRED')
  assert.equal(typesOf(house, 'device-1'), [])
  await house.stop()
  const upstream = { gateway: { nodes: { pairing: { autoApproveLocal: false } } } }
  const named = await startTestGateway({ config: upstream })
  assert.is(code(await named.client().connect()), 'PAIRING_REQUIRED')
  await named.stop()
})

alone('S07 P17 a page of our own origin is never approved by itself', async () => {
  const house = await startTestGateway({ config: SECURED })
  const origin = house.gateway.url.replace('ws:', 'http:')
  const auth = { token: 'right' }

  const bare = await house.client({ origin }).connect({ auth })
  const keyed = await new KeyedDevice().connect(house.client({ origin }), { auth })

  assert.equal([code(bare), code(keyed)], ['PAIRING_REQUIRED', 'PAIRING_REQUIRED'])
  assert.type(detail(bare, 'challenge'), 'string')
  assert.type(detail(keyed, 'requestId'), 'string')
  await house.stop()
})

alone('S26 P10 a wrong secret refuses, whatever else is right', async () => {
  const house = await startTestGateway({ config: SECURED })
  const device = new KeyedDevice()
  const wrong = { auth: { token: 'wrong' } }

  const direct = await device.connect(house.client(), wrong)
  const remote = await device.connect(house.client(REMOTE), wrong)
  const signed = await device.connect(house.client(), { auth: { token: 'right' } })

  assert.equal([code(direct), code(remote)], ['UNAUTHORIZED', 'UNAUTHORIZED'])
  assert.is(signed.ok, true)
  await house.stop()
})

alone('S33 a request ends after ten minutes', async () => {
  const clock = openFakeClock()
  const house = await startTestGateway({ services: { clock } })
  const boss = await owner(house)
  const device = new KeyedDevice()
  const waits = await ask(house, device)

  await clock.advance(limits.pairingMs)
  await until(() => typesOf(house, device.id).includes('approval.expired'), 'the end')
  const late = await boss.request('pairing.approve', { code: detail(waits, 'code') })

  assert.is(code(late), 'NOT_FOUND')
  const stopped = house.stop()
  await clock.advance(5_000)
  await stopped
})

alone.run()
