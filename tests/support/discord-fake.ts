/**
 * A Discord of our own: its REST calls that we make, and its gateway. Sessions outlive connections: a
 * client that comes back with RESUME is given what it has missed; one whose session is forgotten is
 * told so. Closing with 1000 or 1001 ends a session. A message under a nonce that is known is not
 * sent again. What it knows outlives `stop`, as Discord outlives a connection.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import { answer, HttpFake, type Json, readJson } from './http-fake.ts'

export const DISCORD_BOT = '7700'
export const DISCORD_TOKEN = `${Buffer.from(DISCORD_BOT).toString('base64url')}.test-token.x`

/** What the bot has sent. */
export interface Posted {
  readonly channel: string
  readonly content: string
  readonly body: Json
}

interface Session {
  readonly id: string
  readonly events: { t: string; s: number; d: unknown }[]
  socket: WebSocket | null
  kept: number // of the events: what the client told as heard
  beats: number // that told so
}

interface Refusal {
  readonly status: number
  readonly body: Json
  readonly posted: number // not before so much was sent
  readonly headers: Readonly<Record<string, string>>
  readonly takes: boolean // the message is there all the same
}

const BEATS_TO_DISK = 4 // The first cursor is one commit.
const MESSAGES = /^\/channels\/(\d+)\/messages$/

export class FakeDiscord extends HttpFake {
  readonly posted: Posted[] = []
  readonly opened: Json[] = [] // every identify and resume
  readonly heartbeats: unknown[] = []
  readonly heard = new Set<string>() // people of whom a message is on disk, as far as was told
  token = DISCORD_TOKEN
  heartbeatMs = 250 // Shorter ones are missed where many tests run.
  startsLeft = 1_000
  closesWith = 0 // instead of beginning a session
  leavesAtOnce = false // asks to come back, in the same breath as a session is resumed
  acknowledges = true
  /** How many pages of messages were asked for, by channel. */
  readonly pages: string[] = []
  /** Channels that are more than their id. */
  readonly channels = new Map<string, Json>()
  #sockets: WebSocketServer | null = null
  #sessions = new Map<string, Session>()
  #nonces = new Map<string, string>()
  #refusals: Refusal[] = []
  #written = new Map<string, Json[]>() // by channel, what people wrote
  #pageRefusals: { status: number; body: Json }[] = []
  #next = 1

