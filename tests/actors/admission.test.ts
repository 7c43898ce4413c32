/** Admission: who gets in, and how a refusal looks from outside. Over a real socket. */
import '../../actors/trap.ts'
import { once } from 'node:events'
import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ChannelHooks } from '../../actors/channel-hooks.ts'
import { Connections } from '../../actors/connections.ts'
import { Limiter } from '../../actors/limiter.ts'
import { openListener } from '../../actors/listener.ts'
import { Pairings } from '../../actors/pairings.ts'
import { sha256Hex } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import { openMemory } from '../../store/memory.ts'
import { openFakeClock, settle } from '../support/clock.ts'
import { type Frame, TestClient } from '../support/client.ts'
import { approved } from '../support/facts.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { openTestKernel, readRecords } from '../support/kernel.ts'

const admission = suite<{ house: TestGateway }>('admission')
admission.before.each(async (context) => {
  context.house = await startTestGateway()
})
admission.after.each(({ house }) => house.stop())

const code = (frame: Frame) => frame.error?.code
const path = (frame: Frame) => frame.error?.details?.['path']

admission(
  'W1 connect is answered with identity, scopes, position and a device token',
  async ({ house }) => {
    const answer = await house.client().connect()

    assert.is(answer.ok, true)
    assert.is(answer.payload['deviceId'], 'device-1')
    assert.ok((answer.payload['scopes'] as string[]).includes('operator.admin'))
    assert.match(String(answer.payload['deviceToken']), /^[0-9a-f]{64}$/)
    assert.type(answer.payload['position'], 'number')
  },
)

admission('W2 connect.challenge comes first, without seq', async ({ house }) => {
  const client = house.client()

  const challenge = await client.event('connect.challenge')

  assert.is(client.frames[0], challenge)
  assert.is(challenge.seq, undefined)
  assert.type(challenge.payload['nonce'], 'string')
})

admission(
  'S08 a first frame that is not connect is answered, then closed with 1008',
  async ({ house }) => {
    const client = house.client()

    const answer = await client.request('health')

    assert.equal([answer.ok, code(answer)], [false, 'INVALID_REQUEST'])
    assert.is((await client.closed).code, 1008)
  },
)

admission('S20 a binary frame closes the connection with 1003', async ({ house }) => {
  const client = house.client()
  await client.connect()

  client.socket.send(Buffer.from('{"type":"req","id":"health"}'), { binary: true })

  assert.is((await client.closed).code, 1003)
})

admission('S11 64 KiB and a byte before connect is closed with 1009', async ({ house }) => {
  const client = house.client()
  await client.send('x'.repeat(limits.preAuthFrameBytesMax + 1))

  assert.is((await client.closed).code, 1009)
})

admission(
  'D-19 a known device without a key is let in on loopback, and its old token is replaced',
  async ({ house }) => {
    const first = await house.client().connect()
    const second = await house.client().connect()
    const old = await house
      .client()
      .connect({ auth: { deviceToken: first.payload['deviceToken'] } })
    const fresh = await house.client().connect({ auth: { token: second.payload['deviceToken'] } })

    assert.is(second.ok, true)
    assert.is(code(old), 'UNAUTHORIZED')
    assert.equal([fresh.ok, fresh.payload['deviceToken']], [true, undefined])
  },
)

admission('S01 a web page’s Origin is refused at the upgrade', async ({ house }) => {
  for (const origin of [
    'https://evil.example',
    'null',
    'http://localhost.evil.example',
    'http://127.0.0.1:1',
  ]) {
    const client = house.client({ origin })
    const status = await new Promise((resolve) =>
      client.socket.on('unexpected-response', (_, response) => resolve(response.statusCode)),
    )
    assert.is(status, 403, origin)
  }
})

admission('S04 a foreign Host is refused at the upgrade', async ({ house }) => {
  const client = house.client({ headers: { host: 'evil.example' } })

  const status = await new Promise((resolve) =>
    client.socket.on('unexpected-response', (_, response) => resolve(response.statusCode)),
  )

  assert.is(status, 403)
})

