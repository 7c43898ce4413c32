/**
 * Session keys: the name of one conversation, in its one canonical form.
 *
 *   agent:<agentId>:main                               the agent's own conversation
 *   agent:<agentId>:direct:<peer>                      one person, whatever the channel
 *   agent:<agentId>:<channel>:direct:<peer>            one person on one channel
 *   agent:<agentId>:<channel>:<account>:direct:<peer>  one person on one of our accounts there
 *   agent:<agentId>:<channel>:channel|group|room:<id>  a room
 *   any of them + :thread:<id> or :topic:<id>
 *
 * Keys are lower case and colons separate their parts. Builders therefore percent-encode whatever
 * the grammar or the folding would lose, so that two peers never share a key. A key is a name and
 * nothing else: no file path, no property of an object is ever made from one. Step 3 of 8.
 */
import { Buffer } from 'node:buffer'
import { GatewayError } from './errors.ts'
import { quote } from './ids.ts'
import { limits } from './limits.ts'

/** Which conversations with one person are the same session. */
export type DmScope = 'main' | 'per-peer' | 'per-channel-peer' | 'per-account-channel-peer'

/** A session key taken apart. `rest` is authority; the named parts are read from it. */
export interface SessionKey {
  readonly agentId: string
  readonly rest: readonly string[] // the parts behind `agent:<agentId>:`, canonical
  readonly channel: string | null
  readonly account: string | null
  readonly peerKind: 'direct' | 'channel' | 'group' | 'room' | null
  readonly peer: string | null // the platform's id, decoded
  readonly thread: string | null // of a thread or topic, decoded
}

const MAIN = 'main'

/** The agent that everything belongs to that names none. */
export const DEFAULT_AGENT_ID = MAIN
/** The session that is meant where none is named. */
export const MAIN_SESSION_KEY = 'agent:main:main'
const AGENT_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/
const FORBIDDEN_PARTS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])
const PEER_KINDS: ReadonlySet<string> = new Set(['direct', 'dm', 'channel', 'group', 'room'])
const RESERVED_PARTS: ReadonlySet<string> = new Set([...PEER_KINDS, 'main', 'thread', 'topic'])

/**
 * Brings a session key to its canonical form; no text means the default session.
 * @throws {GatewayError} INVALID_REQUEST with `details.path` `sessionKey`: outside the grammar.
 */
export function canonicalSessionKey(text?: string): string {
  return formatSessionKey(parseSessionKey(text))
}

/** Writes a session key as its canonical text. */
export function formatSessionKey(key: Pick<SessionKey, 'agentId' | 'rest'>): string {
  return ['agent', key.agentId, ...key.rest].join(':')
}

/**
 * Parses a session key in any of its accepted spellings: `main`, `agent:main`, `dm` for `direct`,
 * any case, and keys without `agent:` (of the agent `main`).
 * @throws {GatewayError} INVALID_REQUEST with `details.path` `sessionKey`: outside the grammar.
 */
export function parseSessionKey(text: string = MAIN_SESSION_KEY): SessionKey {
  checkText(text)
  const parts = text.toLowerCase().split(':')
  for (const part of parts) checkPart(part)
  const [agentId = '', ...rest] = parts[0] === 'agent' ? parts.slice(1) : [MAIN, ...parts]
  if (!AGENT_ID.test(agentId)) throw refused(`no agent is named ${quote(agentId)}`)
  const canonical = withDirect(rest.length === 0 ? [MAIN] : rest)
  const key = { agentId, rest: canonical, ...placesOf(canonical) }
  // Lower case may be longer in UTF-8 than what was written.
  checkLength(formatSessionKey(key))
  return key
}

/** Tells whether a text can be an agent's id, as it stands in session keys. */
export function isAgentId(text: string): boolean {
  return AGENT_ID.test(text) && !FORBIDDEN_PARTS.has(text)
}

/** The agent of a session key in its canonical form; null where it is none. */
export function agentOf(sessionKey: string): string | null {
  const [prefix, agentId = null] = sessionKey.split(':', 2)
  return prefix === 'agent' ? agentId : null
}

/**
 * Names the session of a direct message. `per-channel-peer` is the configuration's default, so
 * that two people never read one another's conversation.
 * @throws {GatewayError} INVALID_REQUEST: an empty or overlong name, or one that is no Unicode.
 */
export function directSessionKey(
  agentId: string,
  scope: DmScope,
  from: { readonly channel: string; readonly account: string; readonly peer: string },
): string {
  const peer = encodePart(from.peer)
  const channel = encodeName(from.channel)
  const rest: Readonly<Record<DmScope, readonly string[]>> = {
    main: [MAIN],
    'per-peer': ['direct', peer],
    'per-channel-peer': [channel, 'direct', peer],
    'per-account-channel-peer': [channel, encodeName(from.account), 'direct', peer],
  }
  return canonicalSessionKey(formatSessionKey({ agentId, rest: rest[scope] }))
}

