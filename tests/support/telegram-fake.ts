/**
 * A Bot API server as Telegram's behaves: updates stay until a poll confirms them by its offset, so
 * that whoever died between asking and keeping is given them again; polls are held; a second poll
 * ends the first with 409; posts of a webhook come one at a time and again until they are answered
 * with 200. What it knows outlives `stop`, as Telegram outlives a connection.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { answer, HttpFake, type Json, readJson } from './http-fake.ts'

export const TELEGRAM_TOKEN = '7700:test-token'
export const TELEGRAM_BOT = { id: 7_700, username: 'heron_bot' }

/** What the bot has sent. */
export interface Sent {
  readonly chat: string
  readonly text: string
  readonly topic: number | null
}

/** An answer that is not the usual one, once. */
interface Refusal {
  readonly method: string
  readonly status: number
  readonly body: Json
  readonly sent: number // not before so much was sent
}

const WEBHOOK_RETRY_MS = 20

export class FakeTelegram extends HttpFake {
  readonly sent: Sent[] = []
  readonly asked: { method: string; params: Json }[] = []
  token = TELEGRAM_TOKEN
  #updates: Json[] = [] // not confirmed
  #nextUpdate = 1_000
  #messages = new Map<string, number>() // by chat: the newest id
  #refusals: Refusal[] = []
  #poll: (() => void) | null = null // ends the poll that is held
  #wake = (): void => {}
  #webhook: { url: string; secret: string } | null = null
  #posting = false
  #moved = new Map<string, number>() // chats, to what they are now

