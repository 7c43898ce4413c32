/**
 * Directives: what people write in a channel to the gateway, not to the agent: `/stop`, `/model x`.
 *
 * Read at the door, for machines see no text (K1); the record holds the name and the values. A word
 * that is none of ours is a message like any other.
 */
import { limits } from './limits.ts'
import type { Decision } from './methods/approvals.ts'

/** What a directive does; the names that people write lead here. */
export type DirectiveName = 'new' | 'stop' | 'queue' | 'think' | 'model' | 'status' | 'approve'

/** A directive as it was written. */
export interface WrittenDirective {
  readonly name: DirectiveName
  readonly values: readonly string[] // the words behind it, at most as many as it takes
  readonly rest: string // what is left to be said to the agent: only behind `/new`
}

/** A directive as a record holds it. */
export interface Directive {
  readonly name: DirectiveName
  readonly value: string | null // the first word; null: none was written, which asks
  readonly known: boolean // the values mean something
  readonly answer?: ApprovalAnswer // of `/approve`; absent: another directive
}

/** What somebody says of something that waits for a person, or why that cannot be told. */
export type ApprovalAnswer =
  | { readonly approvalId: string; readonly decision: Decision }
  | { readonly fault: AnswerFault }

/** usage: a word is missing or none of ours; short: less of an id than may be; the others say themselves. */
export type AnswerFault = 'usage' | 'short' | 'unknown' | 'ambiguous'

/** What people can write, for lists of commands. */
export interface DirectiveHelp {
  readonly word: string // without its stroke
  readonly name: DirectiveName
  readonly takes: readonly string[] // what its values are, in order
  readonly rest?: true // what is behind it is a message; absent: it is not
  readonly says: string
}

export const DIRECTIVES: readonly DirectiveHelp[] = [
  {
    word: 'new',
    name: 'new',
    takes: [],
    rest: true,
    says: 'Begins a new session; the rest is its first message.',
  },
  { word: 'reset', name: 'new', takes: [], rest: true, says: 'The same as /new.' },
  { word: 'stop', name: 'stop', takes: [], says: 'Stops what runs and lets go of what waits.' },
  {
    word: 'queue',
    name: 'queue',
    takes: ['mode'],
    says: 'Shows or sets what becomes of messages during a run.',
  },
  { word: 'think', name: 'think', takes: ['level'], says: 'Shows or sets the thinking level.' },
  {
    word: 'model',
    name: 'model',
    takes: ['name'],
    says: 'Shows or sets the model of this session.',
  },
  { word: 'status', name: 'status', takes: [], says: 'Says what the session is doing.' },
  {
    word: 'approve',
    name: 'approve',
    takes: ['id', 'decision'],
    says: 'Decides what waits for you: /approve ID once, always or deny.',
  },
]

/** The value that takes a setting of the session back. */
export const DEFAULT_VALUE = 'default'

/** Reads a directive off a message; null where it is a message for the agent. */
export function readDirective(text: string): WrittenDirective | null {
  const found = /^\s*\/([a-z]{3,8})(?:@[\w.-]{1,64})?(?::)?(?:\s+([\s\S]*))?$/iu.exec(text)
  const word = found?.[1]?.toLowerCase()
  const help = DIRECTIVES.find((each) => each.word === word)
  if (help === undefined) return null
  const behind = (found?.[2] ?? '').trim()
  const { name, takes, rest = false } = help
  if (rest) return { name, values: [], rest: behind }
  const words = behind === '' ? [] : behind.split(/\s+/, takes.length)
  return { name, values: words.map((each) => each.slice(0, limits.idCharsMax)), rest: '' }
}

const DECISIONS: Readonly<Record<string, Decision>> = {
  once: 'allow-once',
  'allow-once': 'allow-once',
  always: 'allow-always',
  'allow-always': 'allow-always',
  deny: 'deny',
}

/** Reads how somebody decides, in our words or upstream's; null where it is neither. */
export function readDecision(word: string): Decision | null {
  const known = word.toLowerCase()
  return Object.hasOwn(DECISIONS, known) ? (DECISIONS[known] ?? null) : null
}
