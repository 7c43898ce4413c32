/**
 * Fields of a log line made safe: bounded, without secrets, readable whatever was handed in.
 *
 * A log must never be the reason for a fault, so that nothing here throws: a getter that does, a
 * cycle or a giant becomes a short text that says so.
 */
import { limits } from '../protocol/limits.ts'
import type { LogFields } from './services.ts'

// `deviceToken` and `bot_token` as well as `token`; not `inputTokens`, which are counts.
const SECRET_NAME = /(?:token|password|passphrase|apikey|secret|authorization|cookie)$/i
const SECRET_TEXT = /\b(Bearer|Basic)\s+[\w.~+/=-]+/gi
const RESERVED: ReadonlySet<string> = new Set(['level', 'time', 'msg'])
const DEPTH_MAX = 6
const MEMBERS_MAX = 64

/** What is left of a line's characters while its fields are walked. */
interface Room {
  chars: number
}

/**
 * Copies fields as plain JSON values: at most `limits.logLineCharsMax` characters of text, and
 * `limits.logFieldCharsMax` of one.
 */
export function cleanFields(fields: LogFields): LogFields {
  const room: Room = { chars: limits.logLineCharsMax }
  const clean = membersOf(fields).map(([name, value]) => {
    // A field may not pass for the line's own level or time.
    const shown = RESERVED.has(name) ? `${name}_` : name
    return [shown, isSecret(name, value) ? '[redacted]' : cleanValue(value, room, 1)]
  })
  return Object.fromEntries(clean)
}

/** Cuts a text to some characters and says by how much; credentials in it are hidden. */
export function cleanText(text: string, charsMax: number = limits.logLineCharsMax): string {
  const shown = text.slice(0, charsMax).replaceAll(SECRET_TEXT, '$1 [redacted]')
  return text.length > charsMax ? `${shown}[${text.length - charsMax} more characters]` : shown
}

function cleanValue(value: unknown, room: Room, depth: number): unknown {
  if (typeof value === 'string') return takeText(value, room, limits.logFieldCharsMax)
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value)
  if (typeof value === 'function') return '[function]'
  return typeof value === 'object' && value !== null ? cleanObject(value, room, depth) : value
}

function cleanObject(value: object, room: Room, depth: number): unknown {
  if (value instanceof Error) return cleanError(value, room, depth)
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (depth >= DEPTH_MAX) return '[deeper]'
  if (Array.isArray(value)) {
    const items = value.slice(0, MEMBERS_MAX).map((item) => cleanValue(item, room, depth + 1))
    return value.length > MEMBERS_MAX ? [...items, `[${value.length - MEMBERS_MAX} more]`] : items
  }
  const clean = membersOf(value).map(([name, member]) => {
    const key = takeText(name, room, limits.logFieldCharsMax)
    return [key, isSecret(name, member) ? '[redacted]' : cleanValue(member, room, depth + 1)]
  })
  return Object.fromEntries(clean)
}

function cleanError(error: Error, room: Room, depth: number): unknown {
  const clean = ['name', 'message', 'code', 'stack', 'cause'].flatMap((name) => {
    const value = read(error, name)
    const isAbsent = value === undefined || (name === 'cause' && depth + 1 >= DEPTH_MAX)
    if (isAbsent) return []
    // A stack is of no use without its end.
    const whole = name === 'stack' && typeof value === 'string'
    return [[name, whole ? takeText(value, room) : cleanValue(value, room, depth + 1)]]
  })
  return Object.fromEntries(clean)
}

function takeText(text: string, room: Room, charsMax: number = room.chars): string {
  const chars = Math.min(charsMax, room.chars)
  room.chars = Math.max(0, room.chars - Math.min(chars, text.length))
  return cleanText(text, chars)
}

/** A flag under a secret-sounding name says nothing secret. */
function isSecret(name: string, value: unknown): boolean {
  if (typeof value === 'boolean' || value === null || value === undefined) return false
  return SECRET_NAME.test(name.replaceAll(/[-_]/g, ''))
}

function membersOf(value: object): [string, unknown][] {
  const names = Object.keys(value)
  const members = names
    .slice(0, MEMBERS_MAX)
    .map((name): [string, unknown] => [name, read(value, name)])
  if (names.length > MEMBERS_MAX) members.push(['more', `[${names.length - MEMBERS_MAX} members]`])
  return members
}

function read(value: object, name: string): unknown {
  try {
    return Reflect.get(value, name)
  } catch {
    return '[unreadable]'
  }
}