  static async start(): Promise<FakeDiscord> {
    const fake = new FakeDiscord()
    await fake.listen()
    return fake
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/api`
  }

  /** Whether the newest session's beginning was told as heard, and is on disk since some time. */
  get isResumable(): boolean {
    return (this.#newest()?.beats ?? 0) >= BEATS_TO_DISK
  }

  /** Whether somebody listens to the newest session. */
  get isAttended(): boolean {
    return (this.#newest()?.socket ?? null) !== null
  }

  /** Whether nothing has happened in the newest session but its beginning. */
  get isFresh(): boolean {
    return this.#newest()?.events.length === 1
  }

  /** Whether all that was said is told as heard. */
  get isCaughtUp(): boolean {
    const session = this.#newest()
    return session !== undefined && session.kept >= session.events.length
  }

  override async listen(): Promise<void> {
    if (this.server !== null) return
    await super.listen()
    if (this.server === null) return
    const sockets = new WebSocketServer({ server: this.server })
    sockets.on('error', () => {})
    sockets.on('connection', (socket) => this.#greet(socket))
    this.#sockets = sockets
  }

  /** Sessions stay. */
  override async stop(): Promise<void> {
    this.cut()
    this.#sockets?.close()
    await super.stop()
  }

  /** Cuts the gateway's connections of now. */
  cut(): void {
    for (const session of this.#sessions.values()) session.socket = null
    for (const socket of this.#sockets?.clients ?? []) socket.terminate()
  }

  /** Asks all clients to come back with RESUME. */
  sendAway(): void {
    for (const { socket } of this.#sessions.values()) send(socket, { op: 7, d: null })
  }

  /** Closes all connections with a code. */
  hangUp(code: number): void {
    for (const session of this.#sessions.values()) {
      const { socket } = session
      session.socket = null
      socket?.close(code)
    }
  }

  /** Knows no session any more: whoever comes back has to begin anew. */
  forget(): void {
    this.#sessions.clear()
  }

  /** Refuses the next message; `posted`: behind so many that were sent. */
  refuse(status: number, body: Json = {}, more: Partial<Refusal> = {}): void {
    const headers = status === 429 ? { 'retry-after': String(body['retry_after']) } : {}
    this.#refusals.push({ status, body, posted: 0, headers, takes: false, ...more })
  }

  /** Refuses the next page of messages that is asked for. */
  refusePage(status: number, body: Json = {}): void {
    this.#pageRefusals.push({ status, body })
  }

  /** Somebody writes; returns the message's id. */
  say(content: string, { from = '501', ...more }: SayOptions = {}): string {
    const id = this.#id()
    const author = { id: from, username: `user${from}`, global_name: 'Ann' }
    const channel = `9${from}` // of the two of us
    const message: Json = {
      id,
      type: 0,
      channel_id: channel,
      author,
      content,
      mentions: [],
      ...more,
    }
    const { guild_id: _, ...written } = message // An answer does not say in which guild.
    const place = String(message['channel_id'])
    this.#written.set(place, [...(this.#written.get(place) ?? []), written])
    this.dispatch('MESSAGE_CREATE', message)
    return id
  }

  /** Something happens of which every session is told. */
  dispatch(t: string, d: unknown): void {
    for (const session of this.#sessions.values()) this.#tell(session, t, d)
  }

  #newest(): Session | undefined {
    return [...this.#sessions.values()].at(-1)
  }

  #id(): string {
    this.#next += 1
    // As Discord: from the second since which it counts.
    return String((BigInt(Date.now() - 1_420_070_400_000) << 22n) + BigInt(this.#next))
  }

  #tell(session: Session, t: string, d: unknown): void {
    const event = { t, s: session.events.length + 1, d }
    session.events.push(event)
    send(session.socket, { op: 0, ...event })
  }

  #greet(socket: WebSocket): void {
    socket.on('error', () => {})
    socket.on('close', (code) => this.#left(socket, code))
    socket.on('message', (data: Buffer) => {
      const { op, d } = JSON.parse(data.toString()) as { op: number; d: Json }
      if (op === 1) {
        this.heartbeats.push(d)
        for (const session of this.#sessions.values()) {
          if (session.socket !== socket || Number(d) === 0) continue
          session.kept = Number(d)
          this.#hear(session)
          session.beats += 1
        }
        if (this.acknowledges) send(socket, { op: 11 })
      }
      if (op === 2) this.#begin(socket, d)
      if (op === 6) this.#resume(socket, d)
    })
    send(socket, { op: 10, d: { heartbeat_interval: this.heartbeatMs } })
  }

  #hear({ events, kept }: Session): void {
    for (const { s, d } of events) {
      const { author } = d as { author?: { id: string } }
      if (s <= kept && author !== undefined) this.heard.add(author.id)
    }
  }

  #left(socket: WebSocket, code: number): void {
    for (const [id, session] of this.#sessions) {
      if (session.socket !== socket) continue
      session.socket = null
      if (code === 1000 || code === 1001) this.#sessions.delete(id)
    }
  }

  #begin(socket: WebSocket, asked: Json): void {
    this.opened.push({ identify: asked['intents'] })
    if (asked['token'] !== this.token) return socket.close(4004)
    if (this.closesWith !== 0) return socket.close(this.closesWith)
    const id = `${String(this.opened.length).padStart(4, '0')}${'a'.repeat(28)}`
    const session: Session = { id, events: [], socket, kept: 0, beats: 0 }
    this.#sessions.set(id, session)
    const resume = `ws://127.0.0.1:${this.port}`
    this.#tell(session, 'READY', { session_id: id, resume_gateway_url: resume })
  }

