/**
 * Nothing leaks: a canary in every field that holds a credential, one scripted life, and then a
 * search through all that was written, said or sent (S47, S48, S59).
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import WebSocket from 'ws'
import { readBundle } from '../../actors/bundle.ts'
import { hashPassword } from '../../protocol/auth/password.ts'
import { cases } from '../store/cases.ts'
import { cli, startCli } from '../support/cli.ts'
import { TestClient } from '../support/client.ts'
import { KeyedDevice } from '../support/device.ts'
import { withDirectory } from '../support/directory.ts'
import { ircChannel } from '../support/irc-scene.ts'
import { startModelServer } from '../support/model-server.ts'
import { startNgircd } from '../support/ngircd.ts'
import { RawSocket, upgradeHead } from '../support/raw-socket.ts'
import { until } from '../support/wait.ts'

const leaks = cases('leaks')

/** Secrets that were configured, shown or handed out, by where. */
const CANARIES = {
  token: 'canary-gateway-token-5b1f',
  password: 'canary-gateway-password-77aa',
  apiKey: 'canary-api-key-from-env-90c3',
  otherKey: 'canary-api-key-in-file-31d8',
  patchedKey: 'canary-api-key-patched-e07b',
  irc: 'canary-irc-password-c4e2',
  wrongToken: 'canary-wrong-token-0d5a',
  wrongPassword: 'canary-wrong-password-8e6b',
  wrongDevice: 'canary-wrong-device-token-f17c',
  signature: 'canary-signature-2a9d',
  url: 'canary-in-url-66e0',
  header: 'canary-in-header-a8b4',
} as const

function configOf(modelUrl: string, ircPort: number): object {
  const { token, password, otherKey, irc } = CANARIES
  return {
    gateway: { auth: { mode: 'token', token, password } },
    models: {
      providers: {
        home: { baseUrl: modelUrl, apiKey: '${CANARY_KEY}' },
        spare: { baseUrl: modelUrl, apiKey: otherKey },
      },
    },
    agents: { defaults: { model: 'home/test' } },
    channels: { irc: { ...ircChannel(ircPort), password: irc } },
  }
}

/** Everything that was said: what processes printed, what sockets brought, what requests hold. */
class Ear {
  readonly said = new Map<string, string>()

  hear(where: string, what: unknown): void {
    const text = typeof what === 'string' ? what : JSON.stringify(what)
    this.said.set(where, `${this.said.get(where) ?? ''}${text}`)
  }

  /** Hears all files of a state directory but those that are there to hold secrets. */
  hearFiles(directory: string): void {
    // The configuration, its past versions (decisions.md 28), and who the command line is.
    const holders = /(?:^|\.)openclaw\.json$|^client\.json$/
    for (const file of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (!file.isFile() || holders.test(file.name)) continue
      const path = join(file.parentPath, file.name)
      this.hear(path, readFileSync(path, 'latin1'))
      if (file.name.endsWith('.ocinc')) this.hear(`${path}, inflated`, unpack(path))
    }
  }

  findings(secrets: Readonly<Record<string, string>>): string[] {
    return Object.entries(secrets).flatMap(([name, secret]) =>
      [...this.said].filter(([, text]) => text.includes(secret)).map(([at]) => `${name} in ${at}`),
    )
  }
}

function unpack(path: string): string {
  const { segment, bodies, notes, manifest } = readBundle(readFileSync(path))
  const texts = [...bodies.values()].map(({ bytes }) => Buffer.from(bytes).toString('latin1'))
  return JSON.stringify([segment.records, segment.bases, notes, manifest, texts])
}

async function knock(url: string, params: object, ear: Ear): Promise<TestClient> {
  const client = new TestClient(url, { headers: { 'x-secret': CANARIES.header } })
  const answer = await client.connect({ deviceId: 'canary', ...params })
  ear.hear('answers to connect', { ...answer, payload: { ...answer.payload, deviceToken: '' } })
  return client
}

