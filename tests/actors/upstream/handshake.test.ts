/** Upstream's `connect`: who comes in, with what, and what a socket may send before and after. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { systemClock } from '../../../actors/services.ts'
import { limits } from '../../../protocol/limits.ts'
import { cases } from '../../store/cases.ts'
import type { Frame } from '../../support/client.ts'
import { KeyedDevice } from '../../support/device.ts'
import { readRecords } from '../../support/kernel.ts'
import { REMOTE } from '../../support/pairing.ts'
import {
  type Guise,
  inUpstream,
  KEYLESS,
  NODE,
  type UpstreamClient,
  type UpstreamWorld,
} from '../../support/upstream-client.ts'

const connect = cases('upstream connect')

type Json = Readonly<Record<string, unknown>>

/** A device that is in, with the token that it was given. */
async function settled({ guest }: UpstreamWorld, guise: Guise = {}) {
  const device = new KeyedDevice()
  const client = guest()
  const hello = await client.knock({ device, ...guise })
  const { deviceToken } = hello.payload['auth'] as { deviceToken: string }
  assert.is(typeof deviceToken, 'string')
  return { device, client, token: deviceToken }
}

const authOf = ({ payload }: Frame) => payload['auth'] as Json

connect('UC2 the challenge is the first frame, and hello-ok is as published', () =>
  inUpstream(async ({ guest }) => {
    const client = guest()

    const hello = await client.knock()

    assert.is(client.frames[0]?.event, 'connect.challenge')
    assert.is(hello.payload['type'], 'hello-ok')
    const { maxPayload, tickIntervalMs } = hello.payload['policy'] as Record<string, number>
    assert.equal([maxPayload, tickIntervalMs], [26_214_400, 30_000])
    assert.equal(authOf(hello)['scopes'], ['operator.admin'])
    await client.event('health')
  }),
)

for (const [min, max, spoken] of [
  [4, 4, 4],
  [3, 3, 3],
  [3, 4, 4],
  [1, 9, 4],
  [2, 3, 3],
] as const) {
  connect(`UC3 protocols ${min} to ${max} are answered with ${spoken}`, () =>
    inUpstream(async ({ guest }) => {
      const hello = await guest().knock({ protocols: [min, max] })

      assert.is(hello.payload['protocol'], spoken)
    }),
  )
}

for (const form of ['v3', 'v2'] as const) {
  connect(`UC4 a device that signs the words of ${form} is in`, () =>
    inUpstream(async ({ guest }) => {
      const scopes = ['operator.write', 'operator.read']

      const hello = await guest().knock({ form, scopes, auth: { token: 'tok' } })

      assert.is(hello.ok, true, JSON.stringify(hello.error))
      assert.equal(authOf(hello)['scopes'], scopes)
    }),
  )
}

connect('UC5 what newer clients add is let pass, and scopes nobody knows are left out', () =>
  inUpstream(async ({ guest }) => {
    const scopes = ['operator.sessions.read', 'operator.read', 'operator.time-travel']

    const hello = await guest().knock({
      scopes,
      client: { buildId: 'b', timeZone: 'Europe/Vienna', instanceId: 'i' },
      params: { locale: 'de', userAgent: 'x', modelCatalog: { sessionKey: 'main' }, later: 1 },
    })

    assert.is(hello.ok, true, JSON.stringify(hello.error))
    assert.equal(authOf(hello)['scopes'], ['operator.read'])
  }),
)

connect('UC6 without a device right here, with the secret: what it asks for, and no token', () =>
  inUpstream(async ({ guest, store }) => {
    const first = guest()

    const hello = await first.knock({ ...KEYLESS, scopes: ['operator.read'] })

    assert.equal(authOf(hello)['scopes'], ['operator.read'])
    assert.is(authOf(hello)['deviceToken'], undefined)
    const refused = await first.ask('chat.send', {
      sessionKey: 'main',
      message: 'hi',
      idempotencyKey: 'k',
    })
    assert.is(refused.error?.message, 'missing scope: operator.write')
    assert.equal(
      readRecords(store).filter(({ stream }) => stream.startsWith('pairing:')),
      [],
    )
  }),
)

connect('UC6 the secret may come as password where a token is configured, and both may', () =>
  inUpstream(async ({ guest }) => {
    for (const auth of [{ password: 'tok' }, { token: 'tok', password: 'tok' }]) {
      const hello = await guest().knock({ ...KEYLESS, auth })
      assert.is(hello.ok, true, JSON.stringify(hello.error))
    }

    const wrong = await guest().knock({ ...KEYLESS, auth: { password: 'no' } })

    assert.is(wrong.error?.details?.['code'], 'AUTH_TOKEN_MISMATCH')
  }),
)

