/**
 * Drives `@openclaw/gateway-client`, upstream's own client: connects with a device, is paired,
 * calls, subscribes, sees an answer stream in, and is there again after a restart.
 */
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { folder, Heard, load, step, tell, token, url, within } from './driver.ts'

interface Event {
  readonly event: string
  readonly seq?: number
  readonly payload?: {
    readonly runId?: string
    readonly state?: string
    readonly deltaText?: string
    readonly stream?: string
    readonly sessionKey?: string
    readonly agentId?: string
  }
}

interface Hello {
  readonly auth?: { readonly deviceToken?: string; readonly scopes?: readonly string[] }
  readonly features?: { readonly methods: readonly string[] }
}

interface Client {
  start: () => void
  stop: () => void
  request: (method: string, params?: object, options?: object) => Promise<Record<string, unknown>>
}

interface Library {
  readonly GatewayClient: new (options: object) => Client
}

const RESTART_MS = 180_000 // The real gateway loads for a minute where the machine is busy.
const SCOPES = ['operator.read', 'operator.write', 'operator.admin', 'operator.pairing']
const CALLS: readonly (readonly [string, object])[] = [
  ['health', {}],
  ['status', {}],
  ['agents.list', {}],
  ['models.list', {}],
  ['sessions.list', { limit: 5 }],
  ['channels.status', {}],
  ['commands.list', {}],
  ['config.get', {}],
  ['cron.list', {}],
  ['cron.status', {}],
  ['device.pair.list', {}],
  ['exec.approval.list', {}],
  ['logs.tail', { limit: 3 }],
  ['node.list', {}],
  ['node.pair.list', {}],
  ['agent.identity.get', {}],
  ['chat.metadata', { sessionKey: 'main' }],
  ['approval.history', {}],
  ['channels.pairing.list', {}],
  ['config.schema.lookup', { path: 'gateway.port' }],
  ['environments.list', {}],
  ['sessions.usage', { range: '7d' }],
  ['usage.status', {}],
]

const hellos = new Heard<Hello>()
const events = new Heard<Event>()
const closes: string[] = []
const gaps: unknown[] = []
const { GatewayClient } = await load<Library>('@openclaw/gateway-client')
const client = new GatewayClient({
  url,
  token,
  clientName: 'test',
  mode: 'test',
  clientVersion: '1.0.0',
  platform: 'linux',
  role: 'operator',
  scopes: SCOPES,
  caps: ['tool-events'],
  hostDeps: deviceOf(),
  onHelloOk: (hello: Hello) => hellos.add(hello),
  onConnectError: (error: Error) => tell(`connect: ${error.message}`),
  onEvent: (event: Event) => events.add(event),
  onClose: (code: number, reason: string) => closes.push(`${code} ${reason}`),
  onGap: (gap: unknown) => gaps.push(gap),
})

/** A device as a host keeps it. */
function deviceOf(): object {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const identity = {
    deviceId: createHash('sha256').update(raw).digest('hex'),
    publicKeyPem: publicKey.export({ format: 'pem', type: 'spki' }),
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }),
  }
  let kept: object | null = null
  return {
    loadOrCreateDeviceIdentity: () => identity,
    signDevicePayload: (_: string, text: string) =>
      sign(null, Buffer.from(text), privateKey).toString('base64url'),
    publicKeyRawBase64UrlFromPem: () => raw.toString('base64url'),
    loadDeviceAuthToken: () => kept,
    storeDeviceAuthToken: (given: object) => (kept = given),
    clearDeviceAuthToken: () => (kept = null),
  }
}

/** Sends a message and follows it to its end. */
async function chat(message: string): Promise<boolean> {
  const runId = randomUUID()
  const sent = await client.request('chat.send', {
    sessionKey: 'main',
    message,
    idempotencyKey: runId,
  })
  const ofRun = ({ payload }: Event): boolean => payload?.runId === runId
  await events.until((event) => ofRun(event) && event.payload?.state === 'final')
  const run = events.all.filter(ofRun)
  const deltas = run.filter(({ payload }) => payload?.state === 'delta')
  const agent = run.filter(({ event }) => event === 'agent')
  return (
    sent['runId'] === runId &&
    deltas.length > 1 &&
    deltas.every(({ payload }) => typeof payload?.deltaText === 'string') &&
    agent.length > 1 &&
    agent.every(
      ({ payload }) => payload?.sessionKey === 'agent:main:main' && payload.agentId === 'main',
    )
  )
}

async function main(): Promise<void> {
  client.start()
  await step('connect and pair', async () => {
    const { auth } = await hellos.until(() => true)
    return (
      typeof auth?.deviceToken === 'string' && SCOPES.every((each) => auth.scopes?.includes(each))
    )
  })
  for (const [method, params] of CALLS) await step(method, () => client.request(method, params))
  await step('an unknown method is refused', () =>
    client.request('no.such.method', {}).then(
      () => false,
      (error: Error) => /unknown method/.test(error.message),
    ),
  )
  await step('sessions.subscribe', () => client.request('sessions.subscribe', {}))
  await step('sessions.messages.subscribe', () =>
    client.request('sessions.messages.subscribe', { key: 'main' }),
  )
  await step('chat.send streams', () => chat('one two three four five'))
  await step('session.message comes', () =>
    events.until(({ event }) => event === 'session.message'),
  )
  await step('sessions.changed comes', () =>
    events.until(({ event }) => event === 'sessions.changed'),
  )
  await step('chat.history has the answer', async () => {
    const history = await client.request('chat.history', { sessionKey: 'main', limit: 20 })
    return /echo: [^]*one two three/.test(JSON.stringify(history['messages']))
  })
  await step('agent ends', async () => {
    const params = { message: 'once more', sessionKey: 'main', idempotencyKey: randomUUID() }
    const ended = await client.request('agent', params, { expectFinal: true })
    return ended['status'] === 'ok' && ended['runId'] === params.idempotencyKey
  })
  await step('survives a restart', survive, RESTART_MS)
  await step('no gap in seq', async () => gaps.length === 0)
  tell(`closed: ${closes.join(', ')}`)
  client.stop()
  tell('done')
}

/** Asks for a restart, and is there again afterwards, with what it said before. */
async function survive(): Promise<boolean> {
  const before = hellos.all.length
  tell('restart please')
  await within(events.until(({ event }) => event === 'shutdown'))
  await hellos.until(() => hellos.all.length > before)
  const history = await client.request('chat.history', { sessionKey: 'main', limit: 50 })
  const isKept = /one two three/.test(JSON.stringify(history['messages']))
  return isKept && closes.some((each) => each.startsWith('1012')) && (await chat('and again now'))
}

if (folder !== '') await main()
