/**
 * One link to Telegram: from the first poll, or the webhook that was set, to its one end.
 *
 * Polling: the next poll asks for what comes behind the last update whose message is on disk; so
 * Telegram brings again whatever a crash took from us. Webhook: an update is answered with 200 when
 * it is on disk; Telegram posts one at a time and comes again with what was not.
 */
import { equalSecrets } from '../../protocol/auth/token.ts'
import {
  parseTelegramMove,
  parseTelegramTarget,
  parseTelegramUpdate,
  splitTelegramText,
  type TelegramBot,
  type TelegramTarget,
  updateIdOf,
} from '../../protocol/channels/telegram.ts'
import type { ResolvedTelegram } from '../../protocol/config/channel-defaults.ts'
import { messageOf } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { Cancel, Services } from '../services.ts'
import {
  type ChannelHost,
  DeliveryFault,
  type DeliveryReceipt,
  type HookAnswer,
  type HookRequest,
  type LinkEnd,
  type OutboundMessage,
  type Resume,
} from './adapter.ts'
import { pauseWithin, sendPieces, Turns } from './pieces.ts'
import { CallFault, type TelegramApi } from './telegram-api.ts'

/** What a session is made of. */
export interface TelegramParts {
  readonly config: ResolvedTelegram
  readonly host: ChannelHost
  readonly services: Services
  readonly api: TelegramApi
  readonly bot: TelegramBot
}

/** One link; never used again after its end. */
export class TelegramSession {
  readonly #parts: TelegramParts
  readonly #ending = new AbortController()
  readonly #turns = new Turns()
  #cancelPing: Cancel = () => {}
  #told = false // open() has resolved

  constructor(parts: TelegramParts) {
    this.#parts = parts
  }

  /** Begins to poll, or to be posted to. Rejects with a CallFault; then nothing goes on. */
  async begin(signal: AbortSignal, resume: Resume | null): Promise<void> {
    const { config, api } = this.#parts
    if (config.webhook === null) {
      await api.deleteWebhook(signal)
      this.#told = true
      void this.#poll(this.#offsetOf(resume))
      return
    }
    await api.setWebhook(config.webhook, signal)
    this.#told = true
    this.#ping()
  }

  /** Ends without a word to the host. */
  close(): void {
    this.#told = false
    this.#cancelPing()
    this.#ending.abort()
  }

  /** Delivers a text, in pieces where it is long. @throws {DeliveryFault} */
  async deliver({ target, text }: OutboundMessage): Promise<DeliveryReceipt> {
    const parsed = parseTelegramTarget(target)
    if (parsed === null) {
      throw new DeliveryFault(`telegram: ${quote(target)} is no chat`, 'no', false)
    }
    const [first, ...rest] = splitTelegramText(text)
    if (first === undefined) throw new DeliveryFault('telegram: no text', 'no', false)
    const messageId = await this.#turns.take(target, () => this.#write(parsed, [first, ...rest]))
    return { messageId }
  }

  /** Takes what Telegram posts. Never rejects. */
  async take({ headers, body }: HookRequest): Promise<HookAnswer> {
    const secret = headers['x-telegram-bot-api-secret-token']
    const { config } = this.#parts
    if (typeof secret !== 'string' || !equalSecrets(config.webhook?.secret ?? '', secret)) {
      return { status: 401, body: { error: 'the secret token is wrong' } }
    }
    const update = parseJson(body)
    if (updateIdOf(update) === null) return { status: 400, body: { error: 'no update' } }
    this.#parts.host.heard()
    try {
      await this.#receive(update)
      return { status: 200, body: { ok: true } }
    } catch (thrown) {
      const fault = messageOf(thrown)
      this.#parts.services.log.error('telegram update not taken', { fault })
      return { status: 503, body: { error: 'not taken, come again' }, retryAfterMs: 1_000 }
    }
  }