connect('UC6 where a password is configured it may come as token, and is missed in its words', () =>
  inUpstream(
    async ({ guest }) => {
      for (const auth of [{ password: 'tok' }, { token: 'tok' }]) {
        const hello = await guest().knock({ ...KEYLESS, auth })
        assert.is(hello.ok, true, JSON.stringify(hello.error))
      }

      const missing = await guest().knock({ ...KEYLESS, auth: {} })
      const wrong = await guest().knock({ ...KEYLESS, auth: { password: 'no' } })

      assert.is(missing.error?.details?.['code'], 'AUTH_PASSWORD_MISSING')
      assert.is(wrong.error?.details?.['code'], 'AUTH_PASSWORD_MISMATCH')
    },
    { config: { gateway: { auth: { mode: 'password', password: 'tok' } } } },
  ),
)

connect('UC6 without a secret configured a program right here is let in, a web page is not', () =>
  inUpstream(
    async ({ guest, gateway }) => {
      const hello = await guest().knock({ ...KEYLESS, auth: {} })
      const origin = gateway.url.replace('ws:', 'http:')
      const page = await guest({ headers: { origin } }).knock({ ...KEYLESS, auth: {} })

      assert.is(hello.ok, true, JSON.stringify(hello.error))
      assert.is(page.error?.details?.['code'], 'DEVICE_IDENTITY_REQUIRED')
    },
    { config: {} },
  ),
)

connect('UC7 a person’s page of the same host signs itself in with the secret', () =>
  inUpstream(async ({ guest, gateway }) => {
    const origin = gateway.url.replace('ws:', 'http:')

    const waits = await guest({ headers: { origin } }).knock()

    assert.is(waits.error?.details?.['code'], 'PAIRING_REQUIRED')
  }),
)

connect('UC8 a device token is good in either place, and for fewer scopes', () =>
  inUpstream(async (world) => {
    const { device, token } = await settled(world, {
      scopes: ['operator.read', 'operator.write'],
    })

    for (const auth of [{ token }, { deviceToken: token }]) {
      const hello = await world.guest(REMOTE).knock({ device, auth, scopes: ['operator.read'] })
      assert.is(hello.ok, true, JSON.stringify(hello.error))
      assert.equal(authOf(hello)['scopes'], ['operator.read'])
    }
    const wrong = await world.guest(REMOTE).knock({ device, auth: { deviceToken: 'x' } })

    assert.is(wrong.error?.details?.['code'], 'AUTH_DEVICE_TOKEN_MISMATCH')
  }),
)

connect('UC10 another role waits for a person, who is told which', () =>
  inUpstream(async (world) => {
    const { device } = await settled(world)
    const boss = await world.enter() // A device does not approve itself.
    const node = { ...NODE, device }

    const client = world.guest()
    const { error } = await client.knock(node)

    assert.is(error?.code, 'NOT_PAIRED')
    const { code, reason, requestId } = error?.details ?? {}
    assert.equal([code, reason], ['PAIRING_REQUIRED', 'role-upgrade'])
    assert.match(error?.message ?? '', /^pairing required: .*higher role/)
    assert.ok((await client.closed).reason.endsWith(`(requestId: ${String(requestId)})`))
    const { payload } = await boss.event('device.pair.requested')
    assert.equal([payload['requestId'], payload['deviceId']], [requestId, device.id])
    assert.equal([payload['role'], payload['publicKey']], ['node', device.publicKey])

    await boss.get('device.pair.approve', { requestId })
    const isIt = (told: Frame['payload']) => told['requestId'] === requestId
    const { payload: resolved } = await boss.event('device.pair.resolved', isIt)
    assert.equal([resolved['deviceId'], resolved['decision']], [device.id, 'approved'])

    const hello = await world.guest().knock(node)
    assert.is(authOf(hello)['role'], 'node')
  }),
)

connect('UC11 a revoked device is told to drop its token', () =>
  inUpstream(async (world) => {
    const { device, token } = await settled(world)
    const boss = await world.enter()
    await boss.get('device.pair.remove', { deviceId: device.id })

    const gone = world.guest()
    const { error } = await gone.knock({ device, auth: { deviceToken: token } })

    assert.is(error?.details?.['code'], 'AUTH_DEVICE_TOKEN_MISMATCH')
    assert.is((await gone.closed).code, 1008)
  }),
)

