/**
 * Pseudonyms: texts in records that may be somebody's, each in the place of the same other one.
 *
 *   p-<12 hex digits of HMAC-SHA-256(key, text)>
 *
 * Only what is known to be a word of ours stays as it is: names of events and effects, states, refs,
 * addresses of outputs, and a closed list of words. Everything else, also what a later version
 * writes, is replaced. The same text becomes the same pseudonym wherever it stands, in keys of
 * sessions and names of streams too, so that machines do with it what they did. Whoever makes a
 * file takes a new key and forgets it.
 */
import { createHmac } from 'node:crypto'
import { STREAM_KINDS } from '../ids.ts'
import { limits } from '../limits.ts'
import { decodePart, encodePart } from '../session-key.ts'
import { isRef } from './refs.ts'

const WORDS: ReadonlySet<string> = new Set(
  [
    '* main default owner operator client node user assistant none token password yes no maybe',
    'direct channel group room dm thread topic open allowlist pairing disabled',
    'irc telegram discord whatsapp slack signal matrix webchat console mail',
    'off minimal low medium high xhigh apply patch file verb time crowded',
    'rate network server auth request budget prompt aborted internal erased unconfigured stub lost',
    'uncertain run added updated finished missed stop think',
    'done failed cancelled timeout sent pending accepted queued rejected refused unhandled unchanged',
    'status model thinking queue steer followup collect interrupt old new summarize echo',
    'approve allow-once allow-always usage short ambiguous',
    'allow ask deny allowed denied expired unavailable unknown busy gone arguments tool summary',
    'operator.admin operator.history operator.read operator.write',
  ]
    .flatMap((line) => line.split(' '))
    .concat('as configured'),
)

/** Members that name people and rooms. */
const PEOPLE: ReadonlySet<string> = new Set(
  'senderId sender peer roomId spaceId room target allowFrom approvers rooms author'.split(' '),
)

/** Members whose texts are names of ours where they have the form of one. */
const NAMED: ReadonlySet<string> = new Set(['type', 'name', 'rule', 'code', 'id', 'version'])
const NAME = /^[a-z]+(?:\.[a-zA-Z]+)+$/
const CODE = /^(?:[0-9a-f]{16}|[A-Z_]{4,32})$/
const VERSION = /^\d+\.\d+\.\d+$/
const OUTPUT = /^\d+\.[est]\d+$/
const HEX = /^[0-9a-f]{32}$/
const MODEL = /^(?:[a-z]{2,16}\/)?[a-z0-9][a-z0-9.:-]{0,63}$/
const FIELD = /^[a-z][A-Za-z0-9]{0,31}$/
const PREFIXES = ['reply-', 'notice-', 'told-', 'full-', 'dropped-', 'ask-', 'over-', 'expiry.'] // What machines put before an id.
const JOB_RUN = /^(manual|cron):(.+):(\d+)$/s // How a job names its runs.
const SESSION = /^agent:/
const STREAM = new RegExp(`^(${STREAM_KINDS.join('|')}):(.*)$`, 's')
const CAUSE = /^(ext|req|op|sys|boot|fork):(.*)$/s

/** Gives pseudonyms under one key, and remembers for what. */
export class Pseudonyms {
  readonly #key: Uint8Array
  readonly #given = new Map<string, string>()
  readonly #people = new Set<string>()

  constructor(key: Uint8Array) {
    this.#key = key
  }

  /** Whom or what rooms were meant: ids that may stand in texts too. */
  get people(): ReadonlySet<string> {
    return this.#people
  }