/** Names the session of a room. @throws {GatewayError} INVALID_REQUEST: as `directSessionKey`. */
export function roomSessionKey(
  agentId: string,
  channel: string,
  peerKind: 'channel' | 'group',
  roomId: string,
): string {
  const room = encodePart(roomId)
  return canonicalSessionKey(`agent:${agentId}:${encodeName(channel)}:${peerKind}:${room}`)
}

/**
 * Names the session of one conversation within a room. `topic` is Telegram's word for it.
 * @throws {GatewayError} INVALID_REQUEST: as `directSessionKey`.
 */
export function threadSessionKey(
  roomKey: string,
  word: 'topic' | 'thread',
  threadId: string,
): string {
  return canonicalSessionKey(`${roomKey}:${word}:${encodePart(threadId)}`)
}

/**
 * Writes any text as one part of a key, reversibly: what the grammar forbids, and whatever the
 * folding to lower case would change, becomes `%` and two hex digits for each UTF-8 byte.
 * @throws {GatewayError} INVALID_REQUEST: empty, or half a surrogate pair.
 */
export function encodePart(text: string): string {
  if (text === '') throw refused('a name is empty')
  if (/\p{Cs}/u.test(text)) throw refused('a name holds half a character')
  const encoded = text.replace(/[^!-~]|[%:/\\A-Z]/gu, percent).replaceAll('..', '.%2e')
  return FORBIDDEN_PARTS.has(encoded)
    ? `${percent(encoded.slice(0, 1))}${encoded.slice(1)}`
    : encoded
}

/** Reads a part that `encodePart` wrote; anything else comes back as it is. */
export function decodePart(part: string): string {
  return part.replace(/(?:%[0-9a-f]{2})+/g, (run) => {
    const text = Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8')
    return text.includes('\ufffd') ? run : text
  })
}

/** A channel or account must not read like a word of the grammar. */
function encodeName(name: string): string {
  const part = encodePart(name)
  return RESERVED_PARTS.has(part) ? `${percent(part.slice(0, 1))}${part.slice(1)}` : part
}

function percent(text: string): string {
  return Buffer.from(text, 'utf8').toString('hex').replace(/../g, '%$&')
}

function checkText(text: string): void {
  checkLength(text)
  const bad = /[\p{C}\p{Zl}\p{Zp}/\\]|\.\./u.exec(text)
  if (bad !== null) throw refused(`${quote(bad[0])} is not allowed in ${quote(text)}`)
}

function checkLength(text: string): void {
  const bytes = Buffer.byteLength(text)
  if (bytes <= limits.sessionKeyBytesMax) return
  throw refused(`expected at most ${limits.sessionKeyBytesMax} bytes, got ${bytes}`)
}

function checkPart(part: string): void {
  if (part.trim() === '') throw refused('a part is empty')
  if (FORBIDDEN_PARTS.has(part)) throw refused(`${quote(part)} is not allowed as a part`)
}

/** Only the part that says what kind of peer follows may be an alias; a peer may be named `dm`. */
function withDirect(rest: readonly string[]): string[] {
  const at = kindIndex(rest)
  return rest.map((part, index) => (index === at && part === 'dm' ? 'direct' : part))
}

/** Finds the part that names the kind of peer: first, second or third, with a peer behind it. */
function kindIndex(rest: readonly string[]): number {
  const at = rest.findIndex((part) => PEER_KINDS.has(part))
  return at > 2 || at === rest.length - 1 ? -1 : at
}

function placesOf(rest: readonly string[]): Omit<SessionKey, 'agentId' | 'rest'> {
  const at = kindIndex(rest)
  const kind = rest[at]
  const found = kind === 'direct' || kind === 'channel' || kind === 'group' || kind === 'room'
  const thread = rest.findIndex(
    (part, index) => index > at + 1 && (part === 'thread' || part === 'topic'),
  )
  return {
    channel: found && at > 0 ? decode(rest[0]) : null,
    account: found && at > 1 ? decode(rest[1]) : null,
    peerKind: found ? kind : null,
    peer: found ? decode(rest.slice(at + 1, thread < 0 ? undefined : thread).join(':')) : null,
    thread: thread < 0 ? null : decode(rest[thread + 1]),
  }
}

function decode(part: string | undefined): string | null {
  return part === undefined ? null : decodePart(part)
}

function refused(reason: string): GatewayError {
  return new GatewayError('INVALID_REQUEST', `sessionKey: ${reason}`, { path: 'sessionKey' })
}
