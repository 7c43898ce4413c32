/**
 * Traces: what is known of a record's bodies, and kept of it when it is compacted away.
 *
 *   [format = 1]                                             it names nobody and no body
 *   [format = 1, type, correlationId, facts, refs]
 *
 * Erasure asks whose bodies are whose. A record answers by its facts; where it was compacted away
 * its tombstone still must, or texts would stay that nobody can find any more. So a tombstone keeps
 * the facts that lead from a person or a session to refs, and no others.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { refsIn } from '../protocol/history/refs.ts'
import { limits } from '../protocol/limits.ts'
import { memberOf } from '../protocol/members.ts'
import { type JournalRecord, parseRecord } from '../protocol/record.ts'
import type { KeepOf, StoredLink, StoreReader } from '../store/contract.ts'

const FORMAT = 1

/** The facts that lead from somebody to bodies. */
const FACTS = [
  'channel',
  'senderId',
  'sender',
  'sessionKey',
  'fileIn',
  'runId',
  'deliveryId',
] as const

/** What is known of the bodies of one record. */
export interface Trace {
  readonly stream: string
  readonly type: string // of the event
  readonly correlationId: string
  readonly facts: Readonly<Partial<Record<(typeof FACTS)[number], string>>>
  readonly refs: readonly string[] // in its event
}

/** Takes from a record what leads to its bodies. */
export function traceOf({ stream, event, correlationId }: JournalRecord): Trace {
  return {
    stream,
    type: event.type,
    correlationId,
    facts: factsOf(event),
    refs: [...refsIn(event)],
  }
}

/** What a gateway keeps of each record that it compacts away. */
export const keepTrace: KeepOf = (stored) => {
  const { type, correlationId, facts, refs } = traceOf(parseRecord(stored, stored.fields))
  const isBare = refs.length === 0 && Object.keys(facts).length === 0
  return isBare ? [FORMAT] : [FORMAT, type, correlationId, facts, refs]
}

/** Reads what a tombstone kept; null where it was made before traces were kept. */
export function parseTrace({ stream, kept }: StoredLink): Trace | null {
  const [format, type, correlationId, facts, refs] = kept
  if (format !== FORMAT) return null
  return {
    stream,
    type: typeof type === 'string' ? type : '',
    correlationId: typeof correlationId === 'string' ? correlationId : '',
    facts: factsOf(facts),
    refs: [...refsIn(refs)],
  }
}

/** Lists the refs that a record names, in its outputs too. */
export function refsNamed({ event, effects, sends, armed }: JournalRecord): Set<string> {
  return refsIn([event, effects, sends, armed])
}

/** Looks at every position up to the head of now, in order; whoever else is served goes on. */
export async function walkPositions(
  store: StoreReader,
  look: (position: number) => void,
): Promise<void> {
  const head = store.head().position
  for (let from = 1; from <= head; from += limits.eraseSliceRecords) {
    const to = Math.min(head, from + limits.eraseSliceRecords - 1)
    for (let position = from; position <= to; position += 1) look(position)
    await turn()
  }
}

function factsOf(value: unknown): Trace['facts'] {
  const known = FACTS.map((name) => [name, memberOf(value, name)] as const)
  return Object.fromEntries(known.filter(([, fact]) => typeof fact === 'string'))
}
