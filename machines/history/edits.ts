/**
 * Edits: what a fork changes in the history that it runs again.
 *
 *   --edit   '#8.facts.cmd="new"'                        a fact of an event
 *   --insert 'after:#10 delivery:d1 delivery.requested {...}'   an event from outside
 *   --skip   '#11'                                       a record that does not happen
 *   --delay  '#11 +500ms'                                a record that happens later
 *   --answer '#8.e0={"ref":"b:..."}'                     the outcome of an effect
 */
import { GatewayError } from '../../protocol/errors.ts'
import { quote, type StreamId, streamKind } from '../../protocol/ids.ts'
import type { JournalEvent, JournalRecord } from '../../protocol/record.ts'
import { isObject } from '../../protocol/members.ts'
import type { Segment } from './segment.ts'

export type Edit =
  | {
      readonly t: 'edit'
      readonly position: number
      readonly path: readonly string[]
      readonly value: unknown
    }
  | {
      readonly t: 'insert'
      readonly after: number
      readonly stream: StreamId
      readonly event: JournalEvent
    }
  | { readonly t: 'skip'; readonly position: number }
  | { readonly t: 'delay'; readonly position: number; readonly ms: number }
  | {
      readonly t: 'answer'
      readonly effect: string // address
      readonly outcome: Readonly<Record<string, unknown>>
    }

export type EditFlag = Edit['t']

const EXAMPLES: Readonly<Record<EditFlag, string>> = {
  edit: `'#8.facts.model="echo"'`,
  insert: `'after:#10 delivery:d1 delivery.requested {"ref":"b:01"}'`,
  skip: `'#11'`,
  delay: `'#11 +500ms'`,
  answer: `'#8.e0={"ref":"b:01"}'`,
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Reads an edit as typed. @throws {GatewayError} USAGE */
export function parseEdit(flag: EditFlag, text: string): Edit {
  switch (flag) {
    case 'edit': {
      const [, at = '', path = '', value = ''] = match(
        flag,
        text,
        /^#?(\d{1,15})\.facts\.([\w.-]+)\s*=\s*(.+)$/s,
      )
      return { t: flag, position: Number(at), path: pathOf(path), value: json(flag, value) }
    }
    case 'insert': {
      const [, at = '', stream = '', type = '', facts = ''] = match(
        flag,
        text,
        /^after:#?(\d{1,15})\s+(\S+)\s+(\S+)(?:\s+(.+))?$/s,
      )
      streamKind(stream)
      const event = { ...objectOf(flag, facts === '' ? '{}' : facts), type }
      return { t: flag, after: Number(at), stream: stream as StreamId, event }
    }
    case 'skip': {
      const [, at = ''] = match(flag, text, /^#?(\d{1,15})$/)
      return { t: flag, position: Number(at) }
    }
    case 'delay': {
      const [, at = '', count = '', unit = ''] = match(
        flag,
        text,
        /^#?(\d{1,15})\s+\+(\d{1,9})(ms|s|m|h)$/,
      )
      return { t: flag, position: Number(at), ms: Number(count) * (UNITS[unit] ?? 0) }
    }
    case 'answer': {
      const [, effect = '', value = ''] = match(flag, text, /^#?(\d{1,15}\.e\d{1,4})\s*=\s*(.+)$/s)
      return { t: flag, effect, outcome: objectOf(flag, value) }
    }
  }
}

function match(flag: EditFlag, text: string, pattern: RegExp): RegExpExecArray {
  const found = pattern.exec(text)
  if (found !== null) return found
  throw usage(flag, `expected ${EXAMPLES[flag]}, got ${quote(text)}`)
}

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

function pathOf(text: string): string[] {
  const path = text.split('.')
  if (path.some((key) => key === '' || FORBIDDEN_KEYS.has(key))) {
    throw usage('edit', `expected a path such as policy.dmPolicy, got ${quote(text)}`)
  }
  if (path[0] === 'type') throw usage('edit', 'the type of an event is no fact: skip and insert')
  return path
}

function json(flag: EditFlag, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw usage(flag, `expected JSON, got ${quote(text)}`)
  }
}

function objectOf(flag: EditFlag, text: string): Record<string, unknown> {
  const value = json(flag, text)
  if (isObject(value)) return { ...value }
  throw usage(flag, `expected a JSON object, got ${quote(text)}`)
}

function usage(flag: EditFlag, message: string): GatewayError {
  return new GatewayError('USAGE', `--${flag}: ${message}`)
}

/**
 * Checks that each edit has something to change in a stretch.
 * @throws {GatewayError} USAGE: it lies before the cut, behind the end, or has no such fact.
 */
export function checkEdits(edits: readonly Edit[], segment: Segment): void {
  const records = new Map(segment.records.map((record) => [record.position, record]))
  for (const edit of edits) {
    if (edit.t === 'answer') checkAnswer(edit.effect, segment, records)
    else if (edit.t === 'insert') {
      if (edit.after < segment.from - 1 || edit.after > segment.to) {
        throw usage(edit.t, outside(edit.after, segment))
      }
    } else checkPlace(edit, segment, records)
  }
}

function checkPlace(
  edit: Extract<Edit, { position: number }>,
  segment: Segment,
  records: ReadonlyMap<number, JournalRecord>,
): void {
  const record = records.get(edit.position)
  if (record === undefined) throw usage(edit.t, outside(edit.position, segment))
  if (edit.t !== 'edit') return
  const parent = edit.path.slice(0, -1).reduce<unknown>(ownMember, record.event)
  if (typeof parent === 'object' && parent !== null) return
  throw usage(edit.t, `#${edit.position} has no fact ${edit.path.slice(0, -1).join('.')}`)
}

function ownMember(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return Reflect.get(value, key)
}

function checkAnswer(
  address: string,
  segment: Segment,
  records: ReadonlyMap<number, JournalRecord>,
): void {
  if (segment.open.effects.some(([open]) => open === address)) return
  const [position, index] = address.split('.e').map(Number)
  if (records.get(position ?? 0)?.effects[index ?? 0] !== undefined) return
  throw usage('answer', `#${address} is no effect that is open at the cut or made behind it`)
}

function outside(position: number, { from, to }: Segment): string {
  const where = `the fork runs #${from} to #${to} again`
  return position < from
    ? `#${position} lies before the cut (${where}): take --at '#${position - 1}'`
    : `#${position} is not in it (${where})`
}

/** Applies the edits of one record to its event; null where it is skipped. */
export function editRecord(
  edits: readonly Edit[],
  position: number,
  event: JournalEvent,
): { event: JournalEvent; laterMs: number } | null {
  const edited = { event, laterMs: 0 }
  for (const edit of edits) {
    if (!('position' in edit) || edit.position !== position) continue
    if (edit.t === 'skip') return null
    if (edit.t === 'delay') edited.laterMs += edit.ms
    else edited.event = editEvent(edited.event, edit.path, edit.value)
  }
  return edited
}

function editEvent(event: JournalEvent, path: readonly string[], value: unknown): JournalEvent {
  return replaced(event, path, value) as JournalEvent
}

function replaced(whole: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value
  if (Array.isArray(whole)) {
    return whole.map((member: unknown, index) =>
      String(index) === key ? replaced(member, rest, value) : member,
    )
  }
  const members = typeof whole === 'object' && whole !== null ? whole : {}
  return { ...members, [key]: replaced(ownMember(members, key), rest, value) }
}
