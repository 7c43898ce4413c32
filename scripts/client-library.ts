/**
 * The client library: `import { connect } from 'openclaw-gateway/client'`.
 *
 *   const gateway = await connect({ url: 'ws://127.0.0.1:18789', token })
 *   const { runId } = await gateway.request('agent', { message: 'hello', idempotencyKey: 'h1' })
 *   for await (const { event, payload } of gateway.events()) if (event === 'agent.done') break
 *   gateway.close()
 *
 * Speaks the specification's dialect. When the connection ends it comes back by itself and is told of
 * what it missed, from the last position that it saw; where that is too far back it says so by an
 * event `gap`, and goes on from now. A request that was on its way is asked again only where asking
 * twice does nothing twice: it reads, or carries an idempotency key.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { systemChance } from '../actors/services.ts'
import { GatewayError, toGatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { type EventName, type MethodName, type MethodParams, methods } from '../protocol/methods.ts'
import {
  type Client,
  type ClientEvent,
  connectGateway,
  type Payload,
  type Wishes,
} from './client.ts'
import { readSettings, type Settings } from './settings.ts'

export type { ErrorCode } from '../protocol/errors.ts'
export { GatewayError } from '../protocol/errors.ts'
export type { EventName, MethodName, MethodParams } from '../protocol/methods.ts'
export type { ClientEvent, Payload } from './client.ts'

/** Where the gateway is, and what to be told; what is absent is found as the command line does. */
export interface ConnectOptions {
  readonly url?: string // ws:// or wss://
  readonly token?: string
  readonly password?: string
  /** Where this client's device is kept; default: the command line's. */
  readonly stateDir?: string
  /** Event types; default: all. */
  readonly subscribe?: readonly EventName[]
  /** Position of the last event that was seen in an earlier life. */
  readonly resumeFrom?: number
}

/**
 * Connects.
 * @throws {GatewayError} NOT_RUNNING, UNAUTHORIZED, PAIRING_REQUIRED, TIMEOUT, UNAVAILABLE; USAGE: no
 * address of a gateway; RESUME_TOO_OLD: `resumeFrom` lies too far back.
 */
export async function connect(options: ConnectOptions = {}): Promise<GatewayClient> {
  const settings = await settingsOf(options)
  const { subscribe, resumeFrom } = options
  const wishes = subscribe === undefined ? {} : { subscribe }
  const resume = resumeFrom === undefined ? {} : { resumeFrom }
  const client = await connectGateway(settings, { ...wishes, ...resume })
  return new GatewayClient(client, settings, { ...wishes, ...resume })
}

/** A connection that comes back. */
export class GatewayClient {
  /** Position of the newest event that was taken, or of the connect: resume from here. */
  position: number
  readonly #settings: Settings
  readonly #wishes: Pick<Wishes, 'subscribe'>
  #client: Client
  #seen = 0 // events of `position` that were taken
  #known = 0 // events of it that come once more
  #back: Promise<void> | null = null
  #gap: ClientEvent | null = null
  #closed = false

  constructor(client: Client, settings: Settings, { resumeFrom, ...wishes }: Wishes) {
    this.#client = client
    this.#settings = settings
    this.#wishes = wishes
    this.position = resumeFrom ?? client.position
  }

  /**
   * Asks and waits for the answer.
   * @throws {GatewayError} what the gateway answered; UNAVAILABLE: the connection ended before the
   * answer, and asking again might do it twice; TIMEOUT.
   */
  async request<M extends MethodName>(method: M, params: MethodParams<M>): Promise<Payload> {
    const isSafe = !methods[method].writes || hasKey(params)
    for (;;) {
      const client = this.#client
      try {
        return await client.request(method, params)
      } catch (thrown) {
        const error = toGatewayError(thrown)
        if (this.#closed || !client.ended) throw error
        await this.#comeBack(client)
        if (!isSafe) throw error
      }
    }
  }

  /** Events in their order, without an end until `close`; one consumer at a time. */
  async *events(): AsyncGenerator<ClientEvent, void, undefined> {
    while (!this.#closed) {
      const client = this.#client
      const event = await client.next().catch(() => null)
      if (event !== null && !this.#isKnown(event)) yield event
      if (event === null && !this.#closed) await this.#comeBack(client)
      const gap = this.#gap
      this.#gap = null
      if (gap !== null) yield gap
    }
  }

  // A record may have several events: who comes back hears those of its last one again.
  #isKnown({ event, payload: { position } }: ClientEvent): boolean {
    if (typeof position !== 'number' || event === 'tick') return false
    if (position === this.position && this.#known > 0) {
      this.#known -= 1
      return true
    }
    this.#seen = position === this.position ? this.#seen + 1 : 1
    this.#known = 0
    this.position = Math.max(this.position, position)
    return false
  }

  close(): void {
    this.#closed = true
    this.#client.close()
  }

  // Many may find the connection gone; one of them fetches it back.
  async #comeBack(gone: Client): Promise<void> {
    if (this.#client !== gone) return
    this.#back ??= this.#reconnect().finally(() => {
      this.#back = null
    })
    await this.#back
  }

  async #reconnect(): Promise<void> {
    let resumeFrom: number | null = this.#seen > 0 ? this.position - 1 : this.position
    this.#known = this.#seen
    for (let attempt = 0; !this.#closed; attempt += 1) {
      try {
        const resume = resumeFrom === null ? {} : { resumeFrom }
        this.#client = await connectGateway(this.#settings, { ...this.#wishes, ...resume })
        if (resumeFrom === null) this.#missed()
        return
      } catch (thrown) {
        const { code } = toGatewayError(thrown)
        if (FATAL.has(code)) throw thrown
        if (code === 'RESUME_TOO_OLD') resumeFrom = null
        else await pause(backoffMs(attempt))
      }
    }
  }

  #missed(): void {
    const { position } = this.#client
    this.#gap = { event: 'gap', payload: { from: this.position, to: position } }
    this.position = position
    this.#seen = 0
    this.#known = 0
  }
}

// Who is not let in, or whose request was refused, does not come in by trying again.
const FATAL: ReadonlySet<string> = new Set(['UNAUTHORIZED', 'PAIRING_REQUIRED', 'FORBIDDEN'])

function backoffMs(attempt: number): number {
  const most = Math.min(limits.clientBackoffMsMax, limits.clientBackoffMs * 2 ** attempt)
  return most / 2 + systemChance.fraction() * (most / 2)
}

function hasKey(params: unknown): boolean {
  return typeof params === 'object' && params !== null && 'idempotencyKey' in params
}

async function settingsOf({ url, token, password, stateDir }: ConnectOptions): Promise<Settings> {
  const env = {
    ...process.env,
    ...(stateDir === undefined ? {} : { OPENCLAW_STATE_DIR: stateDir }),
  }
  const found = await readSettings({}, env)
  const named = { token: token ?? found.token, password: password ?? found.password }
  return url === undefined ? { ...found, ...named } : { ...found, ...named, ...placeOf(url) }
}

function placeOf(url: string): Pick<Settings, 'host' | 'port' | 'portSource' | 'tls'> {
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (parsed === null || !/^wss?:$/.test(parsed.protocol)) {
    throw new GatewayError('USAGE', `url: expected ws:// or wss://, got ${JSON.stringify(url)}`)
  }
  const isTls = parsed.protocol === 'wss:'
  const port = Number(parsed.port) || (isTls ? 443 : 80)
  const host = parsed.hostname.replace(/^\[|\]$/g, '')
  return { host, port, portSource: '--port', tls: isTls ? { fingerprint: null } : null }
}
