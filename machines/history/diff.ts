/**
 * Differences of two states, and who wrote them.
 *
 * Changes are RFC 6902 operations: applied in order to the first value they give the second. States
 * share structure, so what is the same object is the same value and is not looked into.
 */
import { isSame } from './compare.ts'
import { formatPointer } from '../../protocol/history/pointer.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { isObject } from '../../protocol/members.ts'
import { formatValue } from '../step.ts'
import { foldStream, stepOn } from './fold.ts'
import type { History, Kinds } from './source.ts'

/** One operation of RFC 6902; `was` is what stood there before. */
export interface Change {
  readonly op: 'add' | 'remove' | 'replace'
  readonly path: string
  readonly value?: unknown
  readonly was?: unknown
}

/** A change with the record that made it last. */
export interface WrittenChange extends Change {
  readonly by: { readonly position: number; readonly type: string }
}

/** One actor at two positions. */
export interface StateDiff {
  readonly stream: StreamId
  readonly from: number // positions
  readonly to: number
  readonly absent: 'from' | 'both' | null // where it did not exist yet
  readonly values: readonly string[] // state values passed through, each change once
  readonly transitions: number
  readonly changes: readonly WrittenChange[]
}

type Key = string | number

/** Lists the changes from one value to another. */
export function diffValues(before: unknown, after: unknown, keys: readonly Key[] = []): Change[] {
  if (before === after) return []
  if (Array.isArray(before) && Array.isArray(after)) return diffLists(before, after, keys)
  if (isObject(before) && isObject(after)) return diffMembers(before, after, keys)
  if (isSame(before, after)) return []
  return [{ op: 'replace', path: formatPointer(keys), value: after, was: before }]
}

function diffMembers(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  keys: readonly Key[],
): Change[] {
  const changes: Change[] = []
  for (const [key, was] of Object.entries(before)) {
    if (Object.hasOwn(after, key)) changes.push(...diffValues(was, after[key], [...keys, key]))
    else changes.push({ op: 'remove', path: formatPointer([...keys, key]), was })
  }
  for (const [key, value] of Object.entries(after)) {
    if (Object.hasOwn(before, key)) continue
    changes.push({ op: 'add', path: formatPointer([...keys, key]), value })
  }
  return changes
}

// Lists mostly lose members at one end and gain them at the other: what both have at the beginning
// and at the end stays, or what is left of the first begins the second.
function diffLists(
  before: readonly unknown[],
  after: readonly unknown[],
  keys: readonly Key[],
): Change[] {
  const dropped = droppedFromFront(before, after)
  const rest = before.slice(dropped)
  const removals = before.slice(0, dropped).map((was): Change => {
    return { op: 'remove', path: formatPointer([...keys, 0]), was }
  })
  const head = commonLength(rest, after)
  const tail = commonLength(rest.slice(head).toReversed(), after.slice(head).toReversed())
  const [old, fresh] = [
    rest.slice(head, rest.length - tail),
    after.slice(head, after.length - tail),
  ]
  const changes: Change[] = []
  const paired = Math.min(old.length, fresh.length)
  for (let index = 0; index < paired; index += 1) {
    changes.push(...diffValues(old[index], fresh[index], [...keys, head + index]))
  }
  for (const was of old.slice(paired)) {
    changes.push({ op: 'remove', path: formatPointer([...keys, head + paired]), was })
  }
  for (const [index, value] of fresh.slice(paired).entries()) {
    changes.push({ op: 'add', path: formatPointer([...keys, head + paired + index]), value })
  }
  return [...removals, ...changes]
}

// How many members went from the front, where the rest still begins the new list.
function droppedFromFront(before: readonly unknown[], after: readonly unknown[]): number {
  const [first] = after
  if (after.length === 0 || isSame(before[0], first)) return 0
  const at = before.findIndex((member) => isSame(member, first))
  if (at === -1) return 0
  return commonLength(before.slice(at), after) === before.length - at ? at : 0
}

function commonLength(a: readonly unknown[], b: readonly unknown[]): number {
  let length = 0
  while (length < a.length && length < b.length && isSame(a[length], b[length])) length += 1
  return length
}

/**
 * Compares an actor at two positions, and names for each change the record that made it.
 * @throws {GatewayError} HISTORY_PRUNED, STORE_CORRUPT
 */
export function diffStates(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  { from, to }: { from: number; to: number },
): StateDiff {
  const [fromVersion, toVersion] = [history.versionAt(stream, from), history.versionAt(stream, to)]
  const start = foldStream(history, kinds, stream, { upToVersion: fromVersion })
  const values = [formatValue(start.snapshot)]
  const writers: { path: string; by: WrittenChange['by'] }[] = []
  let { snapshot } = start
  for (const next of stepOn(history, kinds, stream, { from: start, last: toVersion })) {
    const value = formatValue(next.snapshot)
    if (value !== values.at(-1)) values.push(value)
    const by = { position: next.record.position, type: next.record.event.type }
    for (const { path } of diffValues(snapshot.context, next.snapshot.context))
      writers.push({ path, by })
    snapshot = next.snapshot
  }
  const none = { position: 0, type: '' }
  const changes = diffValues(start.snapshot.context, snapshot.context).map((change) => {
    const writer = writers.findLast(({ path }) => touches(path, change.path))
    return { ...change, by: writer?.by ?? none }
  })
  const absent = toVersion === 0 ? 'both' : fromVersion === 0 ? 'from' : null
  return { stream, from, to, absent, values, transitions: values.length - 1, changes }
}

/** Tells whether a change at one path can have changed what lies at another. */
function touches(written: string, asked: string): boolean {
  return written === asked || asked.startsWith(`${written}/`) || written.startsWith(`${asked}/`)
}
