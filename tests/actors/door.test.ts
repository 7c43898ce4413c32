/** The door: how many may come, how long they may take, and what a connection may do. */
import '../../actors/trap.ts'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { ControlWrites, isControlWrite } from '../../actors/control-writes.ts'
import { type Origin, Places } from '../../actors/places.ts'
import type { Admission } from '../../actors/admission.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { type MethodName, methods } from '../../protocol/methods.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from '../store/cases.ts'
import { openFakeClock } from '../support/clock.ts'
import type { Frame } from '../support/client.ts'
import { startTestGateway, stopWith } from '../support/gateway.ts'
import { closeFrame, OPCODES, RawSocket, rawFrame, request } from '../support/raw-socket.ts'
import { until } from '../support/wait.ts'

const door = cases('door')

const code = (frame: Frame) => frame.error?.code
const LOCAL: Origin = { address: '127.0.0.1', loopback: true }
const remote = (n: number): Origin => ({ address: `192.0.2.${n}`, loopback: false })
const owner = (deviceId: string) =>
  ({ deviceId, role: 'client', scopes: ['operator.admin'] }) as unknown as Admission
const guest = (deviceId: string) =>
  ({ deviceId, role: 'client', scopes: ['operator.read'] }) as unknown as Admission

function codeOf(run: () => void): string {
  try {
    run()
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown.code
    throw thrown
  }
  return 'none'
}

door('S42 strangers of one address, of elsewhere and of here each have their own bound', () => {
  const places = new Places()
  for (let n = 0; n < limits.preAuthPerAddressMax; n += 1) places.take(remote(1))
  assert.is(places.refusal(remote(1)), 'too many unfinished connections')
  assert.is(places.refusal(remote(2)), null)

  let taken = limits.preAuthPerAddressMax
  for (let n = 2; taken < limits.preAuthRemoteMax; n += 1, taken += 1) places.take(remote(n))
  assert.is(places.refusal(remote(250)), 'too many unfinished connections')
  assert.is(places.refusal(LOCAL), null)
  for (; taken < limits.connectionsPreAuthMax; taken += 1) places.take(LOCAL)
  assert.is(places.refusal(LOCAL), 'too many connections')

  const local = new Places()
  for (let n = 0; n < limits.preAuthLoopbackMax; n += 1) local.take(LOCAL)
  assert.is(local.refusal(LOCAL), 'too many unfinished local connections')
  assert.is(local.refusal(remote(1)), null)
})

door('S42 of one address no more than its bound, however well it is admitted', () => {
  const places = new Places()
  const taken = Array.from({ length: limits.connectionsPerAddressMax }, (_, n) => {
    const place = places.take(remote(1))
    place.seat(guest(`d${n}`))
    return place
  })

  assert.is(places.refusal(remote(1)), 'too many connections of this address')
  taken[0]?.leave()
  taken[0]?.leave()
  assert.is(places.refusal(remote(1)), null)
  assert.equal([places.size, places.waiting], [limits.connectionsPerAddressMax - 1, 0])
})

door('S42 in a full house the reserved places go to owners without a socket', () => {
  const places = new Places()
  for (let n = 0; n < limits.connectionsMax; n += 1) places.take(LOCAL).seat(owner(`d${n}`))

  assert.is(places.refusal(LOCAL), null)
  assert.is(
    codeOf(() => places.take(LOCAL).seat(guest('guest'))),
    'UNAVAILABLE',
  )
  assert.is(
    codeOf(() => places.take(LOCAL).seat(owner('d1'))),
    'UNAVAILABLE',
  )
  assert.is(
    codeOf(() => places.take(LOCAL).seat(owner('phone'))),
    'none',
  )
})

door('S42 P5 over the bound an upgrade is answered 503, and places come back', async () => {
  const house = await startTestGateway()
  const { port } = house.gateway
  const held = await Promise.all(
    Array.from({ length: limits.preAuthLoopbackMax }, () => RawSocket.upgrade(port)),
  )

  const refused = await RawSocket.upgrade(port).then(() => '', String)
  assert.match(refused, /http 503/)
  for (const raw of held) raw.destroy()
  await until(
    () =>
      RawSocket.upgrade(port).then(
        (raw) => (raw.destroy(), true),
        () => false,
      ),
    'a place',
  )
  await house.stop()
})

door(
  'S09 a silent socket and a dripping head are gone after 10 s, and their fds with them',
  async () => {
    const clock = openFakeClock()
    const house = await startTestGateway({ services: { clock } })
    const { port } = house.gateway
    const before = readdirSync('/proc/self/fd').length
    const silent = Array.from({ length: 20 }, () => new RawSocket(port))
    const dripping = Array.from({ length: 20 }, () => new RawSocket(port))
    await Promise.all([...silent, ...dripping].map(({ socket }) => once(socket, 'connect')))
    const health = house.client()
    await health.connect()

    for (let at = 0; at < limits.headerDeadlineMs; at += 1_000) {
      for (const raw of dripping) raw.write('G')
      await clock.advance(1_000)
    }

    for (const raw of silent) assert.is(await raw.until(() => true), 'http 408')
    for (const raw of [...silent, ...dripping]) await raw.until((heard) => heard === 'end')
    assert.is((await health.request('health')).ok, true)
    await health.close()
    await until(() => readdirSync('/proc/self/fd').length <= before, 'fds')
    await stopWith(house, clock)
  },
)