/** Wrong credentials in every field, over the wire and in the URL. */
async function knockWrongly(url: string, port: number, ear: Ear): Promise<void> {
  const { wrongToken, wrongPassword, wrongDevice, signature } = CANARIES
  for (const auth of [
    { token: wrongToken },
    { password: wrongPassword },
    { deviceToken: wrongDevice },
    { challengeResponse: signature, publicKey: signature, challenge: signature },
    { token: wrongToken, deviceToken: [wrongDevice] },
    { [wrongToken]: 1 },
  ]) {
    const client = await knock(url, { auth }, ear)
    await client.closed
    ear.hear('close reasons', await client.closed)
  }
  const raw = new RawSocket(port)
  raw.write(
    upgradeHead(port, { 'sec-websocket-version': '7' }, `GET /?token=${CANARIES.url} HTTP/1.1`),
  )
  await raw.until(() => true)
  raw.destroy()
}

/** Lets devices in by code, by setup code and anew; what each was handed is a secret from then on. */
async function letOthersIn(
  url: string,
  owner: TestClient,
  ear: Ear,
): Promise<Record<string, string>> {
  const remote = { headers: { 'x-forwarded-for': '203.0.113.9' } }
  const [device, phone] = [new KeyedDevice(), new KeyedDevice()]
  const asking = new TestClient(url, remote)
  const { error } = await device.connect(asking)
  const code = String(error?.details?.['code'])
  ear.hear('why it waits', [error?.message, await asking.closed])
  ear.hear('list', await owner.request('pairing.list'))
  ear.hear('a wrong code', await owner.request('pairing.approve', { code: 'AAAA-AAAA' }))
  ear.hear('approval', await owner.request('pairing.approve', { code }))
  const first = await device.connect(new TestClient(url, remote))
  const { payload: setup } = await owner.request('pairing.setup')
  const auth = { bootstrapToken: setup['bootstrapToken'] }
  const second = await phone.connect(new TestClient(url, remote), { auth })
  const { payload: rotated } = await owner.request('device.rotate', { deviceId: device.id })
  ear.hear('devices', await owner.request('device.list'))
  ear.hear('revoked', await owner.request('device.revoke', { deviceId: phone.id }))
  return {
    pairingCode: code,
    typedCode: code.replace('-', ''),
    firstToken: String(first.payload['deviceToken']),
    phoneToken: String(second.payload['deviceToken']),
    rotatedToken: String(rotated['deviceToken']),
    bootstrapToken: String(setup['bootstrapToken']),
    setupCode: String(setup['setupCode']),
  }
}

/** Asks for everything that a client can be told. */
async function askAll(client: TestClient, ear: Ear): Promise<void> {
  await client.request('agent', { message: 'hello' })
  await client.event('agent.done')
  for (const [method, params] of [
    ['health', { probe: true }],
    ['config.get', {}],
    ['sessions.list', {}],
    ['history.read', { bodies: true, limit: 500 }],
    ['state.at', { actor: 'channel:irc' }],
    ['state.at', { actor: 'pairing:canary' }],
    ['why.explain', { address: 'last' }],
    ['nonsense', {}],
  ] as const) {
    ear.hear(`answer to ${method}`, await client.request(method, params))
  }
  ear.hear('events', client.events)
}

/** Writes another provider key through the gateway: a change is a record, and its file a secret. */
async function changeKey(owner: TestClient, ear: Ear): Promise<void> {
  const { payload } = await owner.request('config.get')
  const spare = { apiKey: CANARIES.patchedKey }
  const raw = JSON.stringify({ models: { providers: { spare } } })
  const asked = { raw, baseHash: payload['hash'], restartDelayMs: 3_600_000 }
  const answer = await owner.request('config.patch', asked)
  assert.is(answer.ok, true, JSON.stringify(answer))
  ear.hear('answer to config.patch', answer)
}

