/** Host, Origin and URL: what is refused before any state is made, for HTTP and for upgrades. */
import '../../actors/trap.ts'
import { once } from 'node:events'
import { connect } from 'node:net'
import { hostname } from 'node:os'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Clock, systemClock } from '../../actors/services.ts'
import { toGatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { within } from '../support/wait.ts'

const hosts = suite<{ house: TestGateway }>('hosts')
hosts.before.each(async (context) => {
  const gateway = {
    allowedHosts: ['gateway.example', 'tunnel.example:9000'],
    allowedOrigins: ['https://ui.example'],
    controlUi: { allowedOrigins: ['https://ui2.example:8443'] },
  }
  context.house = await startTestGateway({ config: { gateway } })
})
hosts.after.each(({ house }) => house.stop())

const UPGRADE = [
  'connection: upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
]

/** Sends a request as bytes; resolves with the status of the answer. */
async function status(house: TestGateway, lines: readonly string[], target = '/'): Promise<number> {
  const socket = connect({ port: house.gateway.port, host: '127.0.0.1' })
  socket.write([`GET ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n'))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return Number(answer.toString('latin1').split(' ')[1])
}

/** The statuses of the same head, as an upgrade and as a plain request. */
async function both(
  house: TestGateway,
  lines: readonly string[],
  target?: string,
): Promise<number[]> {
  const path = target ?? '/healthz'
  return [await status(house, [...lines, ...UPGRADE], target), await status(house, lines, path)]
}

hosts(
  'S01 S02 P1 an Origin is refused unless it is listed, letter by letter',
  async ({ house }) => {
    const { port } = house.gateway
    const host = `host: 127.0.0.1:${port}`
    const refused = [
      'https://evil.example',
      'null',
      'file://',
      '',
      'http://localhost.evil.example',
      'http://127.0.0.1.evil.example',
      `http://127.0.0.1:${port + 1}`,
      'http://127.0.0.1',
      `http://localhost:${port}`,
      `https://127.0.0.1:${port}`,
      `HTTP://127.0.0.1:${port}`,
      `http://127.0.0.1:${port}/`,
      `http://127.0.0.1.:${port}`,
      `http://[::1]:${port}`,
      'https://UI.example',
      'https://ui.example.',
      'https://ui.example:443',
      'https://ui.example, https://evil.example',
      'https://uı.example',
      'https://xn--u-wga.example',
      'https://ui2.example',
    ]
    const before = house.store.head().position

    for (const origin of refused) {
      assert.equal(await both(house, [host, `origin: ${origin}`]), [403, 403], origin)
    }
    const types = new Set(
      readRecords(house.store)
        .slice(before)
        .map(({ event }) => event.type),
    )
    assert.equal([...types], ['connections.refused'])
    for (const origin of [
      `http://127.0.0.1:${port}`,
      'https://ui.example',
      'https://ui2.example:8443',
    ]) {
      assert.equal(await both(house, [host, `origin: ${origin}`]), [101, 200], origin)
    }
  },
)

hosts('S04 P2 a Host is one of ours, with our port, once', async ({ house }) => {
  const { port } = house.gateway
  const allowed = [
    `127.0.0.1:${port}`,
    `localhost:${port}`,
    `LOCALHOST:${port}`,
    `[::1]:${port}`,
    `192.0.2.7:${port}`, // An address cannot be made to point elsewhere.
    'localhost',
    'gateway.example',
    `gateway.example:${port}`,
    'tunnel.example:9000',
  ]
  const refused = [
    'evil.example',
    `evil.example:${port}`,
    `127.0.0.1:${port + 1}`,
    'localhost:80',
    `localhost.evil.example:${port}`,
    `127.0.0.1.evil.example:${port}`,
    `localhost.:${port}`,
    `gateway.example:${port + 1}`,
    `tunnel.example:${port}`,
    'tunnel.example',
    `[::1:${port}`,
    `127.0.0.1:${port}@evil.example`,
    '2130706433',
    '0x7f.1',
    '',
  ]

  for (const host of allowed) assert.equal(await both(house, [`host: ${host}`]), [101, 200], host)
  for (const host of refused) assert.equal(await both(house, [`host: ${host}`]), [403, 403], host)
  const two = [`host: 127.0.0.1:${port}`, 'host: evil.example']
  assert.equal(await both(house, two), [400, 400])
  const absolute = `http://127.0.0.1:${port}/healthz`
  assert.equal(await both(house, [`host: 127.0.0.1:${port}`], absolute), [400, 400])
  assert.equal(await both(house, []), [400, 400])
})

hosts('S59 P3 a credential in a URL is refused and stands in no log', async ({ house }) => {
  const host = `host: 127.0.0.1:${house.gateway.port}`
  for (const target of [
    '/?token=hunter2hunter2',
    '/?x=1&authToken=hunter2hunter2',
    '/?password=hunter2hunter2',
    '/?access_token=hunter2hunter2',
    '/?%74oken=hunter2hunter2',
    '/?TOKEN=hunter2hunter2',
    '/?apiKey=hunter2hunter2',
    '/?bootstrapToken=hunter2hunter2',
    '/?session=hunter2hunter2',
    '/?session=main&key=hunter2hunter2',
  ]) {
    assert.equal(await both(house, [host], target), [400, 400], target)
  }
  assert.equal(await both(house, [host], '/healthz?verbose=1'), [101, 200])
  // The key of a conversation is none: upstream's pages keep it in their address.
  assert.equal(await both(house, [host], '/healthz?session=agent:main:main'), [101, 200])
  const said = JSON.stringify([house.services.lines, readRecords(house.store)])
  assert.not.match(said, 'hunter2')
})

hosts('P3 no subprotocol is echoed', async ({ house }) => {
  const socket = connect({ port: house.gateway.port, host: '127.0.0.1' })
  const lines = [
    'GET / HTTP/1.1',
    `host: 127.0.0.1:${house.gateway.port}`,
    ...UPGRADE,
    'sec-websocket-protocol: bearer, hunter2',
  ]
  socket.write([...lines, '', ''].join('\r\n'))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()

  assert.match(answer.toString('latin1'), /^HTTP\/1\.1 101 /)
  assert.not.match(answer.toString('latin1'), /sec-websocket-protocol|hunter2/i)
})

hosts('S03 S05 P4 no header makes a peer direct that is not', async ({ house }) => {
  for (const name of [
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
    'forwarded',
    'x-real-ip',
    'cf-connecting-ip',
    'true-client-ip',
    'tailscale-user-login',
    'via',
    'x-client-ip',
    'x-original-host',
    'x-envoy-external-address',
    'fastly-client-ip',
    'cf-ray',
    'cdn-loop',
  ]) {
    const client = house.client({ headers: { [name]: '127.0.0.1' } })
    const answer = await client.connect({ deviceId: 'new' })
    assert.is(answer.error?.code, 'PAIRING_REQUIRED', name)
  }
})

/** The system's clock, but nobody who waits for their turn at the door ever gets it. */
const TURNLESS: Clock = {
  ...systemClock,
  after: (ms, run) =>
    ms > 1_000 / limits.turnstilePerSecond ? systemClock.after(ms, run) : () => {},
}

hosts('S01 S42 a page that is refused takes nobody’s turn, nor the log', async (context) => {
  await context.house.stop()
  context.house = await startTestGateway({ services: { clock: TURNLESS } })
  const { house } = context
  const { port } = house.gateway
  const lines = [`host: 127.0.0.1:${port}`, 'origin: https://evil.example', ...UPGRADE]
  const asked = Array.from({ length: 400 }, () => status(house, lines))
  const answers = await within(Promise.all(asked), 'refusal without a turn')
  const told = house.services.lines.filter(({ phrase }) => phrase === 'websocket refused')

  assert.ok(answers.every((answer) => answer === 403))
  assert.ok(told.length >= limits.refusalsLoggedBurst && told.length < 100, String(told.length))
})

hosts('S03 S04 P17 who asks for another name than loopback’s is not direct', async ({ house }) => {
  const { port } = house.gateway
  const knock = async (host: string): Promise<string | undefined> => {
    const answer = await house.client({ headers: { host } }).connect({ deviceId: 'new' })
    return answer.ok ? 'ok' : answer.error?.code
  }
  const line = (host: string): string => `host: ${host}`
  const others = ['192.168.1.5', `192.168.1.5:${port}`, '[fd00::5]', hostname(), 'gateway.example']

  for (const host of others) {
    assert.is(await knock(host), 'PAIRING_REQUIRED', host)
    assert.is(await status(house, [line(host)], '/metrics'), 401, host)
  }
  for (const host of ['127.0.0.1', `127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) {
    assert.is(await knock(host), 'ok', host)
    assert.is(await status(house, [line(host)], '/metrics'), 200, host)
  }
})

hosts(
  'S42 P5 a probe is answered once a socket, which counts until it is gone',
  async ({ house }) => {
    const socket = connect({ port: house.gateway.port, host: '127.0.0.1' })
    const probe = 'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'
    let heard = ''
    socket.on('data', (bytes: Buffer) => {
      heard += bytes.toString('latin1')
    })
    socket.write(`${probe}${probe.slice(0, -2)}`) // The next one is begun, and would be dripped.
    await once(socket, 'close')

    assert.is(heard.split('HTTP/1.1 200').length, 2)
    assert.match(heard, /\r\nconnection: close\r\n/i)
    assert.match(heard, /\r\ncross-origin-resource-policy: same-origin\r\n/i)
  },
)

hosts.run()

const start = suite('open doors')

const refusalOf = async (gateway: object): Promise<string> => {
  try {
    const house = await startTestGateway({ config: { gateway } })
    await house.stop()
    return 'started'
  } catch (thrown) {
    return toGatewayError(thrown).code
  }
}

start('S06 an address that others can reach needs a secret, or nothing starts', async () => {
  for (const bind of ['0.0.0.0', '::', '192.0.2.1']) {
    assert.is(await refusalOf({ bind }), 'CONFIG_INVALID', bind)
    assert.is(await refusalOf({ bind, auth: { token: ' ' } }), 'CONFIG_INVALID', bind)
    assert.is(await refusalOf({ bind, auth: { mode: 'token' } }), 'CONFIG_INVALID', bind)
  }
  assert.is(await refusalOf({ auth: { password: 'scrypt:broken' } }), 'CONFIG_INVALID')
})

start('S02 a list of origins holds origins, and no wildcard', async () => {
  for (const origin of [
    '*',
    'https://*.example',
    'https://ui.example/',
    'ui.example',
    'https://',
  ]) {
    assert.is(await refusalOf({ allowedOrigins: [origin] }), 'CONFIG_INVALID', origin)
    const controlUi = { allowedOrigins: [origin] }
    assert.is(await refusalOf({ controlUi }), 'CONFIG_INVALID', origin)
  }
})

start(
  'S58 without TLS an open address starts with a secret, and says what that means',
  async () => {
    const gateway = { bind: '0.0.0.0', auth: { token: 'right' } }
    const house = await startTestGateway({ config: { gateway } })
    const { lines } = house.services
    await house.stop()

    const warned = lines.filter(({ level, phrase }) => level === 'warn' && phrase.includes('TLS'))
    assert.is(warned.length, 1)
  },
)

start.run()
