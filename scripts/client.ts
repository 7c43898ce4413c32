/**
 * A client of the gateway, as small as verbs need one: connect, ask, listen, close.
 *
 * Speaks the specification's dialect with correlation, `health#7`. Imports nothing of the gateway,
 * so that a verb answers at once.
 */
import { type ClientOptions, type RawData, WebSocket } from 'ws'
import { askLock } from '../actors/lock.ts'
import { ERROR_CODES, type ErrorCode, GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { isObject } from '../protocol/members.ts'
import { answerChallenge, type Device, keepDevice, readDevice } from './device.ts'
import { pinnedTo } from './pinned.ts'
import { isPortNamed, type Settings, urlOf } from './settings.ts'
import { readVersion } from './version.ts'

export type Payload = Readonly<Record<string, unknown>>

/** One event frame. */
export interface ClientEvent {
  readonly event: string
  readonly payload: Payload
}

/** What a client wants to be told: event types, and from which position on. */
export interface Wishes {
  readonly subscribe?: readonly string[] // absent: everything
  readonly resumeFrom?: number
}

/** What the gateway says first: a nonce to sign, and its time. */
interface Challenge {
  readonly nonce: string
  readonly signedAt: number // ms since epoch, the gateway's clock
}

interface Pending {
  readonly resolve: (payload: Payload) => void
  readonly reject: (error: GatewayError) => void
  readonly timer: NodeJS.Timeout
}

/**
 * Finds the gateway of a state directory and connects: at the port that was named, else where the
 * running one listens, else where the configuration says.
 * @throws {GatewayError} NOT_RUNNING: nobody listens there; UNAUTHORIZED, PAIRING_REQUIRED: it
 * does not admit us; TIMEOUT, UNAVAILABLE: something is there and is no gateway, or the network;
 * PERMISSION: another user of this machine listens there.
 */
export async function connectGateway(settings: Settings, wishes: Wishes): Promise<Client> {
  const url = await findGateway(settings)
  await assertOurs(url, settings)
  const device = await readDevice(settings.stateDir)
  try {
    return await admitted(url, settings, device, wishes)
  } catch (fault) {
    const code = fault instanceof GatewayError ? fault.code : null
    // Whoever waits for approval comes back as the same device.
    if (code === 'PAIRING_REQUIRED' && !device.isKept) await keepDevice(settings.stateDir, device)
    if (code !== 'UNAUTHORIZED' || device.deviceToken === null) throw fault
    // The gateway may have forgotten this device or its token: it would admit it as a new one, or
    // by its key.
    const fresh = { ...device, deviceToken: null, isKept: false }
    return admitted(url, settings, fresh, wishes)
  }
}

/**
 * Makes sure that a client hears all that comes of an accepted request. A request whose key was
 * used before was accepted before we connected: its events are read from the journal then.
 */
export async function listenFrom(
  client: Client,
  settings: Settings,
  subscribe: readonly string[],
  accepted: Payload,
): Promise<Client> {
  const { position } = accepted
  if (typeof position !== 'number' || position > client.position) return client
  client.close()
  return connectGateway(settings, { subscribe, resumeFrom: Math.max(0, position - 1) })
}

/** Tells where the gateway of these settings is to be found. */
export async function findGateway(settings: Settings): Promise<string> {
  if (isPortNamed(settings)) return urlOf(settings)
  const holder = await askLock(settings.stateDir).catch(() => null)
  return urlOf({ ...settings, port: holder?.port ?? settings.port })
}

// A port that was named is trusted by whoever named it; a pinned certificate proves itself.
async function assertOurs(url: string, settings: Settings): Promise<void> {
  const { hostname, port } = new URL(url)
  if (isPortNamed(settings) || settings.tls !== null) return
  if (hostname !== '127.0.0.1' && hostname !== '[::1]') return
  const { assertOwnPort } = await import('./port-holder.ts')
  await assertOwnPort(Number(port), settings.stateDir)
}

async function admitted(
  url: string,
  settings: Settings,
  device: Device,
  wishes: Wishes,
): Promise<Client> {
  const client = await openClient(url, settings)
  try {
    const { deviceId, deviceToken } = device
    const { token, password } = settings
    const role = 'client'
    const challenge = await client.challenge()
    const shown = { role, token: token ?? deviceToken ?? '' }
    const proof = challenge === null ? null : answerChallenge(device, challenge, shown)
    const hello = await client.request('connect', {
      deviceId,
      role,
      auth: { ...withoutNulls({ token, password, deviceToken }), ...proof },
      version: readVersion(),
      ...wishes,
    })
    const { deviceToken: issued, position } = hello
    if (typeof position === 'number') client.position = position
    const known = typeof issued === 'string' ? issued : deviceToken
    if (known !== deviceToken || !device.isKept) {
      await keepDevice(settings.stateDir, { ...device, deviceToken: known })
    }
    return client
  } catch (fault) {
    client.close()
    throw fault
  }
}

function openClient(url: string, { stateDir, tls }: Settings): Promise<Client> {
  const fingerprint = tls?.fingerprint ?? null
  const pinned = fingerprint === null ? {} : { createConnection: pinnedTo(fingerprint) }
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      ...(pinned as ClientOptions),
      handshakeTimeout: limits.connectDeadlineMs,
      maxPayload: limits.frameBytesMax,
      perMessageDeflate: false,
    })
    const failed = (error: NodeJS.ErrnoException): void => reject(faultOf(error, url, stateDir))
    socket.once('error', failed)
    // Made at once: frames may come with the bytes that end the handshake.
    const client = new Client(socket, url)
    socket.once('open', () => {
      socket.off('error', failed)
      resolve(client)
    })
  })
}

