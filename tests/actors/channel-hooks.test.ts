/** The way in for platforms that come to us, on a whole gateway: signed, once, kept before answered. */
import { request } from 'node:http'
import * as assert from 'uvu/assert'
import type { HookAnswer } from '../../actors/channels/adapter.ts'
import { openWebhook } from '../../actors/channels/webhook.ts'
import { postWebhook } from '../../actors/webhook.ts'
import { resolveConfig } from '../../protocol/config/defaults.ts'
import { signPost, SIGNATURE_HEADER, TIMESTAMP_HEADER } from '../../protocol/channels/webhook.ts'
import { limits } from '../../protocol/limits.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from '../store/cases.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { openTestServices } from '../support/services.ts'
import { FakeTelegram, TELEGRAM_TOKEN } from '../support/telegram-fake.ts'
import { until } from '../support/wait.ts'
import { postMessage, WEBHOOK_SECRET, WebhookPeer } from '../support/webhook-peer.ts'
import { hostOf } from '../support/channel-host.ts'

const hooks = cases('channel hooks')

async function withGateway(
  run: (house: TestGateway, url: string) => Promise<void>,
  { peer, store = openMemory() }: { peer?: WebhookPeer; store?: Store } = {},
): Promise<void> {
  const out = peer === undefined ? {} : { url: peer.url, allowPrivate: true }
  const webhook = { secret: WEBHOOK_SECRET, dmPolicy: 'open', ...out }
  const house = await startTestGateway({
    config: { channels: { webhook } },
    store: { ...store, close: () => Promise.resolve() }, // It outlives the gateway.
  })
  try {
    const url = `http://127.0.0.1:${house.gateway.port}/hooks/message`
    await until(async () => (await postMessage(url, {})) === 400, 'the channel is open')
    await run(house, url)
  } finally {
    await house.stop()
  }
}

const received = (store: Store): unknown[] =>
  readRecords(store)
    .filter(({ event }) => event.type === 'message.received')
    .map(({ event }) => [event['messageId'], event['senderId']])

hooks('HK1 a signed post is taken once, whoever repeats it and after a restart', async () => {
  const store = openMemory()
  const message = { id: 'm1', from: 'ann', text: 'hello' }
  await withGateway(
    async (_, url) => {
      const twice = await Promise.all([postMessage(url, message), postMessage(url, message)])
      assert.equal(twice, [200, 200])
    },
    { store },
  )
  await withGateway(
    async (_, url) => assert.is(await postMessage(url, { ...message, text: 'other' }), 200),
    { store },
  )

  assert.equal(received(store), [['m1', 'ann']])
})

hooks('HK2 S51 what is not signed, too old, or no message leaves no record', async () => {
  await withGateway(async ({ store }, url) => {
    const message = { id: 'm1', from: 'ann', text: 'hello' }
    const old = Date.now() - limits.webhookReplayMs - 5_000
    const wrong = 'another-secret-of-ours'
    const big = { ...message, text: 'x'.repeat(limits.hookBytesMax) }

    assert.equal(
      [
        await postMessage(url, message, { secret: wrong }),
        await postMessage(url, message, { at: old }),
        await postMessage(url, { ...message, from: 'room:x' }),
        await postMessage(url, big),
        await postMessage(url.replace('/hooks/', '/other/'), message),
        (await fetch(url)).status,
        (await fetch(url, { method: 'PUT', body: '{}' })).status,
      ],
      [401, 401, 400, 413, 405, 404, 405],
    )
    assert.equal(received(store), [])
  })
})

hooks('HK8 S51 rooms and people that are named alike are not one another', async () => {
  await withGateway(async ({ store }, url) => {
    const rooms = [
      'ann',
      'Ann',
      'ANN',
      '#ann',
      'a\u0301nn',
      '\u00e1nn',
      'ann:thread:1',
      '../ann',
      ' ann',
    ]
    const posts = [
      { id: 'm1', from: 'ann', text: 'direct' },
      { id: 'm1', from: 'Ann', text: 'another one' },
      ...rooms.map((room) => ({ id: 'm1', from: 'ben', room, mentioned: true, text: room })),
      { id: 'm1', from: 'ben', room: 'ann', thread: '1', mentioned: true, text: 'thread' },
    ]
    for (const post of posts) assert.is(await postMessage(url, post), 200, JSON.stringify(post))
    for (const post of posts) assert.is(await postMessage(url, post), 200, 'and again')

    const taken = readRecords(store).filter(({ event }) => event.type === 'message.received')
    // The thread's message has its room's id: one room, one message.
    assert.is(taken.length, posts.length - 1)
    const sessions = taken.map(({ event }) => String(event['sessionKey']))
    assert.is(new Set(sessions).size, sessions.length, sessions.join(' '))
  })
})

