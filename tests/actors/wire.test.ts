/** The specification's dialect over a real socket: frames, methods, errors, idempotency. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { canonical, sha256Hex } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import { openMemory } from '../../store/memory.ts'
import type { Frame } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'

const wire = suite<{ house: TestGateway }>('wire')
wire.before.each(async (context) => {
  context.house = await startTestGateway()
})
wire.after.each(({ house }) => house.stop())

const code = (frame: Frame) => frame.error?.code
const path = (frame: Frame) => frame.error?.details?.['path']

wire(
  'S21 text that is no JSON before connect is refused and closed with 1008',
  async ({ house }) => {
    const client = house.client()
    await client.send('{nonsense')

    const answer = await client.frame(({ type }) => type === 'res', 'an answer')

    assert.is(code(answer), 'FRAME_INVALID')
    assert.is((await client.closed).code, 1008)
  },
)

wire('S21 a bad frame after connect is answered and the connection goes on', async ({ house }) => {
  const client = house.client()
  await client.connect()
  await client.send('[]')
  const deep = `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`
  await client.send(`{"type":"req","id":"health#deep","params":${deep}}`)

  assert.is(
    code(await client.frame(({ id, type }) => id === '' && type === 'res', 'refusal')),
    'FRAME_INVALID',
  )
  assert.is((await client.request('health')).ok, true)
  assert.is(client.frames.filter((frame) => code(frame) === 'FRAME_INVALID').length, 2)
})

wire('I1 a text with half a character is refused: it could not be read back', async ({ house }) => {
  for (const params of [
    '{"deviceId":"d","subscribe":["\\ud800"]}',
    '{"deviceId":"d","\\udc00":1}',
  ]) {
    const client = house.client()
    await client.send(`{"type":"req","id":"connect","params":${params}}`)

    assert.is(code(await client.frame(({ type }) => type === 'res', 'refusal')), 'FRAME_INVALID')
  }
  const whole = await house.client().connect({ subscribe: ['\u{1f600}'] })
  assert.is(whole.ok, true)
})

wire('S24 unknown methods are refused by name, also those of every object', async ({ house }) => {
  const client = house.client()
  await client.connect()

  for (const method of ['nonsense', 'toString', '__proto__', 'constructor']) {
    assert.is(code(await client.request(method)), 'UNKNOWN_METHOD')
  }
})

wire('S25 bad params name the path of the fault and leave no record', async ({ house }) => {
  const client = house.client()
  await client.connect({ subscribe: [] })
  const before = house.store.head().position
  const cases: [string, unknown, string][] = [
    ['agent', { message: 42 }, 'message'],
    ['agent', {}, 'message'],
    ['agent', { message: 'x', thinking: 'deep' }, 'thinking'],
    ['agent', { message: 'x', surprise: 1 }, 'surprise'],
    ['agent', { message: 'x', sessionKey: 'agent::x' }, 'sessionKey'],
    ['send', { channel: 'irc', message: 'x' }, 'target'],
    ['health', { probe: 'yes' }, 'probe'],
    ['subscribe', { events: 'tick' }, 'events'],
  ]

  for (const [method, params, fault] of cases) {
    const answer = await client.request(method, params)
    assert.equal(
      [code(answer), path(answer)],
      ['INVALID_REQUEST', fault],
      `${method} ${JSON.stringify(params)}`,
    )
    assert.match(answer.error?.message ?? '', fault)
  }
  assert.is(house.store.head().position, before + 2) // The connection's own opening, before `agent`.
})

wire(
  'S12 P6 after connect a frame may be larger than 64 KiB, and not than 25 MiB',
  async ({ house }) => {
    const client = house.client()
    await client.connect({ subscribe: ['agent'] })
    const message = 'x'.repeat(200_000)

    const answer = await client.request('agent', { message })
    assert.is(answer.ok, true)
    const done = await client.event('agent.done')
    assert.is(done.payload['text'], `echo: ${message}`)

    client.socket.send('x'.repeat(limits.frameBytesMax + 1))
    assert.is((await client.closed).code, 1009)
  },
)

wire('W5 what follows # in an id is the client’s own and comes back', async ({ house }) => {
  const client = house.client()
  await client.connect()
  await client.send('{"type":"req","id":"health#a#b c","params":{}}')
  await client.send('{"type":"req","id":"health"}')

  assert.is((await client.frame(({ id }) => id === 'health#a#b c', 'a')).ok, true)
  assert.is((await client.frame(({ id }) => id === 'health', 'b')).ok, true)
})

wire('W6 health has the fields of the specification', async ({ house }) => {
  const client = house.client()
  await client.connect()

  const { payload } = await client.request('health', { probe: true })

  assert.is(payload['status'], 'healthy')
  for (const field of ['uptime', 'sessions', 'agents']) assert.type(payload[field], 'number')
  assert.equal(payload['channels'], {})
  assert.is((payload['probes'] as { journal: { ok: boolean } }).journal.ok, true)
})

wire('W7 sessions.list rows have all seven fields, newest first', async ({ house }) => {
  const client = house.client()
  await client.connect()
  for (const sessionKey of ['agent:main:one', 'agent:main:two']) {
    await client.request('agent', { message: 'hi', sessionKey })
    await client.event('agent.done', (payload) => payload['sessionKey'] === sessionKey)
  }

  const { payload } = await client.request('sessions.list')

  const rows = payload['sessions'] as Record<string, unknown>[]
  assert.equal(
    rows.map(({ key }) => key),
    ['agent:main:two', 'agent:main:one'],
  )
  assert.equal(Object.keys(rows[0] ?? {}), [
    'key',
    'channel',
    'peer',
    'model',
    'created',
    'lastMessageAt',
    'messageCount',
  ])
  assert.equal(
    [rows[0]?.['channel'], rows[0]?.['model'], rows[0]?.['messageCount']],
    [null, 'echo', 2],
  )
  assert.match(String(rows[0]?.['created']), /^\d{4}-\d\d-\d\dT/)
})

wire(
  'I7 PR7 the same idempotency key gives the same answer and one run; another body conflicts',
  async ({ house }) => {
    const client = house.client()
    await client.connect()
    const ask = (message: string) => client.request('agent', { message, idempotencyKey: 'k1' })

    const [first, second] = await Promise.all([ask('hi'), ask('hi')])
    await client.event('agent.done')
    const third = await ask('hi')

    assert.equal(second.payload, first.payload)
    assert.equal(third.payload, first.payload)
    assert.is(code(await ask('other')), 'IDEMPOTENCY_CONFLICT')
    assert.is(
      readRecords(house.store).filter(({ event }) => event.type === 'message.accepted').length,
      1,
    )
  },
)

wire('S44 P21 another device may use the same key for itself', async ({ house }) => {
  const one = house.client()
  const two = house.client()
  await one.connect({ deviceId: 'one' })
  await two.connect({ deviceId: 'two' })

  const first = await one.request('agent', { message: 'a', idempotencyKey: 'k' })
  const second = await two.request('agent', { message: 'b', idempotencyKey: 'k' })

  assert.equal([first.ok, second.ok], [true, true])
})

wire(
  'W8 send to an unknown channel is refused with the names of those that are',
  async ({ house }) => {
    const client = house.client()
    await client.connect()

    const answer = await client.request('send', { channel: 'pigeon', target: 'x', message: 'y' })

    assert.equal([code(answer), path(answer)], ['CHANNEL_UNKNOWN', 'channel'])
  },
)

wire(
  'S47 a key with a text is remembered without anything from which the text can be guessed',
  async ({ house }) => {
    const client = house.client()
    await client.connect()
    const ask = (message: string, idempotencyKey: string) =>
      client.request('agent', { message, idempotencyKey })

    await ask('yes', 'k1')
    await ask('no', 'k2')
    const marks = readRecords(house.store).flatMap(({ event }) => event['idempotency'] ?? [])
    const digests = marks.map((mark) => (mark as { digest: string }).digest)

    // Both asked the same of the same session but for the text and the key.
    const plain = (key: string) =>
      sha256Hex(canonical(['agent', { message: null, idempotencyKey: key }]))
    assert.equal(digests, [plain('k1'), plain('k2')])
    assert.is(code(await ask('no', 'k1')), 'IDEMPOTENCY_CONFLICT')
    assert.is((await ask('yes', 'k1')).ok, true)
  },
)

wire.run()

const alone = suite('wire alone')

alone('S40 too many outstanding requests are refused, retryable, with no effect', async () => {
  const memory = openMemory()
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const slow = async (draft: Parameters<typeof memory.append>[0]) => {
    if (draft.stream.startsWith('session:')) await held
    return memory.append(draft)
  }
  const house = await startTestGateway({ store: { ...memory, append: slow } })
  const client = house.client()
  await client.connect()
  const asks = Array.from({ length: limits.outstandingRequestsMax + 10 }, (_, n) =>
    client.request('agent', { message: `m${n}`, sessionKey: `agent:main:s${n}` }),
  )
  await client.frame((frame) => code(frame) === 'UNAVAILABLE', 'a refusal')
  release()

  const answers = await Promise.all(asks)

  const refused = answers.filter((answer) => code(answer) === 'UNAVAILABLE')
  assert.is(refused.length, 10)
  assert.ok(refused.every(({ error }) => error?.retryable === true))
  const accepted = readRecords(memory).filter(({ event }) => event.type === 'message.accepted')
  assert.is(accepted.length, limits.outstandingRequestsMax)
  await house.stop()
})

alone('I7 PR7 an idempotency key answers with the stored result after a restart', async () => {
  const store = openMemory()
  const kept = { ...store, close: () => Promise.resolve() }
  const before = await startTestGateway({ store: kept })
  const client = before.client()
  const hello = await client.connect()
  const auth = { deviceToken: hello.payload['deviceToken'] }
  const first = await client.request('agent', { message: 'hi', idempotencyKey: 'k' })
  await client.event('agent.done')
  await before.stop()

  const after = await startTestGateway({ store: kept })
  const again = after.client()
  await again.connect({ auth })
  const second = await again.request('agent', { message: 'hi', idempotencyKey: 'k' })
  const other = await again.request('agent', { message: 'ho', idempotencyKey: 'k' })

  assert.equal(second.payload, first.payload)
  assert.is(code(other), 'IDEMPOTENCY_CONFLICT')
  await after.stop()
})

alone.run()
