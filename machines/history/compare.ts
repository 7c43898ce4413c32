/**
 * Comparing what a record says with what a step of other code does: in which class they differ,
 * and where.
 */
import { type Glob, globOf } from '../../protocol/history/filter.ts'
import { formatPointer, parsePointer } from '../../protocol/history/pointer.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { SavedState } from '../step.ts'
import type { Outputs } from './take.ts'

/**
 * How a record and its replay differ, worst first: the machine threw, another value (or the event
 * was ignored), other effects, sends, waits; only the context; not at all.
 */
export const REPLAY_CLASSES = [
  'ERROR',
  'STATE',
  'EFFECTS',
  'SENDS',
  'TIMERS',
  'context',
  'same',
] as const

export type ReplayClass = (typeof REPLAY_CLASSES)[number]

/** Tells the worst class in which a step differs from its record. */
export function classOf(record: JournalRecord, now: Outputs): ReplayClass {
  // Why it was ignored is no state: a machine that has learned to refuse it is the same.
  const wasIgnored = record.ignored !== null
  if (record.value !== now.value || wasIgnored !== (now.ignored !== null)) return 'STATE'
  if (!isSame(record.effects, now.effects)) return 'EFFECTS'
  if (!isSame(record.sends, now.sends)) return 'SENDS'
  if (!isSame(record.armed, now.armed) || !isSame(record.cancelled, now.cancelled)) return 'TIMERS'
  return record.stateHash === now.stateHash ? 'same' : 'context'
}

/** Tells whether two values are alike; `undefined` is written as null. */
export function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    return (left ?? null) === (right ?? null)
  }
  if (Array.isArray(left) !== Array.isArray(right)) return false
  const keys = Object.keys(left)
  if (keys.length !== Object.keys(right).length) return false
  return keys.every(
    (key) => Object.hasOwn(right, key) && isSame(Reflect.get(left, key), Reflect.get(right, key)),
  )
}

const COMPARED = ['value', 'effects', 'sends', 'armed', 'cancelled'] as const

/** Lists where a step differs from its record, as pointers into the record. */
export function outputPaths(record: JournalRecord, now: Outputs): string[] {
  const isOther = (record.ignored === null) !== (now.ignored === null)
  const outputs = COMPARED.flatMap((field) => differingPaths(record[field], now[field], [field]))
  return isOther ? ['/ignored', ...outputs] : outputs
}

/** Lists the pointers at which two values differ; a missing part is named as a whole. */
function differingPaths(left: unknown, right: unknown, at: readonly string[] = []): string[] {
  if (isSame(left, right)) return []
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    return [formatPointer(at)]
  }
  const keys = new Set([...Object.keys(left), ...Object.keys(right)])
  return [...keys].flatMap((key) =>
    differingPaths(Reflect.get(left, key), Reflect.get(right, key), [...at, key]),
  )
}

/** Parts of contexts that are not compared. */
export type Ignores = readonly (readonly string[])[]

/** Reads `--ignore /pointer`. @throws {GatewayError} USAGE */
export function parseIgnores(texts: readonly string[]): Ignores {
  return texts.map((text) => {
    const keys = parsePointer(text)
    if (keys.length > 0) return keys
    throw new GatewayError('USAGE', '--ignore: expected a pointer such as /messages, got ""')
  })
}

/** Tells whether a pointer lies in a part that is not compared. */
function isIgnored(ignores: Ignores, pointer: string): boolean {
  return ignores.some((keys) => {
    const part = formatPointer(keys)
    return pointer === part || pointer.startsWith(`${part}/`)
  })
}

/** Lists where two states differ outside of what is not compared. */
export function contextPaths(recorded: SavedState, now: SavedState, ignores: Ignores): string[] {
  const status = recorded.status === now.status ? [] : ['/status']
  return [...status, ...differingPaths(recorded.context, now.context)].filter(
    (pointer) => !isIgnored(ignores, pointer),
  )
}

/** A difference that is expected. */
export interface Allowed {
  readonly class: ReplayClass
  readonly pattern: Glob | null // of effect names where the class is EFFECTS, else of streams
}

/** Reads `--allow CLASS[:glob]`. @throws {GatewayError} USAGE: no such class. */
export function parseAllowed(text: string): Allowed {
  const at = text.indexOf(':')
  const name = at === -1 ? text : text.slice(0, at)
  const found = REPLAY_CLASSES.find((known) => known.toLowerCase() === name.toLowerCase())
  if (found === undefined || found === 'same') {
    const known = REPLAY_CLASSES.slice(0, -1).join(', ')
    throw new GatewayError('USAGE', `--allow: expected one of ${known}, got ${quote(name)}`)
  }
  return { class: found, pattern: at === -1 ? null : globOf(text.slice(at + 1)) }
}

/** Tells whether a difference is expected. */
export function isAllowed(
  allowed: readonly Allowed[],
  differs: ReplayClass,
  record: JournalRecord,
  now: Pick<Outputs, 'effects'>,
): boolean {
  return allowed.some(({ class: expected, pattern }) => {
    if (expected !== differs) return false
    if (pattern === null) return true
    const subjects = differs === 'EFFECTS' ? differingEffects(record, now) : [record.stream]
    return subjects.every((subject) => pattern.test(subject))
  })
}

function differingEffects(record: JournalRecord, now: Pick<Outputs, 'effects'>): string[] {
  const longest = Math.max(record.effects.length, now.effects.length)
  return Array.from({ length: longest }, (_, index) => [record.effects[index], now.effects[index]])
    .filter(([before, after]) => !isSame(before, after))
    .flatMap((pair) => pair.flatMap((effect) => (effect === undefined ? [] : [effect.name])))
}