  static async start(port = 0): Promise<FakeTelegram> {
    const fake = new FakeTelegram()
    fake.port = port
    await fake.listen()
    return fake
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Updates that nobody has confirmed. */
  get unconfirmed(): number {
    return this.#updates.length
  }

  override async listen(): Promise<void> {
    await super.listen()
    void this.#post()
  }

  override async stop(): Promise<void> {
    this.#endPoll()
    await super.stop()
  }

  /** Ends the connections of now. */
  drop(): void {
    this.#endPoll()
    this.server?.closeAllConnections()
  }

  /** Answers the next call of a method otherwise. */
  refuse(method: string, status: number, description: string, parameters: Json = {}): void {
    const body = { ok: false, error_code: status, description, parameters }
    this.#refusals.push({ method, status, body, sent: 0 })
  }

  /** Asks for patience at the next call of a method behind so many that were sent. */
  refuseNext(method: string, sent: number, parameters: Json): void {
    const body = { ok: false, error_code: 429, description: 'Too Many Requests', parameters }
    this.#refusals.push({ method, status: 429, body, sent })
  }

  /** A group becomes a supergroup: its old id is refused from now on, with the new one. */
  migrate(from: number, to: number): void {
    this.#moved.set(String(from), to)
    const chat = { id: from, type: 'group', title: 'Home' }
    this.update({ message: { message_id: 900, chat, migrate_to_chat_id: to } })
  }

  /** Somebody else has set another webhook, or none. */
  takeWebhook(): void {
    this.#webhook = null
  }

  /** Somebody writes to the bot; returns the message's id. */
  say(text: string, { from = 501, chat = from, ...more }: SayOptions = {}): string {
    const key = String(chat)
    const id = (this.#messages.get(key) ?? 0) + 1
    this.#messages.set(key, id)
    const group = chat < 0
    this.update({
      message: {
        message_id: id,
        date: 1_800_000_000,
        chat: group
          ? { id: chat, type: 'supergroup', title: 'Home' }
          : { id: chat, type: 'private' },
        from: { id: from, is_bot: false, first_name: 'Ann' },
        text,
        ...more,
      },
    })
    return String(id)
  }

  /** Something happens of which the bot is told. */
  update(update: Json): void {
    this.#updates.push({ update_id: this.#nextUpdate, ...update })
    this.#nextUpdate += 1
    this.#wake()
    void this.#post()
  }

  protected override async serve(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const params = await readJson(request)
    const [, token, method = ''] = /^\/bot([^/]+)\/(\w+)$/.exec(request.url ?? '') ?? []
    this.asked.push({ method, params })
    if (this.swallows()) return
    if (token !== this.token) return answer(response, 401, failure(401, 'Unauthorized'))
    const at = this.#refusals.findIndex(
      (refusal) => refusal.method === method && this.sent.length >= refusal.sent,
    )
    const [refusal] = at < 0 ? [] : this.#refusals.splice(at, 1)
    if (refusal !== undefined) return answer(response, refusal.status, refusal.body)
    const result = await this.#call(method, params, response)
    if (this.server === null) return void response.destroy()
    if (result === CONFLICT) return answer(response, 409, failure(409, 'Conflict: another poll'))
    if (result instanceof Gone) {
      const body = failure(400, 'Bad Request: group chat was upgraded to a supergroup chat')
      return answer(response, 400, { ...body, parameters: { migrate_to_chat_id: result.to } })
    }
    if (result === NO_CHAT) return answer(response, 400, failure(400, 'Bad Request: no such chat'))
    answer(response, 200, { ok: true, result })
  }

  async #call(method: string, params: Json, response: ServerResponse): Promise<unknown> {
    switch (method) {
      case 'getMe':
        return { ...TELEGRAM_BOT, is_bot: true, first_name: 'Heron' }
      case 'getUpdates':
        return this.#getUpdates(params, response)
      case 'sendMessage':
        return this.#sendMessage(params)
      case 'setWebhook':
        this.#webhook = { url: String(params['url']), secret: String(params['secret_token']) }
        void this.#post()
        return true
      case 'deleteWebhook':
        this.#webhook = null
        return true
      case 'getWebhookInfo':
        return { url: this.#webhook?.url ?? '' }
    }
    return NO_CHAT
  }

  async #getUpdates(params: Json, response: ServerResponse): Promise<unknown> {
    if (this.#webhook !== null) return CONFLICT
    this.#endPoll()
    const offset = params['offset']
    if (typeof offset === 'number') {
      this.#updates = this.#updates.filter(({ update_id: id }) => Number(id) >= offset)
    }
    if (this.#updates.length === 0) {
      const ended = await this.#hold(Number(params['timeout'] ?? 0) * 1_000, response)
      if (ended) return CONFLICT
    }
    return this.#updates.slice(0, 100)
  }

  // Resolves with whether another poll has taken the place of this one.
  #hold(ms: number, response: ServerResponse): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(false), ms)
      const done = (ended: boolean): void => {
        clearTimeout(timer)
        this.#poll = null
        resolve(ended)
      }
      this.#poll = () => done(true)
      this.#wake = () => done(false)
      response.once('close', () => done(false))
    })
  }

  #endPoll(): void {
    this.#poll?.()
  }

  #sendMessage({ chat_id: chat, text, message_thread_id: topic = null }: Json): unknown {
    const key = String(chat)
    if (key === '404') return NO_CHAT
    const moved = this.#moved.get(key)
    if (moved !== undefined) return new Gone(moved)
    if (typeof text !== 'string' || text === '' || text.length > 4_096) return NO_CHAT
    const id = (this.#messages.get(key) ?? 0) + 1
    this.#messages.set(key, id)
    this.sent.push({ chat: key, text, topic: topic as number | null })
    return { message_id: id, chat: { id: chat } }
  }

  async #post(): Promise<void> {
    if (this.#posting) return
    this.#posting = true
    while (this.#webhook !== null && this.server !== null && !this.isFrozen) {
      const [update] = this.#updates
      if (update === undefined) break
      const status = await postUpdate(this.#webhook, update)
      if (status === 200) this.#updates.shift()
      else await sleep(WEBHOOK_RETRY_MS)
    }
    this.#posting = false
  }
}

export interface SayOptions {
  readonly from?: number
  readonly chat?: number // negative: a group
  readonly [member: string]: unknown
}

/** A chat that has another id now. */
class Gone {
  readonly to: number

  constructor(to: number) {
    this.to = to
  }
}

const CONFLICT = Symbol('conflict')
const NO_CHAT = Symbol('no chat')

async function postUpdate(
  { url, secret }: { url: string; secret: string },
  update: Json,
): Promise<number> {
  try {
    const { status } = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-telegram-bot-api-secret-token': secret,
      },
      body: JSON.stringify(update),
    })
    return status
  } catch {
    return 0
  }
}

function failure(code: number, description: string): Json {
  return { ok: false, error_code: code, description }
}