leaks(
  'S47 P25 no canary is in any log, record, snapshot, error, answer, export or crash report',
  () =>
    withDirectory(async (stateDir) => {
      const ear = new Ear()
      const irc = await startNgircd({ password: CANARIES.irc })
      const model = await startModelServer((response, { headers }) => {
        // A server that is not careful: it repeats the key that it refuses.
        response.writeHead(401, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ error: { message: `bad key ${headers.authorization}` } }))
      })
      writeFileSync(
        join(stateDir, 'openclaw.json'),
        JSON.stringify(configOf(model.baseUrl, irc.port)),
      )
      const env = { CANARY_KEY: CANARIES.apiKey }
      const gateway = startCli(stateDir, ['gateway', '--port', '0'], env)
      const said = await gateway.says(/ready at ws:\/\/\S+/)
      const port = Number(/ready at ws:\/\/[^:]+:(\d+)/.exec(said)?.[1])
      const url = `ws://127.0.0.1:${port}`

      await knockWrongly(url, port, ear)
      const client = await knock(url, { auth: { token: CANARIES.token } }, ear)
      const deviceToken = String(client.frames.find(({ ok }) => ok)?.payload['deviceToken'])
      assert.match(deviceToken, /^[0-9a-f]{64}$/)
      await until(async () => {
        const { payload } = await client.request('health')
        return (payload['channels'] as { irc?: string }).irc === 'connected'
      }, 'irc')
      const handedOut = await letOthersIn(url, client, ear)
      for (const secret of Object.values(handedOut)) assert.ok(secret.length >= 8, secret)
      await changeKey(client, ear)
      await askAll(client, ear)
      for (const args of [
        ['status'],
        ['health', '--json'],
        ['agent', '--message', 'hi'],
        ['logs'],
        ['doctor'],
        ['agent', '--message', 'hi', '--token', CANARIES.wrongToken],
      ]) {
        const { stdout, stderr } = await cli(stateDir, args, env)
        ear.hear(`openclaw ${args[0]}`, stdout + stderr)
      }
      // The worst end: the process is told that something was thrown that nobody caught.
      gateway.child.kill('SIGABRT')
      const { stdout, stderr } = await gateway.ended
      ear.hear('the gateway', stdout + stderr)
      for (const args of [
        ['incident', 'new', 'it ended', '--range', '1..'],
        ['incident', 'export'],
        ['incident', 'export', '--bodies', 'masked'],
        ['timeline', '--json'],
        ['why', 'last', '--json'],
        ['doctor'],
      ]) {
        const ended = await cli(stateDir, args, env)
        ear.hear(`openclaw ${args.join(' ')}`, ended.stdout + ended.stderr)
      }
      ear.hearFiles(stateDir)
      await client.close()
      await model.close()
      await irc.stop()

      assert.equal(ear.findings({ ...CANARIES, ...handedOut, deviceToken }), [])
      // The ear is not deaf: what is no secret is found all over.
      assert.ok(ear.findings({ said: 'hello' }).length >= 2)
      assert.ok([...ear.said.keys()].some((where) => where.endsWith('inflated')))
    }),
)

leaks('S47 a password, and its hash, stand in the configuration and nowhere else', () =>
  withDirectory(async (stateDir) => {
    const ear = new Ear()
    const { password, wrongPassword } = CANARIES
    const hash = await hashPassword(password, Buffer.alloc(16, 5))
    const config = { gateway: { auth: { mode: 'password', password: hash } } }
    writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify(config))
    const gateway = startCli(stateDir, ['gateway', '--port', '0'])
    const said = await gateway.says(/ready at ws:\/\/\S+/)
    const url = `ws://127.0.0.1:${/ready at ws:\/\/[^:]+:(\d+)/.exec(said)?.[1]}`

    await knock(url, { auth: { password: wrongPassword } }, ear)
    const byHash = await knock(url, { auth: { password: hash } }, ear)
    await byHash.closed
    const client = await knock(url, { auth: { password } }, ear)
    await askAll(client, ear)
    const verb = await cli(stateDir, ['status'], { OPENCLAW_GATEWAY_PASSWORD: password })
    ear.hear('openclaw status', verb.stdout + verb.stderr)
    gateway.child.kill('SIGABRT')
    const { stdout, stderr } = await gateway.ended
    ear.hear('the gateway', stdout + stderr)
    for (const args of [
      ['incident', 'new', 'it ended', '--range', '1..'],
      ['incident', 'export'],
    ]) {
      const ended = await cli(stateDir, args)
      ear.hear(`openclaw ${args.join(' ')}`, ended.stdout + ended.stderr)
    }
    ear.hearFiles(stateDir)
    await client.close()

    const digest = hash.split(':').at(-1) ?? ''
    assert.equal(ear.findings({ password, wrongPassword, hash, digest }), [])
    assert.ok(ear.findings({ said: 'hello' }).length >= 2)
  }),
)