  #resume(socket: WebSocket, asked: Json): void {
    const { session_id: id, seq, token } = asked
    this.opened.push({ resume: seq })
    if (token !== this.token) return socket.close(4004)
    const session = this.#sessions.get(String(id))
    if (session === undefined) return send(socket, { op: 9, d: false })
    session.socket = socket
    for (const event of session.events.slice(Number(seq))) send(socket, { op: 0, ...event })
    this.#tell(session, 'RESUMED', {})
    if (this.leavesAtOnce) this.sendAway()
  }

  protected override async serve(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const body = await readJson(request)
    if (request.headers.authorization !== `Bot ${this.token}`) {
      return answer(response, 401, { code: 0, message: '401: Unauthorized' })
    }
    const { method = '', url = '' } = request
    const path = decodeURIComponent(url).replace('/api/v10', '')
    const [, channel] = MESSAGES.exec(path) ?? []
    if (method === 'POST' && channel !== undefined) {
      if (this.swallows()) return
      return this.#post(channel, body, response)
    }
    if (method === 'GET' && path.includes('/messages?')) return this.#page(path, response)
    const known = this.#look(method, path, body)
    answer(response, known === null ? 404 : 200, known ?? { code: 10_003, message: 'Unknown' })
  }

  #look(method: string, path: string, body: Json): Json | null {
    switch (`${method} ${path}`) {
      case 'GET /users/@me':
        return { id: DISCORD_BOT, username: 'heron' }
      case 'GET /gateway/bot': {
        const session_start_limit = {
          total: 1_000,
          remaining: this.startsLeft,
          reset_after: 60_000,
          max_concurrency: 1,
        }
        return { url: `ws://127.0.0.1:${this.port}`, shards: 1, session_start_limit }
      }
      case 'POST /users/@me/channels': {
        const { recipient_id: user } = body
        return user === '404' ? null : { id: `9${String(user)}`, type: 1 }
      }
    }
    const [, id = ''] = /^\/channels\/(\d+)$/.exec(path) ?? []
    return method === 'GET' ? (this.channels.get(id) ?? null) : null
  }

  // The oldest ones behind an id; the newest of these first.
  #page(path: string, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(path, 'http://discord')
    const [, channel = ''] = MESSAGES.exec(pathname) ?? []
    this.pages.push(channel)
    const refusal = this.#pageRefusals.shift()
    if (refusal !== undefined) {
      const { retry_after: seconds } = refusal.body
      const headers = typeof seconds === 'number' ? { 'retry-after': String(seconds) } : {}
      return answer(response, refusal.status, refusal.body, headers)
    }
    const written = this.#written.get(channel)
    if (written === undefined) return answer(response, 403, { code: 50_001, message: 'No access' })
    const after = BigInt(searchParams.get('after') ?? 0)
    const behind = written.filter(({ id }) => BigInt(String(id)) > after)
    answer(response, 200, behind.slice(0, Number(searchParams.get('limit'))).toReversed())
  }

  #post(channel: string, body: Json, response: ServerResponse): void {
    const at = this.#refusals.findIndex(({ posted }) => this.posted.length >= posted)
    const [refusal] = at < 0 ? [] : this.#refusals.splice(at, 1)
    const sent = refusal === undefined || refusal.takes ? this.#send(channel, body) : null
    if (refusal === undefined) {
      return answer(response, sent === null ? 404 : 200, sent ?? { code: 10_003, message: 'No' })
    }
    if (refusal.status === 0) return void response.destroy()
    answer(response, refusal.status, refusal.body, refusal.headers)
  }

  #send(channel: string, body: Json): Json | null {
    const { content, nonce } = body
    if (channel === '404' || typeof content !== 'string') return null
    if (content === '' || content.length > 2_000) return null
    const known = body['enforce_nonce'] === true ? this.#nonces.get(String(nonce)) : undefined
    if (known !== undefined) return { id: known, channel_id: channel }
    const id = this.#id()
    this.#nonces.set(String(nonce), id)
    this.posted.push({ channel, content, body })
    return { id, channel_id: channel }
  }
}

export interface SayOptions {
  readonly from?: string
  readonly [member: string]: unknown
}

function send(socket: WebSocket | null, payload: object): void {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(payload))
}
