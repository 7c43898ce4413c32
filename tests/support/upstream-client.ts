/**
 * A client of upstream's dialect for tests: with a key or without, in any of its clients' guises.
 *
 * Every frame that it is sent is held to the published schema and to the rules that silently break
 * clients (section 13 of the notes on upstream's protocol), so that each test in this dialect is a
 * test of its schema too: `inUpstream` fails where any of its clients was told something wrong.
 */
import * as assert from 'uvu/assert'
import type { ClientOptions } from 'ws'
import { type SIGNED_FORMS, signedText } from '../../protocol/auth/signature.ts'
import { type Frame, TestClient } from './client.ts'
import { KeyedDevice } from './device.ts'
import { FrameAudit } from './frame-audit.ts'
import { startTestGateway, type TestGateway } from './gateway.ts'
import { WITH_TOKEN } from './upstream.ts'

type Json = Record<string, unknown>
type Form = (typeof SIGNED_FORMS)[number]

/** What differs from one client's `connect` to another's. */
export interface Guise {
  readonly id?: string
  readonly mode?: string
  readonly client?: Json // more of what it says of itself
  readonly role?: string
  readonly scopes?: readonly string[]
  readonly auth?: Readonly<Record<string, string>> // default: the shared secret as token
  readonly device?: KeyedDevice | null // null: it has none
  readonly form?: Form // of what is signed
  readonly protocols?: readonly [min: number, max: number]
  readonly params?: Json // whatever else, over all that
  readonly proof?: Json // changes of `device`, after signing
  readonly nonce?: string // signed and sent in the place of the challenge's
  readonly signedAt?: (ts: number) => number
  readonly signed?: Partial<Parameters<typeof signedText>[0]> // signed, whatever is sent
}

/** A program of the owner's that has no device: upstream's command line. */
export const KEYLESS = { device: null, id: 'cli', mode: 'cli' } as const

/** A node that has one command. */
export const NODE = {
  role: 'node',
  id: 'node-host',
  mode: 'node',
  params: { commands: ['system.which'] },
} as const

let asked = 0

/** One socket. */
export class UpstreamClient extends TestClient {
  readonly #audit = new FrameAudit()
  readonly #faults = new Set<string>()
  #heard = 0
  #protocol = 4

  constructor(url: string, options: ClientOptions = {}) {
    super(url, options)
    this.socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as Frame
      this.#audit.take({ at: 0, connection: 1, from: 'gateway', frame })
      this.#hold(frame)
    })
  }

  /** What was wrong with what it was told; nothing where all is well. */
  get faults(): readonly string[] {
    return [...this.#faults, ...this.#audit.report().faults.keys()]
  }

  override async send(text: string): Promise<void> {
    this.#note(text)
    await super.send(text)
  }

  /** Sends a request; resolves with its id, under which every answer comes. */
  async post(method: string, params: unknown = {}): Promise<string> {
    const id = `u${(asked += 1)}`
    await this.send(JSON.stringify({ type: 'req', id, method, params }))
    return id
  }

  /** Sends a request; resolves with its first answer. */
  async ask(method: string, params: unknown = {}): Promise<Frame> {
    return this.answer(await this.post(method, params))
  }

  /** Sends a request that must be well; resolves with what it is answered. */
  async get(method: string, params: unknown = {}): Promise<Frame['payload']> {
    const frame = await this.ask(method, params)
    if (frame.ok !== true) throw new Error(`${method}: ${JSON.stringify(frame.error)}`)
    return frame.payload
  }

  /** Waits for the answer of a number, from 0 on, to a request. */
  async answer(id: string, index = 0): Promise<Frame> {
    const nth = () => this.frames.filter((frame) => frame.id === id)[index]
    await this.frame(() => nth() !== undefined, `answer ${index} to ${id}`)
    return nth() as Frame
  }

  /** Sends `connect` in a guise; resolves with its answer. */
  async knock(guise: Guise = {}): Promise<Frame> {
    const { payload } = await this.event('connect.challenge')
    const challenge = { nonce: String(payload['nonce']), ts: Number(payload['ts']) }
    return this.ask('connect', connectParams(challenge, guise))
  }

  #note(text: string): void {
    try {
      const frame = JSON.parse(text) as unknown
      this.#audit.take({ at: 0, connection: 1, from: 'client', frame })
    } catch {
      // What is no JSON asks nothing.
    }
  }

  #hold(frame: Frame): void {
    this.#heard += 1
    const isChallenge = frame.event === 'connect.challenge'
    if (isChallenge !== (this.#heard === 1)) this.#faults.add('the challenge is not first, once')
    if (isChallenge && 'seq' in frame) this.#faults.add('the challenge has a seq')
    if (frame.type === 'res') this.#holdAnswer(frame)
    const { event, payload } = frame
    if (event === 'agent' && !('sessionKey' in payload && 'agentId' in payload)) {
      this.#faults.add('an agent event without session or agent')
    }
    const strange = Object.keys(frame).filter((key) => !OLD_KEYS.has(key))
    if (this.#protocol < 4 && strange.length > 0) this.#faults.add(`protocol 3: ${strange.join()}`)
  }

  #holdAnswer({ ok, payload, error }: Frame): void {
    if (ok === true && error !== undefined) this.#faults.add('an answer that is ok has an error')
    if (ok !== true && error === undefined) this.#faults.add('an answer that is not ok has none')
    const { type, protocol } = (payload ?? {}) as { type?: string; protocol?: number }
    if (type === 'hello-ok' && protocol !== undefined) this.#protocol = protocol
  }
}

