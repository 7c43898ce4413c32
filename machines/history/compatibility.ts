/**
 * Compatibility: how the machines of this code stand to a history that other code may have written.
 *
 * Nothing of the other code is run or needed: the identities in the records, and whether our
 * machines know the events, say enough.
 */
import type { JournalRecord } from '../../protocol/record.ts'
import type { Kinds } from './source.ts'

/** One kind of actor, as the history has it and as this code does. */
export interface KindStanding {
  readonly kind: string
  readonly standing: 'identical' | 'changed' | 'missing'
  readonly records: number
  readonly codes: readonly string[] // identities that wrote them
  readonly unknownEvents: readonly string[] // types that our machine has no handler for
}

/** Compares kinds; the order is that of their first records. */
export function compareKinds(
  records: Iterable<JournalRecord>,
  kinds: Kinds,
  code: string,
): KindStanding[] {
  const seen = new Map<string, { records: number; codes: Set<string>; types: Set<string> }>()
  for (const record of records) {
    const kind = record.stream.slice(0, record.stream.indexOf(':'))
    const row = seen.get(kind) ?? { records: 0, codes: new Set(), types: new Set() }
    seen.set(kind, row)
    row.records += 1
    row.codes.add(record.code)
    if (record.kind === 'event') row.types.add(record.event.type)
  }
  return [...seen].map(([kind, row]) => {
    const found = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
    const known: ReadonlySet<string> = new Set(found?.stepper.machine.events ?? [])
    const isSame = [...row.codes].every((each) => each === code)
    const changed = isSame ? 'identical' : 'changed'
    return {
      kind,
      standing: found === undefined ? 'missing' : changed,
      records: row.records,
      codes: [...row.codes],
      unknownEvents: found === undefined ? [] : [...row.types].filter((type) => !known.has(type)),
    }
  })
}
