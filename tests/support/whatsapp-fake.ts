/**
 * A stand-in for baileys and the servers behind it, in the shape of `whatsapp-seam.ts`: nobody offers
 * a WhatsApp to test against. A device is linked by a code; messages are acknowledged frame by frame;
 * what was written while no device was connected comes at the next connection, once.
 */
import { EventEmitter } from 'node:events'
import type { HeldFiles } from '../../actors/channels/whatsapp-inbox.ts'
import type {
  Baileys,
  Creds,
  KeyStore,
  SecretFiles,
  Socket,
} from '../../actors/channels/whatsapp-seam.ts'

export const OUR_NUMBER = '491700000001'
/** A secret of the device; it must be in no place but its own files. */
export const CANARY = 'canary-noise-key-4711'

interface Texted {
  readonly to: string
  readonly text: string
  readonly id: string
}

/** What was written to us, as the library tells it. */
export type Upsert = Readonly<Record<string, unknown>>

export class FakeWhatsApp implements Baileys {
  readonly texted: Texted[] = []
  readonly configs: Readonly<Record<string, unknown>>[] = []
  isUp = true
  isLinked = true // the account lets the device in
  scans = true // the phone scans the code
  refusesWith: string | null = null // the next message
  readonly proto = { Message: { AppStateSyncKeyData: { fromObject: (value: object) => value } } }
  readonly BufferJSON = {
    replacer: (_: string, value: unknown) => value,
    reviver: (_: string, value: unknown) => value,
  }
  #open: Connection | null = null
  #missed: Upsert[] = []
  #frozen: (() => void) | null = null
  #next = 1

  initAuthCreds = (): Creds => ({ registered: false })

  makeWASocket = (config: Readonly<Record<string, unknown>>): Socket => {
    this.configs.push(config)
    const { creds, keys } = config['auth'] as { creds: Creds; keys: KeyStore }
    const connection = new Connection(this, creds)
    setImmediate(() => this.#greet(connection, creds, keys))
    return connection
  }

  /** Somebody writes to us alone, or in a group. */
  say(text: string, { from = '491700000501', group = null, ...more }: SayOptions = {}): void {
    const to = `${from}@s.whatsapp.net`
    const id = `3EB0${String(this.#next).padStart(18, '0')}`
    this.#next += 1
    const key = group === null ? { id, remoteJid: to } : { id, remoteJid: group, participant: to }
    const message = { key, pushName: 'Ann', message: { conversation: text }, ...more }
    if (this.#open === null) this.#missed.push(message)
    else this.#open.tell('messages.upsert', { type: 'notify', messages: [message] })
  }

  /** The servers are gone, with what they were about to say. */
  stop(): void {
    this.isUp = false
    this.#frozen = null
    this.close(428)
  }

  start(): void {
    this.isUp = true
  }

  /** Closes the connection with a code. */
  close(code: number): void {
    const connection = this.#open
    this.#open = null
    connection?.closed(code)
  }

  /** Takes messages and acknowledges none, until it is stopped; resolves with the first of them. */
  freeze(): Promise<void> {
    return new Promise((resolve) => {
      this.#frozen = resolve
    })
  }

  /** Takes a message of ours. */
  take(connection: Connection, texted: Texted): void {
    if (connection !== this.#open) throw new Error('Connection Closed')
    if (this.#frozen !== null) return this.#frozen()
    const error = this.refusesWith
    this.refusesWith = null
    if (error === null) this.texted.push(texted)
    const attrs = error === null ? { id: texted.id } : { id: texted.id, error }
    setImmediate(() => connection.ws.emit('CB:ack,class:message', { attrs }))
  }

  /** A device asks to be forgotten. */
  unlink(connection: Connection): void {
    if (connection !== this.#open) throw new Error('Connection Closed')
    this.isLinked = false
    this.close(401)
  }

  /** A device goes away. */
  left(connection: Connection): void {
    if (this.#open === connection) this.#open = null
  }

  #greet(connection: Connection, creds: Creds, keys: KeyStore): void {
    if (connection.isEnded) return
    if (!this.isUp) return connection.closed(408)
    if (creds['registered'] !== true) return this.#link(connection, keys)
    if (!this.isLinked) return connection.closed(401)
    this.#open = connection
    connection.user = { id: `${OUR_NUMBER}:7@s.whatsapp.net`, lid: '77:7@lid' }
    connection.tell('connection.update', { connection: 'open' })
    for (const message of this.#missed.splice(0)) {
      connection.tell('messages.upsert', { type: 'append', messages: [message] })
    }
  }

  #link(connection: Connection, keys: KeyStore): void {
    connection.tell('connection.update', { qr: 'ref,code-to-scan' })
    if (!this.scans) return connection.closed(408)
    keys.set({ 'pre-key': { '1': { private: CANARY }, '2': null } })
    connection.tell('creds.update', { registered: true, noiseKey: CANARY })
    connection.closed(515)
  }
}

export interface SayOptions {
  readonly from?: string
  readonly group?: string | null
  readonly [member: string]: unknown
}

class Connection implements Socket {
  readonly ev = new EventEmitter()
  readonly ws = new EventEmitter()
  user: unknown = undefined
  isEnded = false
  readonly #server: FakeWhatsApp
  readonly creds: Creds

  constructor(server: FakeWhatsApp, creds: Creds) {
    this.#server = server
    this.creds = creds
  }

  tell(event: string, told: unknown): void {
    if (this.isEnded) return
    this.ws.emit('message', Buffer.alloc(0))
    this.ev.emit(event, told)
  }

  closed(statusCode: number): void {
    const lastDisconnect = { error: { output: { statusCode } } }
    this.tell('connection.update', { connection: 'close', lastDisconnect })
    this.isEnded = true
  }

  sendMessage = async (
    to: string,
    { text }: { readonly text: string },
    { messageId: id }: { readonly messageId: string },
  ): Promise<unknown> => this.#server.take(this, { to, text, id })

  onWhatsApp = async (number = ''): Promise<unknown> =>
    number.startsWith('404') ? [] : [{ exists: true, jid: `${number}@s.whatsapp.net` }]

  logout = async (): Promise<unknown> => this.#server.unlink(this)

  end = (): void => {
    this.isEnded = true
    this.#server.left(this)
  }
}

/** Secrets in memory, already linked or not. */
export function secretsInMemory(isLinked = true): SecretFiles & { readonly names: () => string[] } {
  const kept = new Map(isLinked ? [['creds', '{"registered":true}']] : [])
  return {
    read: (name) => kept.get(name) ?? null,
    write: (name, text) => void kept.set(name, text),
    remove: (name) => void kept.delete(name),
    clear: () => kept.clear(),
    names: () => [...kept.keys()],
  }
}

/** Messages that wait, in memory. */
export function heldInMemory(): HeldFiles {
  const kept = new Map<string, string>()
  return {
    list: () => [...kept.keys()].toSorted(),
    read: (name) => kept.get(name) ?? null,
    write: (name, text) => void kept.set(name, text),
    remove: (name) => void kept.delete(name),
  }
}
