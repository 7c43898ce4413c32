/**
 * Calls of Telegram's Bot API, each with its deadline, and what their failures mean.
 *
 * grammY 1.46.0 makes the requests and names the errors; its polling, retries and timers are not
 * used. The token is a part of every address, so nothing that a library says of a failed request is
 * passed on unread. Part of `telegram.ts`, which alone imports it with `telegram-session.ts`.
 */
import { Agent } from 'node:http'
import { Agent as AgentTls } from 'node:https'
import type * as Grammy from 'grammy'
import type { TelegramBot, TelegramTarget } from '../../protocol/channels/telegram.ts'
import type { ResolvedTelegram } from '../../protocol/config/channel-defaults.ts'
import { limits } from '../../protocol/limits.ts'
import { memberOf } from '../../protocol/members.ts'
import type { Services } from '../services.ts'
import { DeliveryFault, LinkFault, Unreached } from './adapter.ts'

// Only what people write is asked for; all else stays with Telegram, unsent.
const UPDATES = ['message'] as const

/** A call that did not succeed, without anything secret. */
export class CallFault extends Error {
  readonly code: number // Telegram's; 0: it did not answer
  readonly retryAfterMs: number | null
  readonly connected: boolean // the request may have been read
  readonly movedTo: string | null // the chat has another id now

  constructor(
    message: string,
    code: number,
    {
      retryAfterMs = null,
      connected = true,
      movedTo = null,
    }: {
      readonly retryAfterMs?: number | null
      readonly connected?: boolean
      readonly movedTo?: string | null
    } = {},
  ) {
    super(message)
    this.name = 'CallFault'
    this.code = code
    this.retryAfterMs = retryAfterMs
    this.connected = connected
    this.movedTo = movedTo
  }

  /** As the fault of a link: a token that is refused once is refused again. */
  asLinkFault(): LinkFault {
    const { message, code, retryAfterMs } = this
    return new LinkFault(message, { final: code === 401 || code === 404, retryAfterMs })
  }

  /** As the fault of a delivery of which nothing was sent before. */
  asDeliveryFault(): DeliveryFault {
    const { message, code, retryAfterMs, connected } = this
    if (!connected) return new Unreached(message)
    if (code === 0) return new DeliveryFault(message, 'maybe', false)
    if (code === 429) return new DeliveryFault(message, 'no', true, retryAfterMs)
    // It failed in the middle of something: who knows of what.
    if (code >= 500) return new DeliveryFault(message, 'maybe', false)
    return new DeliveryFault(message, 'no', false)
  }
}

/** The calls that we make. All reject with a CallFault. */
export class TelegramApi {
  readonly #grammy: typeof Grammy
  readonly #api: Grammy.Api
  readonly #services: Services

  constructor(grammy: typeof Grammy, config: ResolvedTelegram, services: Services) {
    const { botToken, apiRoot } = config
    // A request on a connection that the server has just given up would be one that was maybe read.
    const agent = apiRoot.startsWith('https:')
      ? new AgentTls({ keepAlive: false })
      : new Agent({ keepAlive: false })
    this.#grammy = grammy
    this.#api = new grammy.Api(botToken, { apiRoot, baseFetchConfig: { agent, compress: true } })
    this.#services = services
  }

  async getMe(signal: AbortSignal): Promise<TelegramBot> {
    const { id, username } = await this.#call(signal, (each) => this.#api.getMe(each))
    return { id, username }
  }

  /** Asks for updates from one on, and thereby tells that all before are kept; null: from the first. */
  async getUpdates(from: number | null, signal: AbortSignal): Promise<readonly unknown[]> {
    const held = { timeout: limits.telegramPollMs / 1_000, allowed_updates: UPDATES }
    const asked = from === null ? held : { ...held, offset: from }
    const waitMs = limits.telegramPollMs + limits.telegramGraceMs
    return this.#call(signal, (each) => this.#api.getUpdates(asked, each), waitMs)
  }

  /** Lets Telegram post to us, one update at a time: that keeps their order. */
  async setWebhook(
    { url, secret }: { readonly url: string; readonly secret: string },
    signal: AbortSignal,
  ): Promise<void> {
    const how = { secret_token: secret, allowed_updates: UPDATES, max_connections: 1 }
    await this.#call(signal, (each) => this.#api.setWebhook(url, how, each))
  }

  /** Lets Telegram post to nobody; updates that wait go on waiting. */
  async deleteWebhook(signal: AbortSignal): Promise<void> {
    await this.#call(signal, (each) => this.#api.deleteWebhook({}, each))
  }

  /** Where Telegram posts to; empty: to nobody. */
  async webhookUrl(signal: AbortSignal): Promise<string> {
    const { url = '' } = await this.#call(signal, (each) => this.#api.getWebhookInfo(each))
    return url
  }

  /** Sends one message; resolves with its id there. */
  async sendMessage(
    { chat, topic }: TelegramTarget,
    text: string,
    signal: AbortSignal,
  ): Promise<string> {
    const where = topic === null ? {} : { message_thread_id: topic }
    const sent = await this.#call(signal, (each) => this.#api.sendMessage(chat, text, where, each))
    return String(sent.message_id)
  }

  async #call<T>(
    signal: AbortSignal,
    call: (signal: NonNullable<Parameters<Grammy.Api['getMe']>[0]>) => Promise<T>,
    waitMs: number = limits.telegramGraceMs,
  ): Promise<T> {
    const own = new AbortController()
    const abort = (): void => own.abort()
    const cancel = this.#services.clock.after(waitMs, abort)
    signal.addEventListener('abort', abort, { once: true })
    try {
      if (signal.aborted) {
        throw new CallFault('telegram: not connected', 0, { connected: false })
      }
      // Its type is that of a polyfill; what it does with a signal, ours does too.
      return await call(own.signal as NonNullable<Parameters<Grammy.Api['getMe']>[0]>)
    } catch (thrown) {
      if (thrown instanceof CallFault) throw thrown
      const silent = `no answer in ${waitMs} ms`
      const ended = signal.aborted ? 'the link ended before an answer' : silent
      throw this.#faultOf(thrown, own.signal.aborted ? ended : null)
    } finally {
      cancel()
      signal.removeEventListener('abort', abort)
    }
  }

  // `ended`: why we have given it up ourselves; null: we have not.
  #faultOf(thrown: unknown, ended: string | null): CallFault {
    const { GrammyError, HttpError } = this.#grammy
    if (thrown instanceof GrammyError) {
      const { error_code: code, description, parameters } = thrown
      const seconds = parameters.retry_after
      const retryAfterMs = seconds === undefined ? null : seconds * 1_000
      const chat = parameters.migrate_to_chat_id
      const movedTo = Number.isSafeInteger(chat) ? String(chat) : null
      return new CallFault(`telegram: ${code} ${description}`, code, { retryAfterMs, movedTo })
    }
    if (ended !== null) return new CallFault(`telegram: ${ended}`, 0)
    const why = thrown instanceof HttpError ? thrown.error : thrown
    const name = memberOf(why, 'code')
    const code = typeof name === 'string' ? name : 'no answer that could be read'
    return new CallFault(`telegram: ${code}`, 0, { connected: !isUnconnected(why, code) })
  }
}

const UNCONNECTED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

// A certificate that does not hold ends the connection before anything is written.
function isUnconnected(why: unknown, code: string): boolean {
  if (UNCONNECTED.has(code) || /CERT|ALTNAME|SIGNATURE/.test(code)) return true
  return code === 'ETIMEDOUT' && /\bconnect ETIMEDOUT\b/.test(String(memberOf(why, 'message')))
}