admission(
  'I32 F40 a refused socket is gone, also when its peer keeps its half open',
  async ({ house }) => {
    const socket = connect({ port: house.gateway.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {}) // The reset that we wait for.
    const ended = once(socket, 'end')
    socket.resume()
    socket.write(
      'GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    )
    await ended

    for (let n = 0; n < 20 && !socket.destroyed; n += 1) {
      socket.write('x')
      await settle()
    }

    assert.ok(socket.destroyed)
    socket.destroy()
  },
)

admission('S05 a forwarded connection is never loopback', async ({ house }) => {
  const answer = await house.client({ headers: { 'x-forwarded-for': '127.0.0.1' } }).connect()

  assert.is(code(answer), 'PAIRING_REQUIRED')
})

admission(
  'S30 a node must declare its capabilities, and may not call a client’s methods',
  async ({ house }) => {
    const bare = await house.client().connect({ deviceId: 'n1', role: 'node' })
    const node = house.client()
    await node.connect({ deviceId: 'n2', role: 'node', capabilities: ['camera'] })
    const refused = await node.request('agent', { message: 'hi' })

    assert.equal([code(bare), path(bare)], ['INVALID_REQUEST', 'capabilities'])
    assert.is(code(refused), 'FORBIDDEN')
    assert.equal(refused.error?.details?.['requiredScopes'], ['operator.write'])
  },
)

admission(
  'I16 a connection without operator.read hears of no conversation and no device',
  async ({ house }) => {
    const node = house.client()
    const client = house.client()
    await node.connect({ deviceId: 'n', role: 'node', capabilities: ['camera'] })
    await client.connect({ deviceId: 'c' })
    await client.request('agent', { message: 'between us' })
    await client.event('agent.done')

    await house.gateway.stop('test')

    await node.closed
    assert.equal(
      node.events.map(({ event }) => event),
      ['shutdown'],
    )
  },
)

admission('W11 refusals are recorded once for an address, not once each', async ({ house }) => {
  for (let n = 0; n < 5; n += 1) {
    const client = house.client()
    await client.request('health').catch(() => {})
    await client.closed
  }
  await settle()

  assert.is(
    readRecords(house.store).filter(({ event }) => event.type === 'connections.refused').length,
    1,
  )
})

admission.run()

const alone = suite('admission alone')
const NO_LISTS = { allowedHosts: [], allowedOrigins: [] }

alone('S26 with a token configured only the right one opens', async () => {
  const house = await startTestGateway({
    config: { gateway: { auth: { mode: 'token', token: 'right' } } },
  })
  const attempts: [Record<string, unknown> | undefined, boolean][] = [
    [undefined, false],
    [{ token: 'wrong' }, false],
    [{ password: 'right' }, false],
    [{ deviceToken: 'right' }, false],
    [{ token: 'right' }, true],
  ]

  for (const [auth, expected] of attempts) {
    const client = house.client()
    const answer = await client.connect(auth === undefined ? {} : { auth })
    assert.is(answer.ok, expected, JSON.stringify(auth))
    if (!expected) assert.equal([code(answer), (await client.closed).code], ['UNAUTHORIZED', 1008])
  }
  await house.stop()
})

alone('S09 a socket that never says connect is told so and closed after 10 s', async () => {
  const clock = openFakeClock()
  const house = await startTestGateway({ services: { clock } })
  const client = house.client()
  await client.event('connect.challenge')

  await clock.advance(limits.connectDeadlineMs)

  assert.is(code(await client.frame(({ type }) => type === 'res', 'an answer')), 'TIMEOUT')
  assert.is((await client.closed).code, 1008)
  const stopped = house.stop()
  await clock.advance(5_000)
  await stopped
})

alone(
  'I18 a device token opens what its device was granted, and nothing once revoked',
  async () => {
    const store = openMemory()
    const tokenHash = sha256Hex('secret')
    const { tell } = openTestKernel({ store })
    const granted = { ...approved('phone'), scopes: ['operator.read'], tokenHash }
    await tell('pairing:phone', granted)
    await tell('pairing:lost', { ...approved('lost'), tokenHash })
    await tell('pairing:lost', { type: 'device.revoked', by: 'test' })
    const house = await startTestGateway({ store })
    const auth = { deviceToken: 'secret' }

    const phone = await house.client().connect({ deviceId: 'phone', auth })
    const lost = await house.client().connect({ deviceId: 'lost', auth })

    assert.equal(phone.payload['scopes'], ['operator.read'])
    assert.is(code(lost), 'UNAUTHORIZED')
    await house.stop()
  },
)

alone('I19 a revocation that comes first wins over a connect on its way', async () => {
  const { kernel, store, tell, services } = openTestKernel()
  await tell('pairing:device-1', approved('device-1'))
  const connections = new Connections({
    ...kernel,
    services,
    heads: { current: () => null },
    version: '0',
    epoch: 1,
    auth: { mode: 'none', secret: '', autoApprove: true },
    pairings: new Pairings({ ...kernel, store, services }),
    limiter: new Limiter(services.clock),
    handle: () => null,
    nodes: { attach: () => {}, detach: () => {} },
    offers: { attach: () => {}, detach: () => {} },
    upstream: () => {
      throw new Error('nobody speaks it here')
    },
  })
  const { registry } = kernel
  const offer = registry.offer.bind(registry)
  registry.offer = async (stream, message) => {
    await tell('pairing:device-1', { type: 'device.revoked', by: 'test' })
    return offer(stream, message)
  }
  const { log, clock } = services
  const probes = { answer: () => null }
  const hooks = new ChannelHooks({ hook: () => null }, log)
  const web = { pages: null, completions: null, hooks }
  const door = { connections, log, clock, probes, ...web, lists: NO_LISTS }
  const listener = await openListener({ address: '127.0.0.1', port: 0 }, door)
  const client = new TestClient(`ws://127.0.0.1:${listener.port}`)

  const answer = await client.connect()

  assert.is(code(answer), 'UNAUTHORIZED')
  await client.close()
  listener.stop()
  listener.close()
})

alone.run()
