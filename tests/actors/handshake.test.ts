/** Whatever a stranger sends in whatever order: he never holds a scope that nobody granted. */
import '../../actors/trap.ts'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { systemClock } from '../../actors/services.ts'
import { beyond, OWNER_SCOPES } from '../../protocol/auth/scopes.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import type { Frame, TestClient } from '../support/client.ts'
import { KeyedDevice } from '../support/device.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { owner, REMOTE } from '../support/pairing.ts'

const handshake = cases('handshake')

interface World {
  readonly house: TestGateway
  readonly boss: TestClient
  readonly victim: KeyedDevice
  readonly stolen: Record<string, unknown> // an answer that was seen on another socket
  readonly own: KeyedDevice
}

type Move =
  | { readonly do: 'bare'; readonly deviceId: string }
  | { readonly do: 'replay' }
  | {
      readonly do: 'sign'
      readonly role: string
      readonly scopes: string[] | null
      readonly auth: object
    }
  | { readonly do: 'claim'; readonly auth: object }
  | { readonly do: 'call'; readonly method: string }
  | { readonly do: 'hang up' }

const scopes = fc.option(fc.subarray([...OWNER_SCOPES, 'operator.pairing']))
const auth = fc.record(
  {
    token: fc.constantFrom('wrong', 'undefined', '__proto__'),
    password: fc.constant('wrong'),
    deviceToken: fc.constantFrom('', 'wrong', 'a'.repeat(64)),
    bootstrapToken: fc.constant('wrong'),
  },
  { requiredKeys: [] },
)
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    do: fc.constant('bare' as const),
    deviceId: fc.constantFrom('owner', 'stranger', 'victim'),
  }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('sign' as const),
      role: fc.constantFrom('client', 'client', 'node', 'operator'),
      scopes,
      auth: fc.oneof(fc.constant({}), auth),
    }),
  },
  fc.record({ do: fc.constant('claim' as const), auth }),
  fc.record({
    do: fc.constant('call' as const),
    method: fc.constantFrom('health', 'pairing.approve', 'device.rotate', 'config.get', 'agent'),
  }),
  fc.constant({ do: 'replay' as const }),
  fc.constant({ do: 'hang up' as const }),
)

/** Plays one move; resolves with the answer, null where the socket is gone. */
async function play(client: TestClient, next: Move, world: World): Promise<Frame | null> {
  const { victim, stolen, own } = world
  const opening = await client.event('connect.challenge')
  const newest = client.frames.findLast(({ error }) => error?.details?.['challenge'] !== undefined)
  const nonce = String(newest?.error?.details?.['challenge'] ?? opening.payload['nonce'])
  const signedAt = Number(newest?.error?.details?.['ts'] ?? opening.payload['ts'])
  if (next.do === 'hang up') return null
  if (next.do === 'call') return client.request(next.method, {})
  if (next.do === 'replay') return client.request('connect', stolen)
  if (next.do === 'claim') {
    const changes = { params: { deviceId: victim.id }, auth: { ...next.auth } }
    return client.request('connect', own.answer(nonce, signedAt, changes))
  }
  if (next.do === 'bare') {
    const deviceId = next.deviceId === 'victim' ? victim.id : next.deviceId
    return client.request('connect', { deviceId, role: 'client' })
  }
  const capabilities = next.role === 'node' ? { capabilities: ['camera'] } : {}
  const asked = next.scopes === null ? {} : { scopes: next.scopes }
  const params = { role: next.role, ...capabilities, ...asked }
  return client.request('connect', own.answer(nonce, signedAt, { params, auth: { ...next.auth } }))
}

handshake('S29 no sequence of frames of a stranger ends in scopes nobody granted', async () => {
  let passedMs = 0 // An hour from one run to the next: no limit of an earlier one hides a hole.
  const clock = { ...systemClock, now: () => systemClock.now() + passedMs }
  const house = await startTestGateway({ services: { clock } })
  const boss = await owner(house)
  const victim = new KeyedDevice()
  const seen = house.client()
  const { payload } = await seen.event('connect.challenge')
  const stolen = victim.answer(String(payload['nonce']), Number(payload['ts']))
  assert.is((await seen.request('connect', stolen)).ok, true)
  const world = { house, boss, victim, stolen, own: new KeyedDevice() }
  const outcomes = new Set<string>()

  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 6 }), async (moves) => {
      passedMs += 3_600_000
      const client = house.client(REMOTE)
      for (const next of moves) {
        const answer = await play(client, next, world).catch(() => null)
        if (answer === null) break
        outcomes.add(answer.ok === true ? 'admitted' : String(answer.error?.code))
      }
      await client.close()
    }),
    { numRuns: 150 },
  )

  assert.not(outcomes.has('admitted'))
  for (const reached of ['UNAUTHORIZED', 'PAIRING_REQUIRED', 'FORBIDDEN', 'INVALID_REQUEST']) {
    assert.ok(outcomes.has(reached), reached)
  }
  const { payload: list } = await boss.request('device.list')
  const devices = list['devices'] as { deviceId: string }[]
  assert.equal(new Set(devices.map(({ deviceId }) => deviceId)), new Set(['owner', victim.id]))
  await house.stop()
})

handshake('S29 an approved device holds what it was granted, whatever it asks for', async () => {
  let passedMs = 0 // From one run to the next, so that setup codes may be asked for without end.
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + passedMs }
  const house = await startTestGateway({
    config: { gateway: { auth: { mode: 'token', token: 'right' } } },
    services: { clock },
  })
  const boss = house.client()
  await boss.connect({ auth: { token: 'right' } })
  const granted = fc.subarray([...OWNER_SCOPES])

  await fc.assert(
    fc.asyncProperty(granted, scopes, fc.boolean(), async (grant, asked, signs) => {
      passedMs += limits.controlWritesWindowMs
      const setup = await boss.request('pairing.setup', { scopes: grant })
      const device = new KeyedDevice()
      const bootstrap = { bootstrapToken: setup.payload['bootstrapToken'] }
      const first = await device.connect(house.client(REMOTE), { auth: bootstrap })
      assert.is(first.ok, true)
      const { deviceToken } = first.payload
      const wish = asked === null ? {} : { scopes: asked }
      const client = house.client(REMOTE)
      const hello = signs
        ? await device.connect(client, { params: wish })
        : await client.connect({ deviceId: device.id, auth: { deviceToken }, ...wish })
      const got = (hello.payload?.['scopes'] ?? []) as string[]
      assert.equal(beyond(grant, got), [])
      assert.is(hello.ok, beyond(grant, asked ?? []).length === 0)
      await client.close()
    }),
    { numRuns: 60 },
  )
  await house.stop()
})

handshake.run()
