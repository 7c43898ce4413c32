/**
 * A record as an object for programs: one line of NDJSON, one item of `history.read`.
 *
 * Stable: members are added, never renamed; `schema` of the head line tells the version.
 */
import { outputAddress } from '../ids.ts'
import type { JournalRecord } from '../record.ts'
import { formatInstant } from './address.ts'

/** The schema that the objects below follow. */
export const LINE_SCHEMA = 'openclaw-journal/1'

/** Makes the object of one record; ids of outputs are addresses. */
export function formatLine(record: JournalRecord): object {
  const { position, stream, version, kind, event, cause, correlationId, at, epoch, code } = record
  const { type, ...facts } = event
  return {
    t: 'rec',
    position,
    stream,
    version,
    ...(kind === 'event' ? {} : { kind }),
    type,
    cause,
    correlationId,
    at: formatInstant(at),
    epoch,
    code,
    value: record.value,
    ignored: record.ignored,
    stateHash: record.stateHash,
    out: {
      effects: record.effects.map(({ name, params }, index) => {
        return { address: outputAddress(position, 'e', index), name, params }
      }),
      sends: record.sends.map(({ to, event: { type: name } }, index) => {
        return { address: outputAddress(position, 's', index), to, type: name }
      }),
      waits: record.armed.map(({ id, dueAt }, index) => {
        return { address: outputAddress(position, 't', index), id, dueAt: formatInstant(dueAt) }
      }),
      cancelled: record.cancelled,
    },
    data: facts,
  }
}

/** Lists the refs of bodies that a record's facts name. */
export function refsOf({ event }: JournalRecord): string[] {
  return Object.values(event).filter(isRef)
}

function isRef(fact: unknown): fact is string {
  return typeof fact === 'string' && /^b:[0-9a-f]{20}$/.test(fact)
}