connect('UC12 who waits and asks again is told of the same request, in the reason too', () =>
  inUpstream(async ({ guest }) => {
    const guise = { device: new KeyedDevice(), auth: {} }
    const ids: unknown[] = []
    for (let time = 0; time < 2; time += 1) {
      const client = guest(REMOTE)
      const { error } = await client.knock(guise)
      const { requestId } = error?.details ?? {}
      ids.push(requestId)
      assert.is(
        (await client.closed).reason,
        `pairing required: device is not approved yet (requestId: ${String(requestId)})`,
      )
    }

    assert.is(ids[0], ids[1])
  }),
)

connect('UC13 the first request must be connect, and only the first may be', () =>
  inUpstream(async ({ guest, enter }) => {
    const early = guest()
    const refused = await early.ask('health')
    const text = 'invalid handshake: first request must be connect'
    assert.equal([refused.error?.code, refused.error?.message], ['INVALID_REQUEST', text])
    assert.equal(await early.closed, { code: 1008, reason: text })

    const client = await enter()
    const again = await client.ask('connect', {})

    assert.equal(
      [again.error?.code, again.error?.message],
      ['INVALID_REQUEST', 'connect is only valid as the first request'],
    )
    assert.is((await client.ask('health')).ok, true)
  }),
)

/** Sends a text after `connect`; resolves with what it is answered under an id. */
async function sendRaw(client: UpstreamClient, text: string, id: string): Promise<Frame> {
  await client.send(text)
  return client.frame((frame) => frame.id === id, `answer under ${id}`)
}

connect('UC14 a bad frame after connect is answered, and the socket stays', () =>
  inUpstream(async ({ enter }) => {
    const client = await enter()

    const bare = await sendRaw(client, '{"type":"req","id":"bare","params":{}}', 'bare')

    const text = "invalid request frame: must have required property 'method'"
    assert.equal([bare.error?.code, bare.error?.message], ['INVALID_REQUEST', text])
    for (const [frame, id] of [
      ['{', 'invalid'],
      ['[]', 'invalid'],
      ['{"type":"req","id":"n","method":5}', 'n'],
      ['{"type":"req","id":"p","method":"health","params":5}', 'p'],
      ['{"type":"req","id":7,"method":"health"}', 'invalid'],
    ] as const) {
      const { error } = await sendRaw(client, frame, id)
      assert.is(error?.code, 'INVALID_REQUEST', frame)
    }
    assert.is((await client.ask('health')).ok, true)
  }),
)

connect('UC15 a binary frame closes the socket, before connect and after', () =>
  inUpstream(async ({ guest, enter }) => {
    for (const client of [guest(), await enter()]) {
      await client.event('connect.challenge')
      client.socket.send(Buffer.from('{}'), { binary: true })
      assert.is((await client.closed).code, 1003)
    }
  }),
)

connect('UC16 a frame over 64 KiB before connect closes with 1009, one after it does not', () =>
  inUpstream(async ({ guest, enter }) => {
    const big = 'x'.repeat(limits.preAuthFrameBytesMax)
    const early = guest()
    await early.send(JSON.stringify({ type: 'req', id: 'a', method: 'connect', params: { big } }))
    assert.is((await early.closed).code, 1009)

    const client = await enter()
    const { ok } = await client.ask('chat.send', {
      sessionKey: 'main',
      message: big,
      idempotencyKey: 'big',
    })

    assert.is(ok, true)
  }),
)

connect('UC17 who says nothing is out at the deadline, who is in stays', () => {
  const clock = { ...systemClock }
  return inUpstream(
    async ({ client, enter }) => {
      const boss = await enter()
      clock.after = (ms, run) => systemClock.after(ms === limits.connectDeadlineMs ? 50 : ms, run)
      const silent = client() // It has chosen no dialect yet.

      const { code } = await silent.closed

      assert.is(code, 1008)
      assert.is((await boss.ask('health')).ok, true)
    },
    { services: { clock } },
  )
})

connect('UC18 ten wrong tokens lock the next, right or wrong, and say for how long', () =>
  inUpstream(async ({ guest }) => {
    for (let time = 0; time < 10; time += 1) {
      await guest(REMOTE).knock({ auth: { token: `wrong ${time}` } })
    }

    const locked = await guest(REMOTE).knock()

    assert.is(locked.error?.code, 'UNAVAILABLE')
    assert.is(locked.error?.retryable, true)
    assert.ok(Number((locked.error as Json | undefined)?.['retryAfterMs']) > 0)
    assert.is(locked.error?.details?.['code'], 'AUTH_RATE_LIMITED')
  }),
)

connect.run()