  /** Replaces a text that stands alone. */
  text(text: string): string {
    if (text === '' || WORDS.has(text) || isRef(text) || OUTPUT.test(text)) return text
    const prefix = PREFIXES.find((each) => text.startsWith(each))
    if (prefix !== undefined) return prefix + this.text(text.slice(prefix.length))
    const known = this.#given.get(text)
    if (known !== undefined) return known
    const digest = createHmac('sha256', this.#key).update(text).digest('hex')
    const pseudonym = `p-${digest.slice(0, 12)}`
    this.#given.set(text, pseudonym)
    return pseudonym
  }

  /** Digests bytes beyond recognition: as many as SHA-256 has. */
  hash(bytes: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#key).update(bytes).digest()
  }

  /** Replaces what is personal in a session's key; its form stays. */
  sessionKey(key: string): string {
    return key
      .split(':')
      .map((part) => (part === 'agent' ? part : this.#part(part)))
      .join(':')
  }

  /** Replaces what is personal in the name of a stream. */
  stream(stream: string): string {
    const [, kind = '', id = ''] = STREAM.exec(stream) ?? []
    if (kind === '') return this.#unknown(stream)
    return `${kind}:${kind === 'session' ? this.sessionKey(id) : this.text(id)}`
  }

  /** Replaces what is personal in a cause: an output's address stays. */
  cause(cause: string): string {
    const [, from = '', rest = ''] = CAUSE.exec(cause) ?? []
    if (from === 'boot' || (from === 'sys' && /^[a-z]+$/.test(rest))) return cause
    if (from === '') return this.text(cause)
    return `${from}:${rest
      .split(':')
      .map((part) => this.text(part))
      .join(':')}`
  }

  /** Replaces a correlation id that is not one that we drew. */
  correlation(id: string): string {
    return HEX.test(id) ? id : this.text(id)
  }

  /** Replaces every text in a value, however deep; `name` is that of the member it stands in. */
  value(value: unknown, name = ''): unknown {
    if (typeof value === 'string') return this.#member(name, value)
    if (typeof value !== 'object' || value === null) return value
    if (value instanceof Uint8Array) return new Uint8Array(value.length)
    if (Array.isArray(value)) return value.map((each) => this.value(each, name))
    const isMap = name === 'rooms' // By ids of rooms.
    // What people are told of their model is its name.
    const told = 'setting' in value && value.setting === 'model' ? 'model' : 'value'
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [
        isMap || !FIELD.test(key) ? this.#person(key) : key,
        this.value(member, key === 'value' ? told : key),
      ]),
    )
  }

  #member(name: string, text: string): string {
    const [, how = '', job = '', at = ''] = JOB_RUN.exec(text) ?? []
    if (how !== '') return `${how}:${this.text(job)}:${at}`
    if (SESSION.test(text)) return this.sessionKey(text)
    if (STREAM.test(text)) return this.stream(text)
    if (NAMED.has(name) && (NAME.test(text) || CODE.test(text) || VERSION.test(text))) return text
    if (name === 'model' && MODEL.test(text)) return text
    if (name === 'correlationId') return this.correlation(text)
    return PEOPLE.has(name) ? this.#person(text) : this.text(text)
  }

  #part(part: string): string {
    return encodePart(this.#person(decodePart(part)))
  }

  #person(text: string): string {
    const pseudonym = this.text(text)
    if (pseudonym !== text) this.#people.add(text)
    return pseudonym
  }

  // A kind of actor that this version does not know.
  #unknown(stream: string): string {
    const at = stream.indexOf(':')
    return at < 1 ? this.text(stream) : `${stream.slice(0, at)}:${this.text(stream.slice(at + 1))}`
  }
}

/**
 * Makes what covers, in a text, every one of some others that stands there as a word, with as many
 * stars. What others there are is looked at once, not for each text.
 */
export function coverOf(others: Iterable<string>): (text: string) => string {
  const words = [...others]
    .filter((each) => each.length >= limits.coveredNameCharsMin)
    .slice(0, limits.coveredNamesMax)
    .map(escape)
  if (words.length === 0) return (text) => text
  // Longest first: a name may be the beginning of another.
  const pattern = words.toSorted((a, b) => b.length - a.length).join('|')
  const found = new RegExp(`(?<![\\p{L}\\p{N}])(?:${pattern})(?![\\p{L}\\p{N}])`, 'giu')
  return (text) => text.replace(found, (match) => '*'.repeat(Buffer.byteLength(match)))
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`)
}
