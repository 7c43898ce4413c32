/**
 * What WhatsApp's library has acknowledged, until the gateway has it. Part of `whatsapp.ts`.
 *
 * The library tells WhatsApp by itself that a message came, before it tells us, and nobody brings it
 * again. So each is kept in a file of its own before it is handed over, in order, one by one: what
 * cannot be taken now, where the store is full or the gateway ends, is handed over again, also by the
 * next process. Only what may never be taken, or what is more than may be kept, is lost, and said so.
 */
import { GatewayError, messageOf } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { isObject } from '../../protocol/members.ts'
import type { InboundMessage } from '../../protocol/message.ts'
import type { Cancel, Services } from '../services.ts'
import type { ChannelHost } from './adapter.ts'

/** Where messages are kept that are not in the journal yet. Names are digits. */
export interface HeldFiles {
  /** Lists names, the oldest first. */
  readonly list: () => readonly string[]
  /** Reads one; null: it is not there. */
  readonly read: (name: string) => string | null
  /** Writes one, so that it outlives this process. @throws {GatewayError} PERMISSION */
  readonly write: (name: string, text: string) => void
  readonly remove: (name: string) => void
}

interface Held {
  readonly name: string
  readonly message: InboundMessage
}

// The draft itself is unacceptable: it will be so tomorrow.
const HOPELESS: ReadonlySet<string> = new Set([
  'APPEND_REJECTED',
  'INVALID_REQUEST',
  'PAYLOAD_TOO_LARGE',
])
const NAME_DIGITS = 12

/** The messages of one account, in the order in which they came. */
export class WhatsAppInbox {
  readonly #files: HeldFiles
  readonly #host: ChannelHost
  readonly #services: Services
  #waiting: Held[] = []
  #next = 1
  #running = false
  #isRead = false
  #open = false
  #cancel: Cancel | null = null // of the pause behind one that could not be taken

  constructor(files: HeldFiles, host: ChannelHost, services: Services) {
    this.#files = files
    this.#host = host
    this.#services = services
  }

  /** Begins to hand over, first what an earlier process has left. */
  open(): void {
    this.#open = true
    if (!this.#isRead) this.#readLeft()
    this.#isRead = true
    void this.#handOver()
  }

  /** Hands over nothing more, until it is opened again. */
  close(): void {
    this.#open = false
    this.#cancel?.()
    this.#cancel = null
  }

  /** Keeps a message, and hands it over behind those that came before it. */
  take(message: InboundMessage): void {
    if (this.#waiting.length >= limits.whatsappHeldMax) {
      return this.#host.lost(1, 'whatsapp: more messages wait than can be kept')
    }
    const name = String(this.#next).padStart(NAME_DIGITS, '0')
    this.#next += 1
    try {
      this.#files.write(name, JSON.stringify(message))
    } catch (thrown) {
      // It waits in memory: a full disk may be free again before this process ends.
      this.#services.log.error('whatsapp message not kept', { fault: messageOf(thrown) })
    }
    this.#waiting.push({ name, message })
    void this.#handOver()
  }

  #readLeft(): void {
    for (const name of this.#files.list()) {
      this.#next = Math.max(this.#next, Number(name) + 1)
      const message = parseHeld(this.#files.read(name))
      if (message !== null) this.#waiting.push({ name, message })
      else this.#lose(name, 'whatsapp: a message that was kept cannot be read')
    }
  }

  async #handOver(): Promise<void> {
    if (this.#running || this.#cancel !== null) return
    this.#running = true
    try {
      for (let [next] = this.#waiting; next !== undefined && this.#open; [next] = this.#waiting) {
        if (!(await this.#give(next))) return this.#againLater()
        this.#waiting.shift()
      }
    } finally {
      this.#running = false
    }
  }

  /** Resolves with whether it need not be given again. */
  async #give({ name, message }: Held): Promise<boolean> {
    try {
      await this.#host.received(message)
      this.#remove(name)
      return true
    } catch (thrown) {
      const fault = messageOf(thrown)
      const isHopeless = thrown instanceof GatewayError && HOPELESS.has(thrown.code)
      if (isHopeless) this.#lose(name, fault)
      else this.#services.log.warn('whatsapp message waits', { channel: 'whatsapp', fault })
      return isHopeless
    }
  }

  #lose(name: string, why: string): void {
    this.#remove(name)
    this.#host.lost(1, why)
  }

  // A file that stays is offered again by the next process; those behind it do not wait for that.
  #remove(name: string): void {
    try {
      this.#files.remove(name)
    } catch (thrown) {
      this.#services.log.error('whatsapp message stays', { fault: messageOf(thrown) })
    }
  }

  #againLater(): void {
    if (!this.#open) return
    this.#cancel = this.#services.clock.after(limits.whatsappHeldAgainMs, () => {
      this.#cancel = null
      void this.#handOver()
    })
  }
}

// It is a file of ours, but a power cut may have left it empty.
function parseHeld(text: string | null): InboundMessage | null {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return isObject(value) ? (value as unknown as InboundMessage) : null
  } catch {
    return null
  }
}