hooks('HK3 a page of a browser, and a host that is not ours, are refused first', async () => {
  await withGateway(async ({ gateway, store }) => {
    const post = (headers: Record<string, string>): Promise<number> =>
      new Promise((resolve, reject) => {
        const body = JSON.stringify({ id: 'm1', from: 'ann', text: 'hello' })
        const timestamp = String(Math.floor(Date.now() / 1_000))
        const signed = {
          [TIMESTAMP_HEADER]: timestamp,
          [SIGNATURE_HEADER]: signPost(WEBHOOK_SECRET, timestamp, body),
        }
        const options = { host: '127.0.0.1', port: gateway.port, path: '/hooks/message' }
        const asked = request(
          { ...options, method: 'POST', headers: { ...signed, ...headers } },
          (answer) => resolve(answer.resume().statusCode ?? 0),
        )
        asked.on('error', reject).end(body)
      })

    assert.equal(
      [
        await post({ origin: 'https://evil.example' }),
        await post({ host: 'evil.example' }),
        await post({}),
      ],
      [403, 403, 200],
    )
    assert.is(received(store).length, 1)
  })
})

hooks(
  'HK4 a program that posts too fast is told to wait; who is not it uses up nothing',
  async () => {
    const services = openTestServices()
    const taken: string[] = []
    const config = resolveConfig({ channels: { webhook: { secret: WEBHOOK_SECRET } } }).webhook!
    const host = hostOf({ received: async ({ messageId }) => void taken.push(messageId) })
    const { hook } = openWebhook(config, host, services, postWebhook)
    const post = async (n: number, secret = WEBHOOK_SECRET): Promise<HookAnswer> => {
      const body = Buffer.from(JSON.stringify({ id: `m${n}`, from: 'ann', text: 'hello' }))
      const timestamp = String(Math.floor(services.clock.now() / 1_000))
      const signature = signPost(secret, timestamp, body)
      const headers = { [TIMESTAMP_HEADER]: timestamp, [SIGNATURE_HEADER]: signature }
      return hook!.answer({ headers, body })
    }

    for (let n = 0; n < 500; n += 1) assert.is((await post(n, 'of somebody else')).status, 401)
    for (let n = 0; n < limits.webhookBurst; n += 1) assert.is((await post(n)).status, 200)
    const { status, retryAfterMs = 0 } = await post(limits.webhookBurst)
    assert.equal([status, retryAfterMs], [429, 1_000 / limits.webhookPerSecond])
    await services.clock.advance(retryAfterMs)
    assert.is((await post(limits.webhookBurst)).status, 200)

    assert.is(taken.length, limits.webhookBurst + 1)
  },
)

hooks('HK5 an answer is posted, signed, with its delivery’s id, to whom wrote', async () => {
  const peer = await WebhookPeer.start()
  try {
    await withGateway(
      async ({ store }, url) => {
        await postMessage(url, { id: 'm1', from: 'ann', text: 'hello' })
        await until(() => peer.posted.length > 0, 'the answer')

        const { headers, body } = peer.posted[0]!
        const { id, to, text } = JSON.parse(body) as Record<string, string>
        assert.equal([to, text], ['ann', 'echo: hello'])
        assert.is(headers['x-openclaw-delivery'], id)
        const timestamp = String(headers[TIMESTAMP_HEADER])
        assert.is(headers[SIGNATURE_HEADER], signPost(WEBHOOK_SECRET, timestamp, body))
        const sent = (): boolean =>
          readRecords(store).some(
            ({ stream, value }) => stream === `delivery:${id}` && value === 'sent',
          )
        await until(sent, 'sent')
      },
      { peer },
    )
  } finally {
    await peer.stop()
  }
})