// Older clients take a frame with another key for none.
const OLD_KEYS: ReadonlySet<string> = new Set([
  'type',
  'id',
  'ok',
  'payload',
  'error',
  'event',
  'seq',
  'stateVersion',
])

/** Builds the parameters of a `connect` that answers a challenge. */
export function connectParams(challenge: { nonce: string; ts: number }, guise: Guise): Json {
  const { id = 'openclaw-control-ui', mode = 'webchat', role = 'operator', form = 'v3' } = guise
  const { scopes = role === 'node' ? [] : ['operator.admin'], protocols: [min, max] = [4, 4] } =
    guise
  const { auth = { token: 'tok' }, device = new KeyedDevice(), client } = guise
  const { nonce = challenge.nonce, signedAt = (ts: number) => ts } = guise
  const said = { id, mode, version: '2026.9.6', platform: 'Linux', deviceFamily: 'PC', ...client }
  const at = signedAt(challenge.ts)
  const token = auth['token'] ?? auth['deviceToken'] ?? auth['bootstrapToken'] ?? ''
  const words = {
    deviceId: device?.id ?? '',
    clientId: id,
    clientMode: mode,
    role,
    scopes,
    signedAt: at,
    token,
    nonce,
    platform: said.platform,
    deviceFamily: said.deviceFamily,
    ...guise.signed,
  }
  const proof = device === null ? null : device.prove(signedText(words, form))
  return {
    minProtocol: min,
    maxProtocol: max,
    client: said,
    role,
    scopes,
    caps: [],
    auth,
    ...(proof === null ? {} : { device: { ...proof, signedAt: at, nonce, ...guise.proof } }),
    ...guise.params,
  }
}

/** A gateway with the shared secret `tok`, and clients of upstream's dialect. */
export interface UpstreamWorld extends TestGateway {
  /** Opens a socket that has not said `connect`. */
  readonly guest: (options?: ClientOptions) => UpstreamClient
  /** Opens one that is admitted: a person's screen unless told. */
  readonly enter: (guise?: Guise) => Promise<UpstreamClient>
}

type Setup = Parameters<typeof startTestGateway>[0]

/** Runs a test over a gateway; fails where a client was told what is not as published. */
export async function inUpstream(
  run: (world: UpstreamWorld) => Promise<void>,
  setup: Setup = {},
): Promise<void> {
  const house = await startTestGateway({ config: WITH_TOKEN, ...setup })
  const guests: UpstreamClient[] = []
  const guest = (options?: ClientOptions): UpstreamClient => {
    const client = new UpstreamClient(house.gateway.url, options)
    guests.push(client)
    return client
  }
  const enter = async (guise?: Guise): Promise<UpstreamClient> => {
    const client = guest()
    const hello = await client.knock(guise)
    if (hello.ok !== true) throw new Error(`connect: ${JSON.stringify(hello.error)}`)
    return client
  }
  try {
    await run({ ...house, guest, enter })
  } finally {
    await house.stop()
    for (const client of guests) await client.close()
  }
  assert.equal(
    guests.flatMap(({ faults }) => faults),
    [],
  )
}
