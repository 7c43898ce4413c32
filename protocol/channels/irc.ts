/**
 * IRC's words: lines, names, texts, and what a PRIVMSG says in the gateway's own terms.
 *
 * Pure. Numbers and formats are those of RFC 1459, RFC 2812 and modern.ircdocs.horse; tags are
 * IRCv3's `msgid` and `server-time`. Before step 3 on the way in, behind step 7 on the way out.
 */
import { Buffer } from 'node:buffer'
import { GatewayError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { InboundMessage } from '../message.ts'

/** How a server folds case: `CASEMAPPING` of its reply 005; RFC 1459's own where it does not say. */
export type CaseMapping = 'ascii' | 'rfc1459' | 'rfc1459-strict'

/** Reads a server's CASEMAPPING; one that we do not know is `ascii`, which merges fewest names. */
export function parseCaseMapping(text: string): CaseMapping {
  return text === 'rfc1459' || text === 'rfc1459-strict' ? text : 'ascii'
}

/**
 * Folds a nick or room to the form in which two spellings of one name are equal. RFC 1459, 2.2:
 * `{}|^` are the lower case of `[]\~`. The length never changes.
 */
export function foldIrc(text: string, mapping: CaseMapping = 'rfc1459'): string {
  const lower = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  if (mapping === 'ascii') return lower
  const folded = lower.replaceAll('[', '{').replaceAll(']', '}').replaceAll('\\', '|')
  return mapping === 'rfc1459' ? folded.replaceAll('~', '^') : folded
}

/** Tells whether a text can be the one target of a PRIVMSG: a nick or a room, and nothing more. */
export function isIrcTarget(text: string): boolean {
  return /^[^\s:,$\p{Cc}][^\s,\p{Cc}]{0,127}$/u.test(text)
}

/** Tells whether a target is a room, also one that reaches only its operators (`@#home`). */
export function isIrcRoom(target: string): boolean {
  return /^[~@%]?[#&!+]/.test(target)
}

// Characters that lint does not want to see in a pattern.
const COLOUR = '\u0003'
const HEX_COLOUR = '\u0004'
const CTCP = '\u0001'
const FORMATTING = new RegExp(
  `${COLOUR}(?:\\d{1,2}(?:,\\d{1,2})?)?|${HEX_COLOUR}(?:[0-9a-f]{6}(?:,[0-9a-f]{6})?)?|(?!\\t)\\p{Cc}`,
  'giu',
)

/** Takes out colours, bold and all other control characters but tabs. */
export function stripFormatting(text: string): string {
  return text.replace(FORMATTING, '')
}

/**
 * Counts the bytes of text that fit into one PRIVMSG: a server cuts what it relays at 512 bytes,
 * and puts our nick, user (11) and host (63, the longest that servers use) before it.
 */
export function ircTextBytesMax(nick: string, target: string): number {
  const frame = `:${nick}!@ PRIVMSG ${target} :\r\n`
  return Math.max(64, Math.min(limits.ircLineBytesMax, 512 - 11 - 63 - Buffer.byteLength(frame)))
}

/**
 * Splits a text into the lines of its PRIVMSGs: at line breaks, and where a line is longer than
 * `bytesMax` bytes, at a space or else between two code points. No line is empty; of more than
 * `limits.ircLinesMax` lines the last one says how many are missing.
 */
export function splitIrcText(text: string, bytesMax: number = limits.ircLineBytesMax): string[] {
  const lines: string[] = []
  for (const written of text.split(/\r\n|[\r\n\u2028\u2029]/)) {
    let rest = written.replaceAll('\0', '').replaceAll(CTCP, '').trimEnd()
    while (rest.trim() !== '') {
      const { line, next } = cutLine(rest, bytesMax)
      lines.push(line)
      rest = next
    }
  }
  if (lines.length <= limits.ircLinesMax) return lines
  const kept = lines.slice(0, limits.ircLinesMax - 1)
  return [...kept, `[${lines.length - kept.length} more lines were not sent]`]
}

/** Takes as much from the start of a text as fits into one line. */
function cutLine(text: string, bytesMax: number): { line: string; next: string } {
  let bytes = 0
  let end = 0 // in UTF-16 units
  let space = 0
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (character === ' ') space = end
    if (bytes > bytesMax) break
    end += character.length
  }
  if (end === text.length) return { line: text, next: '' }
  const line = text.slice(0, space).trimEnd()
  if (line.trim() === '') return { line: text.slice(0, end), next: text.slice(end).trimStart() }
  return { line, next: text.slice(space).trimStart() }
}

/** Whether a text calls someone by nick, and the text without the call where it begins with it. */
export interface Address {
  readonly mentioned: boolean
  readonly text: string
}

/**
 * Finds out whether a text addresses a nick. `heron: hi`, `heron, hi` and `@heron hi` do, and lose
 * that prefix; a nick anywhere between two word borders does too, and the text stays whole.
 */
export function readAddress(text: string, nick: string, mapping: CaseMapping = 'rfc1459'): Address {
  const folded = foldIrc(text, mapping)
  const name = foldIrc(nick, mapping)
  const at = folded.startsWith('@') ? 1 : 0
  if (name !== '' && folded.startsWith(name, at)) {
    const behind = text.slice(at + name.length)
    const called = (at === 1 ? /^(?:[:,]\s*|\s+)(?=\S)/ : /^[:,]\s*(?=\S)/).exec(behind)
    if (called !== null) return { mentioned: true, text: behind.slice(called[0].length) }
  }
  return { mentioned: name !== '' && holdsWord(folded, name), text }
}

const NAME_CHARACTER = /[\p{L}\p{N}_[\]\\`^{|}~-]/u

function holdsWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const before = text.slice(Math.max(0, at - 1), at)
    const after = text.slice(at + word.length, at + word.length + 1)
    if (!NAME_CHARACTER.test(before) && !NAME_CHARACTER.test(after)) return true
  }
  return false
}

/** One PRIVMSG as the server sent it. */
export interface IrcPayload {
  readonly nick: string // the writer's
  readonly target: string // a room, or our nick
  readonly text: string
  readonly action: boolean // CTCP ACTION: what clients write as /me
  readonly tags: ReadonlyMap<string, string>
}

/** What the link knows when a payload arrives. */
export interface IrcLinkFacts {
  readonly nick: string // ours
  readonly mapping: CaseMapping
  readonly arrivalId: string // unique to this arrival: `<connection nonce>:<counter>`
  readonly identity: 'nick' | 'account' // by what a sender is known
}

/**
 * Reads a PRIVMSG as a message, or null where there is nothing to read: our own echo, a server's
 * notice, no text. A server that tags with `msgid` names the message. Without it every arrival is
 * a message of its own: IRC delivers once for each connection, and two equal lines are two.
 */
export function parseIrcMessage(payload: IrcPayload, facts: IrcLinkFacts): InboundMessage | null {
  const nick = foldIrc(payload.nick, facts.mapping)
  const own = foldIrc(facts.nick, facts.mapping)
  if (nick === '' || nick.includes('.') || nick === own) return null
  const senderId = senderOf(nick, payload.tags.get('account'), facts)
  const text = stripFormatting(payload.text).trim()
  if (text === '') return null
  const room = isIrcRoom(payload.target)
  if (!room && foldIrc(payload.target, facts.mapping) !== own) return null
  const address = readAddress(text, facts.nick, facts.mapping)
  return {
    messageId: payload.tags.get('msgid') || facts.arrivalId,
    peer: room ? 'channel' : 'direct',
    senderId,
    senderName: payload.nick,
    roomId: room ? foldIrc(payload.target, facts.mapping) : senderId,
    replyTarget: room ? payload.target : payload.nick,
    mentioned: !room || address.mentioned,
    text: payload.action ? `* ${payload.nick} ${text}` : address.text,
    sentAt: parseServerTime(payload.tags.get('time')),
  }
}

// Whoever takes a nick has it; an account is proven to the server. No nick holds a colon, so that
// somebody who is not logged in can never be taken for an account.
function senderOf(
  nick: string,
  account: string | undefined,
  { identity, mapping }: IrcLinkFacts,
): string {
  if (identity === 'nick' || account === undefined || account === '') return nick
  return `account:${foldIrc(account, mapping)}`
}

/** Reads IRCv3's `time` tag, or null: absent or no time. */
function parseServerTime(tag: string | undefined): number | null {
  const time = Date.parse(tag ?? '')
  return Number.isNaN(time) ? null : time
}

/** Puts received bytes together to lines. */
export interface IrcLineReader {
  /**
   * Takes the next bytes and gives the lines that they complete, without their ends.
   * @throws {GatewayError} PAYLOAD_TOO_LARGE: `limits.ircReceivedBytesMax` characters and no end.
   */
  readonly read: (bytes: Uint8Array) => string[]
}

/** Starts reading lines. A character may be cut by a chunk's border; bad UTF-8 becomes U+FFFD. */
export function createLineReader(): IrcLineReader {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let rest = ''
  return {
    read: (bytes) => {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > limits.ircReceivedBytesMax) {
        throw new GatewayError('PAYLOAD_TOO_LARGE', 'irc: the server sent a line without an end')
      }
      return lines.map((line) => line.replace(/\r+$/, '')).filter((line) => line !== '')
    },
  }
}
