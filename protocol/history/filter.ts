/**
 * Filters: which records somebody wants to see.
 *
 *   stream=delivery:* type=effect.* value=sending effect=model.call ignored corr=5b0c* cause=#1840
 *   ms>5000 from=irc code=7c35* epoch=7
 *
 * All terms must hold. `*` stands for any run of characters; `!=` turns a term round. The short
 * names of people's habit are taken too: actor, sv, kind, ign, boot, mv.
 */
import { GatewayError } from '../errors.ts'
import { quote } from '../ids.ts'
import { limits } from '../limits.ts'
import type { JournalRecord } from '../record.ts'

export const FILTER_KEYS = [
  'stream',
  'type',
  'value',
  'effect',
  'ignored',
  'corr',
  'cause',
  'ms',
  'from',
  'code',
  'epoch',
] as const

export type FilterKey = (typeof FILTER_KEYS)[number]
type Operator = '=' | '!=' | '>' | '<' | '>=' | '<='

interface FilterTerm {
  readonly key: FilterKey
  readonly operator: Operator
  readonly text: string
  readonly pattern: Glob // of `text`, where it is compared as text
}

/** Terms that must all hold; an empty filter takes every record. */
export type Filter = readonly FilterTerm[]

/** What a record does not say of itself. */
export interface FilterFacts {
  /** Ms from the effect to this outcome; null for any other record. */
  readonly latencyMs: (record: JournalRecord) => number | null
}

const ALIASES: Readonly<Record<string, FilterKey>> = {
  actor: 'stream',
  sv: 'value',
  kind: 'effect',
  ign: 'ignored',
  correlation: 'corr',
  boot: 'epoch',
  mv: 'code',
}

/**
 * Reads the words of a filter.
 * @throws {GatewayError} USAGE: a word is no term, or its key is not known.
 */
export function parseFilter(words: readonly string[]): Filter {
  return words.flatMap((word) => word.split(/\s+/).filter(Boolean)).map(parseTerm)
}

function parseTerm(word: string): FilterTerm {
  const [, name = '', operator, text] = /^([a-z]+)(?:(!=|>=|<=|=|>|<)(.*))?$/s.exec(word) ?? []
  const key = FILTER_KEYS.find((known) => known === name) ?? ALIASES[name]
  if (key === undefined) throw unknownTerm(word)
  if (operator === undefined && key !== 'ignored') throw unknownTerm(word)
  if (word.length > limits.filterTermCharsMax) throw unknownTerm(word)
  const value = key === 'cause' ? (text ?? '').replace(/^#/, '') : (text ?? '*')
  return { key, operator: (operator ?? '=') as Operator, text: value, pattern: globOf(value) }
}

function unknownTerm(word: string): GatewayError {
  const keys = FILTER_KEYS.join(', ')
  return new GatewayError(
    'USAGE',
    `filter: expected key=value with a key of ${keys}, got ${quote(word)}`,
  )
}

/** A pattern of a text. */
export interface Glob {
  readonly test: (text: string) => boolean
}

/**
 * Makes a pattern of a text in which `*` stands for anything. Reads a text once, however many stars
 * there are: filters come over the wire, and a regular expression would go back and forth for ever.
 */
export function globOf(pattern: string): Glob {
  const [head = '', ...parts] = pattern.split('*')
  const tail = parts.pop()
  if (tail === undefined) return { test: (text) => text === head }
  return {
    test: (text) => {
      const end = text.length - tail.length
      if (end < head.length || !text.startsWith(head) || !text.endsWith(tail)) return false
      let from = head.length
      for (const part of parts) {
        const at = text.indexOf(part, from)
        if (at === -1 || at + part.length > end) return false
        from = at + part.length
      }
      return true
    },
  }
}

/** Tells whether a record passes a filter. */
export function passes(filter: Filter, record: JournalRecord, facts: FilterFacts): boolean {
  return filter.every((term) => holds(term, record, facts))
}

function holds(term: FilterTerm, record: JournalRecord, facts: FilterFacts): boolean {
  const values = valuesOf(term.key, record, facts)
  const { operator, text, pattern } = term
  if (operator === '=') return values.some((value) => pattern.test(value))
  if (operator === '!=') return !values.some((value) => pattern.test(value))
  return values.some((value) => compare(Number(value), operator, Number(text)))
}

function compare(left: number, operator: Operator, right: number): boolean {
  if (operator === '>') return left > right
  if (operator === '>=') return left >= right
  return operator === '<' ? left < right : left <= right
}

function valuesOf(key: FilterKey, record: JournalRecord, facts: FilterFacts): readonly string[] {
  switch (key) {
    case 'stream':
      return [record.stream]
    case 'type':
      return [record.event.type]
    case 'value':
      return [record.value]
    case 'effect':
      return effectNames(record)
    case 'ignored':
      return record.ignored === null ? [] : [record.ignored]
    case 'corr':
      return [record.correlationId]
    case 'cause':
      // `cause=#1840` means any output of that record.
      return [record.cause, record.cause.replace(/\.[est]\d+$/, '')]
    case 'ms': {
      const latency = facts.latencyMs(record)
      return latency === null ? [] : [String(latency)]
    }
    case 'from':
      return sources(record)
    case 'code':
      return [record.code]
    case 'epoch':
      return [String(record.epoch)]
  }
}

function effectNames({ effects, event }: JournalRecord): string[] {
  const names = effects.map(({ name }) => name)
  return typeof event['name'] === 'string' ? [...names, event['name']] : names
}

function sources({ cause, event }: JournalRecord): string[] {
  const [, outside] = /^ext:([^:]+)/.exec(cause) ?? []
  const channel = event['channel']
  return [outside, channel].filter((name) => typeof name === 'string')
}