  /** The next update that we have not; null: where Telegram may have begun to count anew. */
  #offsetOf(resume: Resume | null): number | null {
    if (resume === null || !/^\d{1,15}$/.test(resume.cursor)) return null
    const age = this.#parts.services.clock.now() - resume.at
    return age > limits.telegramOffsetMs ? null : Number(resume.cursor) + 1
  }

  async #poll(from: number | null): Promise<void> {
    const { api, host, services } = this.#parts
    const { signal } = this.#ending
    let offset = from
    let newestAt = services.clock.monotonic()
    try {
      while (!signal.aborted) {
        const askedAt = services.clock.monotonic()
        if (askedAt - newestAt > limits.telegramOffsetMs) offset = null
        const updates = await api.getUpdates(offset, signal)
        const answeredAt = services.clock.monotonic()
        host.heard()
        if (updates.length > 0) newestAt = answeredAt
        else if (answeredAt - askedAt < limits.telegramPauseMs) await this.#pause()
        for (const update of updates) offset = await this.#takeNext(update, offset)
      }
    } catch (thrown) {
      this.#end(thrown)
    }
  }

  // What was there before is confirmed by the next poll, and by nothing else.
  async #takeNext(update: unknown, offset: number | null): Promise<number | null> {
    const id = updateIdOf(update)
    if (id === null || this.#ending.signal.aborted) return offset
    if (offset !== null && id < offset) return offset
    await this.#receive(update)
    return id + 1
  }

  async #receive(update: unknown): Promise<void> {
    const { host, bot } = this.#parts
    const cursor = String(updateIdOf(update))
    const move = parseTelegramMove(update)
    if (move !== null) await host.moved(move.from, move.room)
    const message = parseTelegramUpdate(update, bot)
    if (message === null) host.passed(cursor)
    else await host.received(message, cursor)
  }

  #pause(ms: number = limits.telegramPauseMs): Promise<void> {
    return pauseWithin(this.#parts.services.clock, ms, this.#ending.signal)
  }

  #ping(): void {
    const { services } = this.#parts
    this.#cancelPing = services.clock.after(limits.telegramPingMs, () => void this.#askWhere())
  }

  // A server that posts to us is silent as long as nobody writes: so it is asked.
  async #askWhere(): Promise<void> {
    const { api, config, host } = this.#parts
    try {
      const url = await api.webhookUrl(this.#ending.signal)
      if (url !== config.webhook?.url) throw new Error('telegram: the webhook was taken away')
      host.heard()
      this.#ping()
    } catch (thrown) {
      this.#end(thrown)
    }
  }

  /** Ends once, and tells the host unless we closed it. */
  #end(thrown: unknown): void {
    if (!this.#told) return
    this.close()
    const how: LinkEnd = thrown instanceof CallFault ? thrown.asLinkFault().end : {}
    this.#parts.host.dropped(messageOf(thrown), how)
  }

  #write(target: TelegramTarget, pieces: readonly [string, ...string[]]): Promise<string> {
    const { api } = this.#parts
    const { signal } = this.#ending
    let to = target
    const send = async (piece: string): Promise<string> => {
      try {
        return await api.sendMessage(to, piece, signal)
      } catch (thrown) {
        const chat = thrown instanceof CallFault ? thrown.movedTo : null
        if (chat === null || chat === to.chat) throw thrown
        // It was refused for its address: nothing of this piece is anywhere.
        await this.#tellMoved(to.chat, chat)
        to = { chat, topic: null }
        return api.sendMessage(to, piece, signal)
      }
    }
    return sendPieces(pieces, {
      send,
      faultOf: (thrown) => this.#deliveryFault(thrown),
      pause: (ms) => this.#pause(ms),
    })
  }

  // Where it cannot be kept now, the next message there is refused and says it again.
  async #tellMoved(from: string, room: string): Promise<void> {
    const { host, services } = this.#parts
    await host.moved(from, room).catch((thrown: unknown) => {
      services.log.warn('telegram group has moved, not kept', { fault: messageOf(thrown) })
    })
  }

  // A token that is refused here is refused everywhere: no need to wait for the next poll.
  #deliveryFault(thrown: unknown): DeliveryFault {
    if (!(thrown instanceof CallFault)) return new DeliveryFault(messageOf(thrown), 'maybe', false)
    if (thrown.code === 401) this.#end(thrown)
    return thrown.asDeliveryFault()
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return null
  }
}
