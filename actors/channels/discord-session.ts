/**
 * One session with Discord, as long as one connection lasts: messages in order, deliveries by target.
 *
 * The cursor is the gateway's session and the number of its last dispatch whose message is on disk: a
 * session that is resumed there brings all that came later. One that Discord has given up is begun
 * anew, and the conversations that are known are asked for what came between. Part of `discord.ts`.
 */
import {
  discordNonce,
  type DiscordPlace,
  formatDiscordCursor,
  inThread,
  parentOfThread,
  parseDiscordCursor,
  parseDiscordMessage,
  parseDiscordTarget,
  splitDiscordText,
} from '../../protocol/channels/discord.ts'
import { messageOf } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { InboundMessage } from '../../protocol/message.ts'
import type { Services } from '../services.ts'
import {
  type ChannelHost,
  DeliveryFault,
  type DeliveryReceipt,
  type LinkEnd,
  LinkFault,
  type OutboundMessage,
  type Resume,
  Unreached,
} from './adapter.ts'
import { type DiscordApi, DiscordFault } from './discord-api.ts'
import {
  type DiscordLink,
  type DiscordLinkParts,
  DiscordRefusal,
  type Dispatch,
  type Intents,
  isGatewayUrl,
  openDiscordLink,
} from './discord-link.ts'
import { askMissed } from './discord-missed.ts'
import { Places } from './discord-places.ts'
import { pauseWithin, sendPieces, Turns } from './pieces.ts'

/** What a session is made of. */
export interface DiscordParts {
  readonly ws: DiscordLinkParts['ws']
  readonly token: string
  readonly intents: Intents
  readonly host: ChannelHost
  readonly services: Services
  readonly api: DiscordApi
}

/** One session; never used again after its end. */
export class DiscordSession {
  readonly #parts: DiscordParts
  readonly #ending = new AbortController()
  readonly #turns = new Turns()
  readonly #places: Places
  #botId = ''
  #session: Omit<DiscordPlace, 'seq'> | null = null
  #kept: number | null = null // the last dispatch that is on disk
  #missedSince: number | null = null // ms since epoch; null: nothing was missed
  #link: DiscordLink | null = null
  #waiting: Dispatch[] = []
  #taking = false
  #told = false // open() has resolved

  constructor(parts: DiscordParts) {
    this.#parts = parts
    this.#places = new Places(parts.api)
  }

  /** Whether messages can flow. */
  get isUp(): boolean {
    return this.#told
  }

  /** Asks who we are, and begins or resumes. Rejects with a LinkFault; then nothing goes on. */
  async begin(signal: AbortSignal, resume: Resume | null): Promise<void> {
    const { api } = this.#parts
    const either = AbortSignal.any([signal, this.#ending.signal])
    const place = resume === null ? null : parseDiscordCursor(resume.cursor)
    try {
      this.#botId = await api.botId(either)
      const gateway = await api.gateway(either)
      if (!isGatewayUrl(gateway.url)) throw new LinkFault('discord: its gateway has no TLS', {})
      if (place !== null && resume !== null) this.#missedSince = resume.at
      this.#link = await this.#resume(gateway, place, either)
      // It may have ended in the breath that opened it.
      either.throwIfAborted()
    } catch (thrown) {
      this.close()
      throw thrown instanceof DiscordFault ? thrown.asLinkFault() : thrown
    }
    this.#told = true
    void this.#takeAll()
  }

  /** Ends without a word to the host. */
  close(why?: LinkFault): void {
    this.#told = false
    this.#waiting = []
    this.#ending.abort(why)
    this.#link?.close()
  }

  /** Delivers a text, in pieces where it is long. @throws {DeliveryFault} */
  async deliver({ target, text, deliveryId }: OutboundMessage): Promise<DeliveryReceipt> {
    if (parseDiscordTarget(target) === null) {
      throw new DeliveryFault(`discord: ${quote(target)} is no place`, 'no', false)
    }
    const [first, ...rest] = splitDiscordText(text).map((content, at) => ({
      content,
      nonce: discordNonce(deliveryId, at),
    }))
    if (first === undefined) throw new DeliveryFault('discord: no text', 'no', false)
    const messageId = await this.#turns.take(target, () => this.#write(target, [first, ...rest]))
    return { messageId }
  }

  async #resume(
    gateway: { url: string; startsLeft: number; resetAfterMs: number },
    place: DiscordPlace | null,
    signal: AbortSignal,
  ): Promise<DiscordLink> {
    const { chance, log } = this.#parts.services
    if (place !== null) {
      this.#session = place
      this.#kept = place.seq
      try {
        const resumed = await this.#dial(gateway.url, place, signal)
        this.#missedSince = null
        return resumed
      } catch (thrown) {
        if (!(thrown instanceof DiscordRefusal) || !thrown.sessionOver || thrown.end.final) {
          throw thrown
        }
      }
      log.warn('discord session is over: known conversations are asked', { channel: 'discord' })
      const spread = limits.discordAnewMsMax - limits.discordAnewMs
      await this.#pause(limits.discordAnewMs + chance.fraction() * spread)
    }
    this.#session = null
    this.#kept = null
    if (gateway.startsLeft < limits.discordStartsKept) {
      const { resetAfterMs: retryAfterMs } = gateway
      throw new LinkFault('discord: too many sessions were begun today', { retryAfterMs })
    }
    return this.#dial(gateway.url, null, signal)
  }

  #dial(gatewayUrl: string, place: DiscordPlace | null, signal: AbortSignal): Promise<DiscordLink> {
    const { ws, token, intents, host } = this.#parts
    const parts: DiscordLinkParts = {
      ws,
      token,
      intents,
      gatewayUrl,
      place,
      kept: () => this.#kept,
      heard: () => host.heard(),
      began: (session) => {
        this.#session = session
      },
      dispatched: (dispatch) => this.#dispatched(dispatch),
      ended: ({ reason, final }) => this.#end(reason, { final }),
    }
    return openDiscordLink(parts, signal)
  }

