/** One question to the gateway, and its answer: what most verbs are. */
import { isObject, memberOf } from '../protocol/members.ts'
import { connectGateway, type Payload } from './client.ts'
import { readSettings, type Settings, type SettingsFlags } from './settings.ts'

/** Asks the gateway of our flags. @throws {GatewayError} as `askAt` */
export async function askGateway(
  flags: SettingsFlags,
  method: string,
  params: object,
): Promise<Payload> {
  return askAt(await readSettings(flags), method, params)
}

/** Connects, asks, closes. @throws {GatewayError} as `connectGateway`, and what is answered. */
export async function askAt(settings: Settings, method: string, params: object): Promise<Payload> {
  const client = await connectGateway(settings, { subscribe: [] })
  try {
    return await client.request(method, params)
  } finally {
    client.close()
  }
}

/** The rows of a member that is a list of objects. */
export function rowsOf(answer: Payload, name: string): Payload[] {
  const rows: unknown = answer[name]
  return Array.isArray(rows) ? rows.filter(isObject) : []
}

/** Writes what an error says, to stand behind a sentence; '' where it says nothing. */
export function formatReason(error: unknown): string {
  const message = memberOf(error, 'message')
  return typeof message === 'string' ? `: ${message}` : ''
}

/** Writes a list of scopes for people. */
export function formatScopes(scopes: unknown): string {
  return Array.isArray(scopes) && scopes.length > 0 ? scopes.join(' ') : '-'
}

/** Writes a time for people; '-' where there is none. */
export function formatTime(at: unknown): string {
  return typeof at === 'number' && at > 0 ? new Date(at).toISOString() : '-'
}

/** Writes a word that an answer has or has not. */
export function formatWord(value: unknown, otherwise: string = '-'): string {
  return typeof value === 'string' && value !== '' ? value : otherwise
}