leaks('S48 no answer tells of our files, our stack or our libraries', () =>
  withDirectory(async (stateDir) => {
    writeFileSync(join(stateDir, 'openclaw.json'), '{}')
    const gateway = startCli(stateDir, ['gateway', '--port', '0'])
    const said = await gateway.says(/ready at ws:\/\/\S+/)
    const port = Number(/ready at ws:\/\/[^:]+:(\d+)/.exec(said)?.[1])
    const client = new TestClient(`ws://127.0.0.1:${port}`)
    await client.connect()
    for (const method of ['health', 'agent', 'send', 'state.at', 'history.read', 'why.explain']) {
      for (const params of [{}, { range: '!' }, { actor: '../x' }, { address: '\0' }]) {
        await client.request(method, params)
      }
    }

    const heard = JSON.stringify(client.frames)
    for (const tell of ['node_modules', 'node:', '.js:', '.ts:', 'at Object', 'superstruct']) {
      assert.not.ok(heard.includes(tell), tell)
    }
    assert.not.ok(heard.includes(stateDir))
    client.socket.terminate()
    gateway.child.kill('SIGTERM')
    await gateway.ended
  }),
)

leaks('S38 a refused configuration names the field and not what is in it', () =>
  withDirectory(async (stateDir) => {
    const { url, otherKey, token } = CANARIES
    for (const config of [
      { models: { providers: { home: { baseUrl: `http://me:${url}@127.0.0.1/v1` } } } },
      { models: { providers: { home: { baseUrl: 'x', apiKey: [otherKey] } } } },
      { gateway: { auth: { mode: 'token', token: { token } } } },
    ]) {
      writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify(config))
      for (const verb of [['doctor'], ['gateway', '--port', '0']]) {
        const { code, stdout, stderr } = await cli(stateDir, verb)
        assert.is.not(code, 0)
        assert.not.ok([url, otherKey, token].some((secret) => (stdout + stderr).includes(secret)))
      }
    }
  }),
)

leaks('S59 a WebSocket client that puts its token into the URL is not let in by it', () =>
  withDirectory(async (stateDir) => {
    const { token } = CANARIES
    const config = { gateway: { auth: { mode: 'token', token } } }
    writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify(config))
    const gateway = startCli(stateDir, ['gateway', '--port', '0'])
    const said = await gateway.says(/ready at ws:\/\/\S+/)
    const port = Number(/ready at ws:\/\/[^:]+:(\d+)/.exec(said)?.[1])
    const client = new TestClient(`ws://127.0.0.1:${port}/?token=${token}`)

    const outcome = await client.connect().then(
      ({ error }) => error?.code,
      () => 'not upgraded',
    )

    assert.ok(['UNAUTHORIZED', 'not upgraded'].includes(String(outcome)))
    assert.is.not(client.socket.readyState, WebSocket.CONNECTING)
    gateway.child.kill('SIGTERM')
    const { stdout, stderr } = await gateway.ended
    const log = readFileSync(join(stateDir, 'logs', 'gateway.jsonl'), 'utf8')
    assert.not.ok((stdout + stderr + log).includes(token))
  }),
)

leaks.run()