for (const phase of ['before', 'after'] as const) {
  door(
    `S10 half a frame and half a message are given up after 30 s, ${phase} connect`,
    async () => {
      const clock = openFakeClock()
      const house = await startTestGateway({ services: { clock } })
      const { port } = house.gateway
      const open = () => (phase === 'before' ? RawSocket.upgrade(port) : RawSocket.connected(port))
      const halves = [
        Buffer.of(0x81), // half a header
        rawFrame({ declared: 1_000n, payload: 'x' }),
        rawFrame({ fin: false, payload: '{' }),
      ]
      const sockets = await Promise.all(
        halves.map(async (half) => {
          const raw = await open()
          raw.write(half)
          return raw
        }),
      )
      const whole = await RawSocket.connected(port, 'steady')
      whole.write(rawFrame({ payload: request('health#1') }))
      await whole.until((heard) => heard === 'res ok')

      await clock.advance(limits.halfFrameMs + 2 * limits.halfFrameLookMs)

      for (const raw of sockets) {
        // Before connect its own deadline comes first.
        assert.is(await raw.until((heard) => heard.startsWith('close')), 'close 1008')
        assert.equal(raw.reasons, [
          phase === 'before' ? 'TIMEOUT' : 'a frame was not finished in time',
        ])
      }
      whole.write(rawFrame({ payload: request('health#2') }))
      await until(() => whole.heard.length === 2, 'an answer')
      for (const raw of [...sockets, whole]) raw.destroy()
      await stopWith(house, clock)
    },
  )
}

door('S10 a large frame that comes slowly is let go on', async () => {
  const clock = openFakeClock()
  const house = await startTestGateway({ services: { clock } })
  const raw = await RawSocket.connected(house.gateway.port)
  const frame = rawFrame({ payload: `${request('health#slow')}${' '.repeat(400_000)}` })

  for (let at = 0; at < frame.length; at += 80_000) {
    const read = house.gateway
    raw.write(frame.subarray(at, at + 80_000))
    await until(() => raw.socket.writableLength === 0 && read !== null, 'the write')
    await clock.advance(limits.halfFrameMs - limits.halfFrameLookMs)
  }

  assert.is(await raw.until(() => true), 'res ok')
  raw.destroy()
  await stopWith(house, clock)
})

door(
  'S17 100,000 pings that nobody reads the answers of cost a close, after 64 answers at most',
  async () => {
    const house = await startTestGateway()
    const socket = connect(house.gateway.port, '127.0.0.1')
    socket.on('error', () => {})
    const ping = rawFrame({ opcode: OPCODES.ping, payload: 'p'.repeat(125) })
    const pings = Buffer.concat(Array.from({ length: 100_000 }, () => ping))
    const raw = await RawSocket.connected(house.gateway.port)
    raw.socket.pause()
    raw.write(pings)
    raw.socket.resume()

    assert.is(await raw.until((heard) => !heard.startsWith('pong')), 'close 1008')
    assert.is(raw.heard.filter((heard) => heard.startsWith('pong')).length <= 64, true)
    raw.destroy()
    socket.destroy()
    await house.stop()
  },
)

door('S17 pings at the pace of a client are answered for ever', async () => {
  const clock = openFakeClock()
  const house = await startTestGateway({ services: { clock } })
  const raw = await RawSocket.connected(house.gateway.port)

  for (let n = 1; n <= 200; n += 1) {
    raw.write(rawFrame({ opcode: OPCODES.ping, payload: String(n) }))
    await raw.until((heard) => heard === `pong ${n}`)
    await clock.advance(1_000)
  }

  assert.is(raw.heard.length, 200)
  raw.destroy()
  await stopWith(house, clock)
})

door(
  'S40 a burst of 10,000 requests is answered whole, some with retryAfterMs, others served meanwhile',
  async () => {
    const house = await startTestGateway()
    const quiet = house.client()
    await quiet.connect({ deviceId: 'quiet', subscribe: [] })
    const raw = await RawSocket.connected(house.gateway.port, 'flood')
    const burst = Array.from({ length: 10_000 }, (_, n) =>
      rawFrame({ payload: request(`health#${n}`) }),
    )

    raw.write(...burst)
    let served = 0
    const flood = until(() => raw.answers.length === burst.length, '10,000 answers')
    const finished = flood.then(() => true)
    while (!(await Promise.race([finished, quiet.request('health').then(() => false)]))) served += 1

    const answers = raw.answers as Frame[]
    const limited = answers.filter((frame) => code(frame) === 'RATE_LIMITED')
    assert.ok(answers.filter(({ ok }) => ok).length >= 64)
    assert.ok(limited.length > 0 && served > 0)
    for (const { error } of limited) {
      assert.is(error?.retryable, true)
      assert.ok(Number(error?.details?.['retryAfterMs']) > 0)
    }
    const codes = new Set(answers.map(code))
    assert.equal(codes, new Set([undefined, 'RATE_LIMITED', 'UNAVAILABLE']))
    raw.destroy()
    await house.stop()
  },
)

