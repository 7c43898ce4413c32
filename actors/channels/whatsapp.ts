/**
 * The WhatsApp adapter: one linked device.
 *
 * Promises: `open` resolves when WhatsApp has let the device in; `deliver` when its server has
 * acknowledged the message. The library tells WhatsApp by itself that a message was received: so it
 * is kept in a file until it is in the journal (`whatsapp-inbox.ts`). Whoever has not logged in has a
 * channel that has failed, and is told what to do. Steps 1 and 7 of 8.
 */
import {
  parseWhatsAppMessage,
  splitWhatsAppText,
  whatsappAccount,
  whatsappAddress,
  whatsappMessageId,
  whatsappPerson,
} from '../../protocol/channels/whatsapp.ts'
import { messageOf } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { memberOf } from '../../protocol/members.ts'
import type { Services } from '../services.ts'
import {
  type ChannelAdapter,
  type ChannelHost,
  DeliveryFault,
  type LinkEnd,
  LinkFault,
  type OutboundMessage,
  Unreached,
} from './adapter.ts'
import {
  type Baileys,
  loadBaileys,
  LOGGED_OUT,
  openSocket,
  readCreds,
  type SecretFiles,
  type Socket,
  standingOf,
} from './whatsapp-seam.ts'
import { type HeldFiles, WhatsAppInbox } from './whatsapp-inbox.ts'

/** What has to be done before a channel can open. */
export const WHATSAPP_LOGIN = 'openclaw channels login whatsapp'

// 401: the phone has thrown the device out; 403: the account; 440: another one took its place.
const FINAL: ReadonlyMap<number, string> = new Map([
  [LOGGED_OUT, `whatsapp: logged out: ${WHATSAPP_LOGIN}`],
  [403, 'whatsapp: 403, the account is refused'],
  [411, `whatsapp: 411, not linked: ${WHATSAPP_LOGIN}`],
  [440, 'whatsapp: 440, another gateway uses this login'],
])

/** Where one account's secrets rest, and its messages until the journal has them. */
export interface WhatsAppFiles {
  readonly secrets: SecretFiles
  readonly held: HeldFiles
}

/** Makes the WhatsApp adapter; `load` imports the library. */
export function openWhatsApp(
  { secrets, held }: WhatsAppFiles,
  host: ChannelHost,
  services: Services,
  load?: () => Promise<unknown>,
): ChannelAdapter {
  let session: WhatsAppSession | null = null
  const inbox = new WhatsAppInbox(held, host, services)
  const close = async (): Promise<void> => {
    inbox.close()
    session?.close()
    session = null
  }
  return {
    open: async (signal) => {
      await close()
      inbox.open()
      const baileys = await loadBaileys(load)
      const next = new WhatsAppSession({ baileys, secrets, host, services, inbox })
      session = next
      await next.begin(signal)
    },
    deliver: async (message) => {
      if (session?.isUp !== true) throw new Unreached('whatsapp: not connected')
      return { messageId: await session.deliver(message) }
    },
    close,
  }
}

interface SessionParts {
  readonly baileys: Baileys
  readonly secrets: SecretFiles
  readonly host: ChannelHost
  readonly services: Services
  readonly inbox: WhatsAppInbox
}

/** One connection; never used again after its end. */
class WhatsAppSession {
  readonly #parts: SessionParts
  readonly #acks = new Map<string, (node: unknown) => void>() // by message id; null: the link ended
  readonly #known = new Set<string>() // numbers that are on WhatsApp
  #socket: Socket | null = null
  #us: readonly string[] = []
  #state: 'dialling' | 'up' | 'over' = 'dialling'
  #writing: Promise<unknown> = Promise.resolve()

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  /** Whether messages can flow. */
  get isUp(): boolean {
    return this.#state === 'up'
  }

