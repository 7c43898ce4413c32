/**
 * Directives: what people write in a channel to the gateway, not to the agent: `/stop`, `/model x`.
 *
 * Read at the door, for machines see no text (K1); the record holds the name and the value. A word
 * that is none of ours is a message like any other.
 */
import { limits } from './limits.ts'

/** What a directive does; the names that people write lead here. */
export type DirectiveName = 'new' | 'stop' | 'queue' | 'think' | 'model' | 'status'

/** A directive as it was written. */
export interface WrittenDirective {
  readonly name: DirectiveName
  readonly value: string | null // the first word behind it; null: none
  readonly rest: string // what is left to be said to the agent: only behind `/new`
}

/** A directive as a record holds it. */
export interface Directive {
  readonly name: DirectiveName
  readonly value: string | null // null: none was written, which asks
  readonly known: boolean // the value means something
}

/** What people can write, for lists of commands. */
export interface DirectiveHelp {
  readonly word: string // without its stroke
  readonly name: DirectiveName
  readonly takes: string | null // what its value is
  readonly says: string
}

export const DIRECTIVES: readonly DirectiveHelp[] = [
  {
    word: 'new',
    name: 'new',
    takes: 'message',
    says: 'Begins a new session; the rest is its first message.',
  },
  { word: 'reset', name: 'new', takes: 'message', says: 'The same as /new.' },
  { word: 'stop', name: 'stop', takes: null, says: 'Stops what runs and lets go of what waits.' },
  {
    word: 'queue',
    name: 'queue',
    takes: 'mode',
    says: 'Shows or sets what becomes of messages during a run.',
  },
  { word: 'think', name: 'think', takes: 'level', says: 'Shows or sets the thinking level.' },
  { word: 'model', name: 'model', takes: 'name', says: 'Shows or sets the model of this session.' },
  { word: 'status', name: 'status', takes: null, says: 'Says what the session is doing.' },
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
  if (help.takes === 'message') return { name: help.name, value: null, rest: behind }
  const value = help.takes === null ? '' : (behind.split(/\s/)[0] ?? '')
  return {
    name: help.name,
    value: value === '' ? null : value.slice(0, limits.contextTextCharsMax),
    rest: '',
  }
}