hooks('HK7 M20 a program that names a date is asked again then', async () => {
  const peer = await WebhookPeer.start()
  try {
    const to = { url: peer.url, secret: WEBHOOK_SECRET, allowPrivate: true }
    const at = Date.parse('2026-01-01T00:00:00Z')
    const told: unknown[] = []
    for (const date of ['Thu, 01 Jan 2026 00:00:30 GMT', 'Wed, 31 Dec 2025 00:00:00 GMT', '4']) {
      peer.refuse(503, { 'retry-after': date })
      told.push((await postWebhook(to, { id: 'd', body: '{}', at })).retryAfterMs)
    }

    assert.equal(told, [30_000, null, 4_000])
  } finally {
    await peer.stop()
  }
})

hooks('PR7 I7 one key sends one message, whoever asks again, also behind a restart', async () => {
  const peer = await WebhookPeer.start()
  const store = openMemory()
  const kept = { ...store, close: () => Promise.resolve() }
  const webhook = { secret: WEBHOOK_SECRET, url: peer.url, allowPrivate: true }
  const sending = { channel: 'webhook', target: 'ann', message: 'tea', idempotencyKey: 'k' }
  const answers: unknown[] = []
  let deviceToken: unknown = undefined
  try {
    for (const life of [1, 2]) {
      const house = await startTestGateway({ config: { channels: { webhook } }, store: kept })
      const client = house.client()
      const hello = await client.connect(life === 1 ? {} : { auth: { deviceToken } })
      deviceToken = hello.payload['deviceToken'] ?? deviceToken
      const both = await Promise.all([
        client.request('send', sending),
        client.request('send', sending),
      ])
      await until(() => peer.posted.length > 0, 'the message')
      const other = await client.request('send', { ...sending, message: 'coffee' })
      answers.push(...both.map(({ payload }) => payload['deliveryId']), other.error?.code)
      await house.stop()
    }
  } finally {
    await peer.stop()
  }

  const [id] = answers
  assert.type(id, 'string')
  const conflict = 'IDEMPOTENCY_CONFLICT'
  assert.equal(answers, [id, id, conflict, id, id, conflict])
  assert.equal(peer.texts, ['tea'])
  assert.is(peer.posted.length, 1)
})

hooks('CH3 a person tries a failed channel again, and is told where none has failed', async () => {
  const server = await FakeTelegram.start()
  server.token = 'another'
  const telegram = { botToken: TELEGRAM_TOKEN, apiRoot: server.url }
  const house = await startTestGateway({ config: { channels: { telegram } } })
  try {
    const client = house.client()
    await client.connect({ subscribe: [] })
    const health = async (): Promise<Record<string, unknown>> =>
      (await client.request('health')).payload
    const is = (state: string) => async () =>
      (await health())['channels']?.['telegram' as never] === state

    await until(is('failed'), 'it has failed')
    const { status, reasons } = await health()
    server.token = TELEGRAM_TOKEN
    const { payload } = await client.request('gateway.release')
    await until(is('connected'), 'it is connected')
    const again = await client.request('gateway.release')

    assert.equal([status, reasons], ['degraded', { telegram: 'telegram: 401 Unauthorized' }])
    assert.equal([payload['released'], payload['retried']], [false, ['telegram']])
    assert.equal(again.payload['retried'], [])
    assert.not.ok('reasons' in (await health()))
  } finally {
    await house.stop()
    await server.stop()
  }
})

hooks('HK6 S47 no secret of a channel is in a record, a line or a report', async () => {
  const token = '7700:canary-token'
  const config = {
    channels: {
      telegram: { botToken: token, apiRoot: 'http://127.0.0.1:9' },
      webhook: { secret: 'canary-secret-of-16', url: 'https://h.example/canary-path' },
    },
  }
  const house = await startTestGateway({ config })
  try {
    const client = house.client()
    await client.connect({ subscribe: [] })
    const look = async (): Promise<string> =>
      JSON.stringify((await client.request('health', { probe: true })).payload)
    await until(async () => (await look()).includes('ECONNREFUSED'), 'a fault of telegram')
    const shown = JSON.stringify((await client.request('config.get')).payload)

    const { lines } = house.services
    const all = [
      await look(),
      shown,
      JSON.stringify(lines),
      JSON.stringify(readRecords(house.store)),
    ]
    for (const text of all) assert.not.match(text, /canary/)
  } finally {
    await house.stop()
  }
})

hooks.run()