  /** Connects. Rejects with a LinkFault; then nothing goes on. */
  begin(signal: AbortSignal): Promise<void> {
    const { baileys, secrets, host } = this.#parts
    const creds = readCreds(baileys, secrets)
    if (creds === null) {
      throw new LinkFault(`whatsapp: not logged in: ${WHATSAPP_LOGIN}`, { final: true })
    }
    return new Promise((resolve, reject) => {
      const refuse = (reason: string, end: LinkEnd = {}): void => {
        this.close()
        reject(new LinkFault(reason, end))
      }
      const abort = (): void => refuse('whatsapp: it took too long')
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      this.#us = namesOf(creds['me'])
      const socket = openSocket(baileys, secrets, creds)
      this.#socket = socket
      socket.ev.on('connection.update', (update) => {
        const { isOpen, closedWith, qr } = standingOf(update)
        if (this.#state === 'over') return
        // It asks for a phone: what is on disk is no login.
        if (qr !== null)
          return refuse(`whatsapp: not logged in: ${WHATSAPP_LOGIN}`, { final: true })
        if (isOpen) {
          signal.removeEventListener('abort', abort)
          this.#up(socket)
          resolve()
        }
        if (closedWith === null) return
        const { reason, end } = endOf(closedWith)
        if (this.#state === 'up') this.#drop(reason, end)
        else refuse(reason, end)
      })
      socket.ws.on('message', () => host.heard())
      socket.ws.on('CB:ack,class:message', (node) => this.#acked(node))
      socket.ev.on('messages.upsert', (told) => this.#upserted(told))
    })
  }

  /** Ends without a word to the host. */
  close(): void {
    this.#state = 'over'
    for (const settle of this.#acks.values()) settle(null)
    this.#socket?.end(undefined)
  }

  /** Delivers a text, in pieces where it is long; one text at a time. @throws {DeliveryFault} */
  async deliver({ target, text, deliveryId }: OutboundMessage): Promise<string> {
    const address = whatsappAddress(target)
    if (address === null) {
      throw new DeliveryFault(`whatsapp: ${quote(target)} is nobody's`, 'no', false)
    }
    const pieces = splitWhatsAppText(text)
    if (pieces.length === 0) throw new DeliveryFault('whatsapp: no text', 'no', false)
    const own = this.#writing.then(() => this.#write(address, pieces, deliveryId))
    this.#writing = own.catch(() => {})
    return own
  }

  #up(socket: Socket): void {
    this.#state = 'up'
    const names = namesOf(socket.user)
    if (names.length > 0) this.#us = names
  }

  #drop(reason: string, end: LinkEnd): void {
    this.close()
    this.#parts.host.dropped(reason, end)
  }

  // Live ones, and those that came while we were away; also in the last breath of a connection.
  #upserted(told: unknown): void {
    const messages = memberOf(told, 'messages')
    if (!Array.isArray(messages)) return
    const account = whatsappAccount(this.#us)
    for (const each of messages) {
      const message = parseWhatsAppMessage(each, this.#us)
      if (message === null) continue
      this.#parts.inbox.take(account === null ? message : { ...message, account })
    }
  }

  async #write(address: string, pieces: readonly string[], deliveryId: string): Promise<string> {
    await this.#assertKnown(address)
    const ids = pieces.map((_, at) => whatsappMessageId(deliveryId, at))
    for (const [at, piece] of pieces.entries()) {
      await this.#send(address, piece, ids[at] ?? '').catch((thrown: unknown) => {
        // Some of it is there: whatever happens now, it was not sent and it was not unsent.
        throw at === 0 ? thrown : new DeliveryFault(messageOf(thrown), 'maybe', false)
      })
    }
    return ids[0] ?? ''
  }

  // A number that nobody has there takes messages and shows them to nobody.
  async #assertKnown(address: string): Promise<void> {
    if (this.#state !== 'up') throw new Unreached('whatsapp: not connected')
    const [number = '', host] = address.split('@')
    if (host !== 's.whatsapp.net' || this.#known.has(number)) return
    const found = await this.#socket?.onWhatsApp(number).catch((thrown: unknown) => {
      throw new DeliveryFault(`whatsapp: ${messageOf(thrown)}`, 'no', true)
    })
    if (!Array.isArray(found) || !found.some((each) => memberOf(each, 'exists') === true)) {
      throw new DeliveryFault('whatsapp: nobody has that number there', 'no', false)
    }
    if (this.#known.size >= limits.whatsappKnownMax) this.#known.clear()
    this.#known.add(number)
  }

  async #send(address: string, text: string, messageId: string): Promise<void> {
    const acked = this.#ack(messageId)
    try {
      await this.#socket?.sendMessage(address, { text }, { messageId })
    } catch (thrown) {
      this.#acks.get(messageId)?.(null)
      throw new DeliveryFault(`whatsapp: ${messageOf(thrown)}`, 'maybe', false)
    }
    const node = await acked
    if (node === null) throw new DeliveryFault('whatsapp: not acknowledged', 'maybe', false)
    const error = memberOf(memberOf(node, 'attrs'), 'error')
    if (error !== undefined) {
      throw new DeliveryFault(`whatsapp: refused with ${quote(error)}`, 'no', false)
    }
  }

  // Resolves with what the server says of a message; null: it says nothing.
  #ack(messageId: string): Promise<unknown> {
    return new Promise((resolve) => {
      const settle = (node: unknown): void => {
        cancel()
        this.#acks.delete(messageId)
        resolve(node)
      }
      const cancel = this.#parts.services.clock.after(limits.whatsappAckMs, () => settle(null))
      this.#acks.set(messageId, settle)
      if (this.#state !== 'up') settle(null)
    })
  }

  #acked(node: unknown): void {
    const id = memberOf(memberOf(node, 'attrs'), 'id')
    if (typeof id === 'string') this.#acks.get(id)?.(node)
  }
}

// What we are called there: a number, and what hides it.
function namesOf(user: unknown): readonly string[] {
  const names = ['id', 'lid'].map((name) => whatsappPerson(memberOf(user, name)))
  return names.filter((name) => name !== null)
}

function endOf(code: number): { readonly reason: string; readonly end: LinkEnd } {
  const refused = FINAL.get(code)
  if (refused !== undefined) return { reason: refused, end: { final: true } }
  return { reason: `whatsapp: closed with ${code}`, end: {} }
}
