/** What clients are told: order, subscriptions, resuming, the stream of a connection. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import { GatewayError } from '../../protocol/errors.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { openFakeClock, settle } from '../support/clock.ts'
import type { Frame } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'

const notices = suite<{ house: TestGateway }>('notices')
notices.before.each(async (context) => {
  context.house = await startTestGateway()
})
notices.after.each(({ house }) => house.stop())

const code = (frame: Frame) => frame.error?.code
const path = (frame: Frame) => frame.error?.details?.['path']

notices(
  'W3 agent is accepted durably, then streams started, deltas and done, in order and gapless',
  async ({ house }) => {
    const client = house.client()
    await client.connect()

    const answer = await client.request('agent', { message: 'hello old friend' })
    const done = await client.event('agent.done')

    assert.equal(
      [answer.payload['status'], answer.payload['sessionKey']],
      ['accepted', 'agent:main:main'],
    )
    assert.is(done.payload['text'], 'echo: hello old friend')
    const run = client.events.filter(({ event }) => event?.startsWith('agent'))
    assert.equal(run[0]?.payload['status'], 'started')
    const deltas = run.filter(({ event }) => event === 'agent.delta')
    assert.is(deltas.map(({ payload }) => payload['text']).join(''), 'echo: hello old friend')
    assert.equal(
      deltas.map(({ payload }) => payload['index']),
      deltas.map((_, index) => index),
    )
    assert.is(run.at(-1), done)
    assert.equal(
      client.events.map(({ seq }) => seq),
      client.events.map((_, index) => index + 1),
    )
  },
)

notices('W19 a client’s own name of a run is in every notice of it', async ({ house }) => {
  const client = house.client()
  await client.connect()

  await client.request('agent', { message: 'named', runKey: 'mine' })
  const done = await client.event('agent.done')
  await client.request('agent', { message: 'bare' })
  await client.event('agent.done', (payload) => payload['runId'] !== done.payload['runId'])

  const told = client.events.filter(({ event }) => event?.startsWith('agent'))
  const named = told.filter(({ payload }) => payload['runId'] === done.payload['runId'])
  assert.equal([...new Set(named.map(({ payload }) => payload['runKey']))], ['mine'])
  assert.ok(named.length >= 3)
  const bare = told.filter(({ payload }) => payload['runId'] !== done.payload['runId'])
  assert.not.ok(bare.some(({ payload }) => 'runKey' in payload))
})

notices(
  'W4 a client is told of the event types that it named and of no others',
  async ({ house }) => {
    const all = house.client()
    const some = house.client()
    const none = house.client()
    await all.connect({ deviceId: 'all' })
    await some.connect({ deviceId: 'some', subscribe: ['agent.done'] })
    await none.connect({ deviceId: 'none', subscribe: [] })

    await none.request('agent', { message: 'hi' })
    await all.event('agent.done')
    await some.event('agent.done')

    assert.equal([...new Set(some.events.map(({ event }) => event))], ['agent.done'])
    assert.equal(none.events, [])
    const changed = await some.request('subscribe', { events: ['presence'] })
    assert.is(changed.ok, true)
    await none.close()
    await some.event('presence', ({ deviceId }) => deviceId === 'none')
  },
)

notices(
  'W9 a client that resumes is told all that was journalled, once and in order',
  async ({ house }) => {
    const first = house.client()
    await first.connect({ deviceId: 'a' })
    await first.request('agent', { message: 'one' })
    const seen = await first.event('agent.done')
    await first.close()
    const other = house.client()
    await other.connect({ deviceId: 'b' })
    await other.request('agent', { message: 'two' })
    await other.event('agent.done')

    const again = house.client()
    await again.connect({ deviceId: 'a', resumeFrom: seen.payload['position'] })
    await other.request('agent', { message: 'three' })
    await again.event('agent.done', ({ text }) => text === 'echo: three')

    const done = again.events
      .filter(({ event }) => event === 'agent.done')
      .map(({ payload }) => payload['text'])
    assert.equal(done, ['echo: two', 'echo: three'])
    const positions = again.events
      .map(({ payload }) => payload['position'])
      .filter((at) => at !== undefined) as number[]
    assert.equal(
      positions,
      [...positions].sort((a, b) => a - b),
    )
  },
)

notices('W9 a client far behind is read to at its own pace, not cut off', async ({ house }) => {
  const writer = house.client()
  await writer.connect({ deviceId: 'a' })
  const text = 'x'.repeat(700_000)
  const count = Math.ceil(limits.connectionBufferBytesMax / text.length) + 2
  for (let n = 0; n < count; n += 1) {
    const { payload } = await writer.request('agent', { message: `${n} ${text}` })
    await writer.event('agent.done', ({ runId }) => runId === payload['runId'])
  }

  const again = house.client()
  await again.connect({ deviceId: 'b', subscribe: ['agent.done'], resumeFrom: 0 })
  await writer.request('agent', { message: 'last' })
  await again.event('agent.done', ({ text: answer }) => answer === 'echo: last')

  assert.equal(
    again.events.map(({ payload }) => Number.parseInt(String(payload['text']).slice(6), 10)),
    [...Array.from({ length: count }, (_, n) => n), Number.NaN],
  )
})

notices('W9 a position beyond the end is refused', async ({ house }) => {
  const answer = await house.client().connect({ resumeFrom: 1_000_000 })

  assert.equal([code(answer), path(answer)], ['RESUME_TOO_OLD', 'resumeFrom'])
})

notices(
  'D-12 a connection that only reads leaves no stream, and one record an hour of its device',
  async ({ house }) => {
    const client = house.client()
    const { payload } = await client.connect({ deviceId: 'reader', subscribe: [] })
    await client.request('health')
    await client.close()
    const before = house.store.head().position
    for (let n = 0; n < 5; n += 1) {
      const again = house.client()
      await again.connect({
        deviceId: 'reader',
        subscribe: [],
        auth: { deviceToken: payload['deviceToken'] },
      })
      await again.request('health')
      await again.close()
    }
    await settle()

    assert.is(house.store.head().position, before)
    assert.is(
      readRecords(house.store).filter(({ stream }) => stream.startsWith('connection:')).length,
      0,
    )
  },
)

notices(
  'W10 opening, readiness, subscription and closing are the stream of a connection',
  async ({ house }) => {
    const client = house.client()
    const { payload } = await client.connect()
    await client.request('subscribe', { events: ['tick'] })
    await client.close()
    const stream = `connection:${String(payload['connectionId'])}`
    while (house.store.version(stream) < 4) await settle()

    const types = readRecords(house.store)
      .filter((record) => record.stream === stream)
      .map(({ event }) => event.type)

    assert.equal(types, [
      'connection.opened',
      'connection.readied',
      'connection.subscribed',
      'connection.closed',
    ])
  },
)

notices('W12 a graceful stop tells clients and closes with 1012', async ({ house }) => {
  const client = house.client()
  await client.connect()

  await house.gateway.stop('test')

  await client.event('shutdown')
  assert.is((await client.closed).code, 1012)
})

notices.run()

const alone = suite('notices alone')

alone('W13 tick comes every 30 s with the position', async () => {
  const clock = openFakeClock()
  const house = await startTestGateway({ services: { clock } })
  const client = house.client()
  await client.connect({ subscribe: ['tick'] })

  for (let n = 0; n < 3; n += 1) await clock.advance(limits.tickIntervalMs)
  await client.frame(({ seq }) => seq === 3, 'third tick')

  assert.equal(
    client.events.map(({ event }) => event),
    ['tick', 'tick', 'tick'],
  )
  const [first, second] = client.events.map(({ payload }) => Number(payload['ts']))
  assert.is(Number(second) - Number(first), limits.tickIntervalMs)
  const stopped = house.stop()
  await clock.advance(5_000)
  await stopped
})

alone('L5 a stop comes to its end on a full disk too', async () => {
  const memory = openMemory()
  let isFull = false
  let isClosed = false
  const refuse = () => Promise.reject(new GatewayError('STORE_LOW_SPACE', 'no room'))
  const store: Store = {
    ...memory,
    append: (draft) => (isFull ? refuse() : memory.append(draft)),
    putCheckpoint: (...given) => (isFull ? refuse() : memory.putCheckpoint(...given)),
    close: () => {
      isClosed = true
      return memory.close()
    },
  }
  const house = await startTestGateway({ store })
  const client = house.client()
  await client.connect()

  isFull = true
  await house.gateway.stop('test')

  assert.is((await client.closed).code, 1012)
  assert.is(isClosed, true)
  await house.stop()
})

alone.run()
