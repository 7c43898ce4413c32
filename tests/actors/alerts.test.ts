/** Alerts on real HTTP: signed, retried, rate-limited, and never sent into this network unasked. */
import '../../actors/trap.ts'
import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { isPrivate } from '../../actors/addresses.ts'
import { postWebhook } from '../../actors/webhook.ts'
import { resolveConfig } from '../../protocol/config/defaults.ts'
import { limits } from '../../protocol/limits.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from '../store/cases.ts'
import { settle } from '../support/clock.ts'
import { startTestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { until } from '../support/wait.ts'

const alerts = cases('alerts')
const SECRET = 'a secret of the owner'

interface Posted {
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A receiver that answers with the statuses given, then with 204. */
async function withReceiver(
  statuses: number[],
  run: (url: string, posted: Posted[]) => Promise<void>,
): Promise<void> {
  const posted: Posted[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      posted.push({ headers: request.headers, body })
      const status = statuses.shift() ?? 204
      response.writeHead(status, { location: '/elsewhere', 'retry-after': '0' }).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  try {
    await run(`http://127.0.0.1:${port}/hook?room=1`, posted)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

function configOf(webhook: string, more: object = {}): object {
  const own = { webhook, webhookSecret: SECRET, webhookAllowPrivate: true }
  return { gateway: { alerts: { ...own, ...more } } }
}

function textsOf(posted: readonly Posted[]): string[] {
  return posted.map(({ body }) => (JSON.parse(body) as { text: string }).text)
}

alerts('AL6 a backup that is stale is posted once, signed; its end is one summary', async () => {
  await withReceiver([], async (url, posted) => {
    let age: number | null = limits.backupStaleMs + 3_600_000
    const beats: (() => void)[] = []
    const house = await startTestGateway({
      config: configOf(url),
      backupAgeMs: () => age,
      beats,
    })
    try {
      await until(() => posted.length === 1, 'alert')
      beats.shift()?.()
      await settle()
      assert.is(posted.length, 1, 'the same trouble is not told again')
      age = 1_000
      beats.shift()?.()
      await until(() => posted.length === 2, 'summary')

      assert.equal(textsOf(posted), [
        'OpenClaw gateway: the newest backup is 169 hours old',
        'OpenClaw gateway: all is well again: backup',
      ])
      const { headers, body } = posted[0]!
      const signed = `${String(headers['x-openclaw-timestamp'])}.${body}`
      const digest = createHmac('sha256', SECRET).update(signed).digest('hex')
      assert.is(headers['x-openclaw-signature'], `sha256=${digest}`)
      assert.is(headers['x-openclaw-delivery'], (JSON.parse(body) as { id: string }).id)
      const done = readRecords(house.store).filter(
        ({ stream, event }) => stream === 'alert:main' && event.type === 'effect.done',
      )
      assert.ok(done.length >= 1, 'its outcome is a record')
    } finally {
      await house.stop()
    }
  })
})

alerts('AL7 started after a crash is told; after an ordered end nothing is', async () => {
  await withReceiver([], async (url, posted) => {
    const store = openMemory()
    const stays = { ...store, close: () => Promise.resolve() }
    const first = await startTestGateway({ config: configOf(url), store: stays })
    await first.stop()
    const ordered = posted.length
    await store.append({
      stream: 'gateway:main',
      expectedVersion: store.version('gateway:main'),
      fields: [...store.stream('gateway:main')][0]!.fields,
    })

    const second = await startTestGateway({ config: configOf(url), store: stays })
    await until(() => posted.length === 1, 'alert')
    await second.stop()

    assert.is(ordered, 0)
    assert.match(textsOf(posted)[0]!, /^OpenClaw gateway: version .* was started after a crash$/)
  })
})

alerts('AL8 what answers and what does not: statuses, redirects, nobody', async () => {
  await withReceiver([503, 429, 404, 302, 200], async (url, posted) => {
    const target = { url, secret: SECRET, allowPrivate: true }
    const post = (where = target) => postWebhook(where, { id: 'a1', body: '{}', at: 1_000 })

    const ends = [await post(), await post(), await post(), await post(), await post()]

    assert.equal(
      ends.map(({ status, retryable }) => [status, retryable]),
      [
        [503, true],
        [429, true],
        [404, false],
        [302, false],
        [200, false],
      ],
    )
    assert.is(posted.length, 5, 'a redirect is not followed')
    const nobody = await post({ ...target, url: 'http://127.0.0.1:1/' })
    assert.equal([nobody.status, nobody.retryable], [0, true])
  })
})

alerts(
  'AL9 P40 an address that only this network knows is refused unless it is allowed',
  async () => {
    await withReceiver([], async (url, posted) => {
      for (const host of [
        '127.0.0.1',
        'localhost',
        '[::1]',
        '[::ffff:127.0.0.1]',
        '169.254.169.254',
      ]) {
        const target = { url: url.replace('127.0.0.1', host), secret: SECRET, allowPrivate: false }
        const { status, retryable, reason } = await postWebhook(target, {
          id: 'a',
          body: '{}',
          at: 0,
        })
        assert.equal([status, retryable], [0, false], host)
        assert.match(reason, 'is a private address')
      }
      assert.equal(posted, [])
    })
    const inside =
      '0.0.0.0 10.1.2.3 100.64.0.1 127.9.9.9 169.254.1.1 172.31.0.1 192.168.1.1 198.18.0.1 224.0.0.1 ' +
      '255.255.255.255 :: ::1 ::ffff:10.0.0.1 ::ffff:7f00:1 64:ff9b::a00:1 fc00::1 fd12::1 fe80::1 ff02::1 ' +
      '::7f00:1 ::ffff:0:7f00:1 3fff::1 5f00::1'
    const outside = ['1.1.1.1', '100.128.0.1', '172.32.0.1', '192.169.0.1', '2606:4700::1111']
    for (const address of inside.split(' ')) {
      assert.is(isPrivate(address), true, address)
    }
    for (const address of [...outside, '::ffff:8.8.8.8'])
      assert.is(isPrivate(address), false, address)
  },
)

alerts('AL10 a configuration that would tell nobody, or in the clear, is refused', () => {
  const open = (own: object) => () => void resolveConfig({ gateway: { alerts: own } })
  const webhook = 'https://hooks.example/x'

  assert.throws(open({ webhook }), /webhookSecret: required/)
  assert.throws(open({ webhook: 'http://hooks.example/x', webhookSecret: SECRET }), /an https URL/)
  assert.throws(open({ webhook: 'https://me:you@hooks.example', webhookSecret: SECRET }), /no user/)
  assert.throws(open({ channel: 'irc' }), /gateway\.alerts\.to: required/)
  assert.not.throws(open({ channel: 'irc', to: 'ann' }))
  assert.not.throws(open({ webhook, webhookSecret: SECRET }))
  assert.is(resolveConfig({ gateway: { alerts: {} } }).gateway.alerts, null)
})

alerts.run()