door('S40 who goes on without listening to retryAfterMs is cut off', async () => {
  const house = await startTestGateway({ services: { clock: openFakeClock() } })
  const raw = await RawSocket.connected(house.gateway.port, 'flood')
  const bad = rawFrame({ payload: request('nonsense#1') })
  const count = limits.requestsBurst + limits.requestsRefusedMax + 10

  raw.write(Buffer.concat(Array.from({ length: count }, () => bad)))

  assert.is(await raw.until((heard) => heard.startsWith('close')), 'close 1008')
  assert.equal(raw.reasons, ['rate limit exceeded'])
  raw.destroy()
  await stopWith(house, house.services.clock)
})

door('S45 an id that is in flight is refused, a method name may be there twice', async () => {
  const memory = openMemory()
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const append: typeof memory.append = async (draft) => {
    if (draft.stream.startsWith('session:')) await held
    return memory.append(draft)
  }
  const house = await startTestGateway({ store: { ...memory, append } })
  const raw = await RawSocket.connected(house.gateway.port)
  const ask = (id: string) => rawFrame({ payload: request(id, { message: 'x' }) })

  raw.write(ask('agent#1'), ask('agent#1'), ask('agent'), ask('agent'), ask('agent#2'))
  await raw.until((heard) => heard === 'res INVALID_REQUEST')
  release()
  await until(() => raw.answers.length === 5, 'all answers')
  raw.write(ask('agent#1'))
  await until(() => raw.answers.length === 6, 'an answer')

  assert.equal(raw.heard.filter((heard) => heard === 'res ok').length, 5)
  assert.is(house.store.head().position > 0, true)
  raw.destroy()
  await house.stop()
})

door('S39 the 31st control-plane write of a minute is refused, by method and device', () => {
  const clock = openFakeClock()
  const writes = new ControlWrites(clock)
  const count = (method: MethodName, device: string): string =>
    codeOf(() => writes.count(method, device))

  for (let n = 0; n < limits.controlWritesMax; n += 1) {
    assert.is(count('history.erase', 'a'), 'none')
  }
  assert.is(count('history.erase', 'a'), 'RATE_LIMITED')
  assert.is(count('history.erase', 'b'), 'none')
  for (let n = 0; n < 100; n += 1) assert.is(count('agent', 'a'), 'none')
  const everyday = (Object.keys(methods) as MethodName[]).filter((name) => !isControlWrite(name))
  assert.ok(everyday.includes('send') && everyday.includes('connect'))
  assert.not.ok(everyday.includes('history.erase'))
  for (let n = 2; n < limits.controlWritersMax; n += 1) count('history.erase', `device ${n}`)
  assert.is(count('history.erase', 'a'), 'RATE_LIMITED', 'it is remembered')
  for (let n = 0; n < limits.controlWritersMax; n += 1) count('history.erase', `other ${n}`)
  assert.is(count('history.erase', 'a'), 'none', 'the oldest are forgotten: memory is bounded')
})

door(
  'S39 over the wire: rate limit exceeded for the method, retryable, and over in a minute',
  async () => {
    const house = await startTestGateway()
    const client = house.client()
    await client.connect({ subscribe: [] })
    const erase = () => client.request('history.erase', { subject: 'irc:nobody', dryRun: true })
    for (let n = 0; n < limits.controlWritesMax; n += 1) await erase()

    const { error } = await erase()

    assert.equal([error?.code, error?.retryable], ['RATE_LIMITED', true])
    assert.is(error?.message, 'rate limit exceeded for history.erase')
    assert.ok(Number(error?.details?.['retryAfterMs']) <= limits.controlWritesWindowMs)
    assert.is((await client.request('health')).ok, true)
    await house.stop()
  },
)

door('S62 a thousand connections leave nothing behind', async () => {
  const house = await startTestGateway()
  const { port } = house.gateway
  const before = readdirSync('/proc/self/fd').length
  for (let n = 0; n < 20; n += 1) {
    const sockets = await Promise.all(Array.from({ length: 50 }, () => RawSocket.upgrade(port)))
    for (const raw of sockets) raw.write(closeFrame(1000))
    for (const raw of sockets) await raw.until((heard) => heard === 'close 1000')
    for (const raw of sockets) raw.destroy()
  }

  await until(() => readdirSync('/proc/self/fd').length <= before, 'fds')
  await house.stop()
})

door.run()