function faultOf(error: NodeJS.ErrnoException, url: string, stateDir: string): GatewayError {
  const details = { url, stateDir }
  if (error instanceof GatewayError) return error
  if (error.code === 'ECONNREFUSED') {
    const message = `no gateway is running (looked at ${url}, state in ${stateDir})`
    return new GatewayError('NOT_RUNNING', message, details, error)
  }
  const isLate = error.code === 'ETIMEDOUT' || error.message.includes('timed out')
  const message = `${url} cannot be reached as a gateway: ${error.message || error.code}`
  return new GatewayError(isLate ? 'TIMEOUT' : 'UNAVAILABLE', message, details, error)
}

/** An open connection. */
export class Client {
  readonly url: string
  /** End of the journal when we were admitted. */
  position = 0
  #socket: WebSocket
  #count = 0
  #pending = new Map<string, Pending>()
  #events: ClientEvent[] = []
  #challenge: Challenge | null = null
  #wake: (() => void) | null = null
  #ended: GatewayError | null = null

  constructor(socket: WebSocket, url: string) {
    this.url = url
    this.#socket = socket
    socket.on('message', (data) => this.#received(data))
    socket.on('error', () => {}) // `close` follows and tells more.
    socket.on('close', (code, reason) => this.#end(code, reason.toString('utf8')))
  }

  /** Whether the connection has ended. */
  get ended(): boolean {
    return this.#ended !== null
  }

  /**
   * Asks and waits for the answer.
   * @throws {GatewayError} what the gateway answered; TIMEOUT; UNAVAILABLE: the connection ended.
   */
  request(method: string, params: object): Promise<Payload> {
    this.#count += 1
    const id = `${method}#${this.#count}`
    return new Promise((resolve, reject) => {
      if (this.#ended !== null) return reject(this.#ended)
      const timer = setTimeout(() => {
        this.#pending.delete(id)
        const message = `${method}: no answer from ${this.url} in ${limits.verbRequestMs / 1_000} s`
        reject(new GatewayError('TIMEOUT', message))
      }, limits.verbRequestMs)
      this.#pending.set(id, { resolve, reject, timer })
      this.#socket.send(JSON.stringify({ type: 'req', id, params }))
    })
  }

  /** Waits for the challenge that opens a connection; null where none comes. */
  async challenge(): Promise<Challenge | null> {
    while (this.#challenge === null && this.#ended === null) {
      if (await this.#sleep(limits.verbProbeMs)) break
    }
    return this.#challenge
  }

  /**
   * Takes the next event, those from before the call included; null when none came in time.
   * @throws {GatewayError} UNAVAILABLE: the connection has ended and all its events are taken.
   */
  async next(timeoutMs?: number): Promise<ClientEvent | null> {
    let isLate = false
    while (!isLate) {
      const event = this.#events.shift()
      if (event !== undefined) return event
      if (this.#ended !== null) throw this.#ended
      isLate = await this.#sleep(timeoutMs)
    }
    return null
  }

  /** Says goodbye; a gateway that does not answer it is left. */
  close(): void {
    this.#socket.close(1000)
    const timer = setTimeout(() => this.#socket.terminate(), limits.lockAnswerMs)
    timer.unref()
  }

  /** Resolves true when the time is over before anything came. */
  #sleep(timeoutMs: number | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => resolve(true), Math.max(0, timeoutMs))
      this.#wake = () => {
        clearTimeout(timer)
        resolve(false)
      }
    })
  }

  #received(data: RawData): void {
    const frame = parseFrame(data)
    if (frame === null) return
    if (frame['type'] === 'res') this.#answered(frame)
    if (frame['event'] === 'connect.challenge') {
      const { nonce, ts } = payloadOf(frame)
      if (typeof nonce !== 'string' || typeof ts !== 'number') return
      this.#challenge = { nonce, signedAt: ts }
      this.#wake?.()
    } else if (frame['type'] === 'event' && typeof frame['event'] === 'string') {
      this.#events.push({ event: frame['event'], payload: payloadOf(frame) })
      this.#wake?.()
    }
  }

  #answered(frame: Payload): void {
    const id = String(frame['id'])
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#pending.delete(id)
    clearTimeout(pending.timer)
    if (frame['ok'] === true) pending.resolve(payloadOf(frame))
    else pending.reject(wireFault(frame['error']))
  }

  #end(code: number, reason: string): void {
    const message = `the connection to ${this.url} ended (${code}${reason === '' ? '' : ` ${reason}`})`
    this.#ended = new GatewayError('UNAVAILABLE', message)
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer)
      reject(this.#ended)
    }
    this.#pending.clear()
    this.#wake?.()
  }
}

function parseFrame(data: RawData): Payload | null {
  if (!Buffer.isBuffer(data)) return null
  try {
    const value: unknown = JSON.parse(data.toString('utf8'))
    return isObject(value) ? value : null
  } catch {
    return null // No frame of ours; the answer that we wait for will time out.
  }
}

function payloadOf({ payload }: Payload): Payload {
  return isObject(payload) ? payload : {}
}

const CODES: ReadonlySet<unknown> = new Set(ERROR_CODES)

function isErrorCode(value: unknown): value is ErrorCode {
  return CODES.has(value)
}

function wireFault(error: unknown): GatewayError {
  const { code, message, details } = isObject(error) ? error : {}
  const text = typeof message === 'string' ? message : 'the gateway gave no reason'
  const more = isObject(details) ? details : {}
  if (isErrorCode(code)) return new GatewayError(code, text, more)
  return new GatewayError('INTERNAL', `${String(code)}: ${text}`, more)
}

function withoutNulls(members: Readonly<Record<string, string | null>>): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null))
}