  // The library cannot be made to read less: behind so many the link ends, and resumes later.
  #dispatched(dispatch: Dispatch): void {
    if (this.#ending.signal.aborted) return
    this.#waiting.push(dispatch)
    if (this.#waiting.length > limits.discordWaitingMax) {
      return this.#end('discord: more events than can be kept', {})
    }
    if (this.#told) void this.#takeAll()
  }

  // One by one, in order. What comes before open() resolves waits for that.
  async #takeAll(): Promise<void> {
    if (this.#taking) return
    this.#taking = true
    try {
      await this.#takeMissed()
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        await this.#take(next)
      }
    } catch (thrown) {
      this.#end(messageOf(thrown), thrown instanceof DiscordFault ? thrown.asLinkFault().end : {})
    } finally {
      this.#taking = false
    }
  }

  // The cursor stays where it is until all of it is on disk.
  async #takeMissed(): Promise<void> {
    const since = this.#missedSince
    if (since === null) return
    const { api, host, services } = this.#parts
    const { signal } = this.#ending
    const asked = host.conversations().filter((target) => parseDiscordTarget(target) !== null)
    const parts = { api, places: this.#places, services, signal }
    const { messages, isCut } = await askMissed(parts, asked, since)
    for (const data of messages) {
      const message = await this.#read(data)
      if (signal.aborted) return
      if (message !== null) await host.received(message)
    }
    this.#missedSince = null
    const counts = { channel: 'discord', conversations: asked.length, messages: messages.length }
    services.log.info('discord conversations were asked', counts)
    if (isCut) services.log.warn('discord: more was missed than is asked for', counts)
  }

  async #take({ type, seq, data }: Dispatch): Promise<void> {
    const { host } = this.#parts
    const cursor = this.#session === null ? null : formatDiscordCursor({ ...this.#session, seq })
    const message = type === 'MESSAGE_CREATE' ? await this.#read(data) : null
    if (this.#ending.signal.aborted) return
    if (message !== null) await host.received(message, cursor ?? undefined)
    else if (cursor !== null) host.passed(cursor)
    this.#kept = Math.max(this.#kept ?? 0, seq)
  }

  async #read(data: unknown): Promise<InboundMessage | null> {
    const message = parseDiscordMessage(data, this.#botId)
    if (message === null || message.peer === 'direct') return message
    const channel = await this.#places.channel(message.roomId, this.#ending.signal)
    const parent = parentOfThread(channel)
    return parent === null ? message : inThread(message, parent)
  }

  /** Ends once, and tells the host unless we closed it; before it is open, that is a refusal. */
  #end(reason: string, how: LinkEnd): void {
    const told = this.#told
    this.close(new LinkFault(reason, how))
    if (told) this.#parts.host.dropped(reason, how)
  }

  async #write(target: string, pieces: readonly [Piece, ...Piece[]]): Promise<string> {
    const channel = await this.#channelOf(target)
    return sendPieces(pieces, {
      send: (piece) => this.#offer(channel, piece),
      faultOf: (thrown) => this.#deliveryFault(thrown),
      pause: (ms) => this.#pause(ms),
    })
  }

  // Whatever becomes of the question, nothing was sent to anybody.
  async #channelOf(target: string): Promise<string> {
    try {
      return await this.#places.channelOf(target, this.#ending.signal)
    } catch (thrown) {
      const { message, retryAfterMs } = this.#deliveryFault(thrown)
      const status = thrown instanceof DiscordFault ? thrown.status : 0
      if (status === 0) throw new Unreached(message)
      const retryable = status === 429 || status >= 500
      throw new DeliveryFault(message, 'no', retryable, retryAfterMs)
    }
  }

  // Where it may be there, it is offered once more: Discord answers with the one that it has.
  async #offer(channel: string, piece: Piece): Promise<string> {
    const { api } = this.#parts
    const { signal } = this.#ending
    try {
      return await api.createMessage(channel, piece, signal)
    } catch (thrown) {
      if (!(thrown instanceof DiscordFault) || !thrown.isOpen || signal.aborted) throw thrown
      await this.#pause(limits.discordAgainMs)
      return await api.createMessage(channel, piece, signal).catch(() => {
        throw thrown
      })
    }
  }

  #pause(ms: number): Promise<void> {
    return pauseWithin(this.#parts.services.clock, ms, this.#ending.signal)
  }

  // A token that is refused here is refused everywhere.
  #deliveryFault(thrown: unknown): DeliveryFault {
    if (!(thrown instanceof DiscordFault)) {
      return new DeliveryFault(messageOf(thrown), 'maybe', false)
    }
    if (thrown.status === 401) this.#end(thrown.message, { final: true })
    return thrown.asDeliveryFault()
  }
}

interface Piece {
  readonly content: string
  readonly nonce: string
}
