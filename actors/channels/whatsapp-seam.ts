/**
 * What is used of baileys, and nothing more of it. Part of `whatsapp.ts` and `whatsapp-login.ts`.
 *
 * The library (7.0.0-rc14) brings GPL code along, so that it is neither ours nor in our lock file:
 * whoever wants WhatsApp installs it beside us. These are our own words for the few functions that we
 * call, checked when it is loaded; tests run on a stand-in of the same shape.
 */
import { messageOf } from '../../protocol/errors.ts'
import { memberOf } from '../../protocol/members.ts'
import { LinkFault } from './adapter.ts'

/** What has to be installed, as npm is told. */
export const BAILEYS = 'baileys@7.0.0-rc14'

/** The credentials of a linked device; its members are the library's. */
export type Creds = Record<string, unknown>

/** Where a linked device's secrets rest. Names are of any characters; nothing else reads them. */
export interface SecretFiles {
  readonly read: (name: string) => string | null
  /** @throws {GatewayError} PERMISSION */
  readonly write: (name: string, text: string, flush: boolean) => void
  readonly remove: (name: string) => void
  readonly clear: () => void
}

/** The keys of a linked device, as the library asks for them: by kind and id. */
export interface KeyStore {
  readonly get: (kind: string, ids: readonly string[]) => Record<string, unknown>
  readonly set: (data: Readonly<Record<string, Readonly<Record<string, unknown>>>>) => void
}

/** One connection. */
export interface Socket {
  readonly ev: { readonly on: (event: string, hear: (told: unknown) => void) => unknown }
  /** Its frames, as they come, and acknowledgements of what was sent. */
  readonly ws: { readonly on: (event: string, hear: (node: unknown) => void) => unknown }
  readonly user?: unknown
  readonly sendMessage: (
    address: string,
    content: { readonly text: string },
    options: { readonly messageId: string },
  ) => Promise<unknown>
  readonly onWhatsApp: (...numbers: string[]) => Promise<unknown>
  /** Takes the device off the account; ends the connection. */
  readonly logout: () => Promise<unknown>
  readonly end: (error: undefined) => unknown
}

/** The library. */
export interface Baileys {
  readonly makeWASocket: (config: Readonly<Record<string, unknown>>) => Socket
  readonly initAuthCreds: () => Creds
  readonly BufferJSON: {
    readonly replacer: (name: string, value: unknown) => unknown
    readonly reviver: (name: string, value: unknown) => unknown
  }
  readonly proto: {
    readonly Message: {
      readonly AppStateSyncKeyData: {
        readonly fromObject: (value: Record<string, unknown>) => unknown
      }
    }
  }
}

/** Imports the library. @throws {LinkFault} final: it is missing, or another one. */
export async function loadBaileys(load: () => Promise<unknown> = importBaileys): Promise<Baileys> {
  const found = await load().catch((thrown: unknown) => {
    const isMissing = memberOf(thrown, 'code') === 'ERR_MODULE_NOT_FOUND'
    const why = isMissing ? `npm install ${BAILEYS}` : `not loaded: ${messageOf(thrown)}`
    throw new LinkFault(`whatsapp: ${why}`, { final: true })
  })
  const isIt = ['makeWASocket', 'initAuthCreds'].every(
    (name) => typeof memberOf(found, name) === 'function',
  )
  if (isIt) return found as Baileys
  throw new LinkFault(`whatsapp: expected ${BAILEYS}, got another`, { final: true })
}

// By a name that is no literal: the compiler must not look for what is not ours.
function importBaileys(): Promise<unknown> {
  const [name = ''] = BAILEYS.split('@')
  return import(name)
}

const CREDS = 'creds'

/** Reads the credentials; null: nobody has logged in. */
export function readCreds({ BufferJSON }: Baileys, files: SecretFiles): Creds | null {
  const text = files.read(CREDS)
  return text === null ? null : (JSON.parse(text, BufferJSON.reviver) as Creds)
}

/** Opens a connection with credentials, which are kept as they change. */
export function openSocket(baileys: Baileys, files: SecretFiles, creds: Creds): Socket {
  const { BufferJSON } = baileys
  const socket = baileys.makeWASocket({
    auth: { creds, keys: keyStore(baileys, files) },
    logger: SILENT,
    browser: ['openclaw-gateway', 'Chrome', '1.0'],
    markOnlineOnConnect: false,
    syncFullHistory: false,
    shouldSyncHistoryMessage: () => false,
    getMessage: async () => undefined,
  })
  socket.ev.on('creds.update', (update) => {
    Object.assign(creds, update)
    files.write(CREDS, JSON.stringify(creds, BufferJSON.replacer), true)
  })
  return socket
}

// Hundreds at a first login: each is written whole, and may be lost in a power cut only.
function keyStore({ BufferJSON, proto }: Baileys, files: SecretFiles): KeyStore {
  const read = (kind: string, id: string): unknown => {
    const text = files.read(`${kind}-${id}`)
    const value: unknown = text === null ? null : JSON.parse(text, BufferJSON.reviver)
    if (kind !== 'app-state-sync-key' || value === null) return value
    return proto.Message.AppStateSyncKeyData.fromObject(value as Record<string, unknown>)
  }
  return {
    get: (kind, ids) => Object.fromEntries(ids.map((id) => [id, read(kind, id)])),
    set: (data) => {
      for (const [kind, values] of Object.entries(data)) {
        for (const [id, value] of Object.entries(values)) {
          const name = `${kind}-${id}`
          if (value === null || value === undefined) files.remove(name)
          else files.write(name, JSON.stringify(value, BufferJSON.replacer), false)
        }
      }
    },
  }
}

/** What a connection told of itself. */
export interface Standing {
  readonly isOpen: boolean
  readonly closedWith: number | null // 0: it did not say; null: it is not closed
  readonly qr: string | null
}

/** Reads a `connection.update`. */
export function standingOf(update: unknown): Standing {
  const connection = memberOf(update, 'connection')
  const error = memberOf(memberOf(update, 'lastDisconnect'), 'error')
  const code = memberOf(memberOf(error, 'output'), 'statusCode')
  const qr = memberOf(update, 'qr')
  return {
    isOpen: connection === 'open',
    closedWith: connection === 'close' ? (typeof code === 'number' ? code : 0) : null,
    qr: typeof qr === 'string' ? qr : null,
  }
}

/** The account has let go of the device: its credentials are worth nothing any more. */
export const LOGGED_OUT = 401

/** The device is linked; the connection has to be made anew with its credentials. */
export const RESTART_REQUIRED = 515

// The library's lines hold numbers of people and keys: none is kept.
const SILENT = {
  level: 'silent',
  child: (): unknown => SILENT,
  trace: (): void => {},
  debug: (): void => {},
  info: (): void => {},
  warn: (): void => {},
  error: (): void => {},
}
