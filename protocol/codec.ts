/**
 * Bytes and digests: msgpack, SHA-256, canonical text, state hashes, body references.
 *
 * Everything that is hashed is hashed here, so that a digest has one definition. msgpackr runs
 * without records and structures: each value stands alone and can be read for ever (D-R20).
 */
import { createHmac } from 'node:crypto'
import { Packr } from 'msgpackr'
import { sha256Hex } from './digest.ts'
import { GatewayError } from './errors.ts'

export { sha256, sha256Hex } from './digest.ts'

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true })

/** Encodes a value as one self-contained msgpack document. */
export function pack(value: unknown): Uint8Array {
  return packr.pack(value)
}

/**
 * Decodes one msgpack document.
 * @throws {GatewayError} RECORD_FORMAT: not msgpack, cut short, or bytes behind the value.
 */
export function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes)
  } catch (cause) {
    throw new GatewayError('RECORD_FORMAT', 'msgpack: unreadable document', {}, cause)
  }
}

/**
 * Names a body by a salted digest, so that short texts cannot be guessed from their name.
 * Shape: `b:` + 20 hex digits of HMAC-SHA-256(salt, bytes).
 */
export function bodyRef(salt: Uint8Array, bytes: Uint8Array): string {
  return `b:${createHmac('sha256', salt).update(bytes).digest('hex').slice(0, 20)}`
}

// Contexts are immutable and share structure, so members of a long list keep their text from one
// step to the next. Short-lived small objects are not worth the memory.
const MEMBERS_KEPT_FROM = 16
const memberTexts = new WeakMap<object, string>()

/**
 * Writes a value as canonical JSON: keys in order, `undefined` members left out.
 * The value must not be changed afterwards: texts of members of long lists are remembered.
 */
export function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (!Array.isArray(value)) return `{${canonicalMembers(value).join(',')}}`
  const write = value.length < MEMBERS_KEPT_FROM ? canonical : canonicalKept
  return `[${value.map((member) => write(member)).join(',')}]`
}

function canonicalKept(value: unknown): string {
  if (typeof value !== 'object' || value === null) return canonical(value)
  const known = memberTexts.get(value)
  if (known !== undefined) return known
  const text = canonical(value)
  memberTexts.set(value, text)
  return text
}

function canonicalMembers(value: object): string[] {
  const members: string[] = []
  for (const key of Object.keys(value).sort()) {
    const member = (value as Readonly<Record<string, unknown>>)[key]
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonical(member)}`)
  }
  return members
}

/** Hashes what an actor is: value, status and context, as 16 hex digits. */
export function stateHash(value: unknown, status: string, context: unknown): string {
  return sha256Hex(`${canonical(value)}\n${status}\n${canonical(context)}`).slice(0, 16)
}
