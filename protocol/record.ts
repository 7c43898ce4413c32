/**
 * The record: an event as written, with all that it produced.
 *
 * A record travels to the store as a tuple of fields behind the header that the store owns
 * (stream number, version). Tuples, not maps: small, and readable without a table.
 *
 *   0 kind  1 type  2 facts  3 cause  4 correlationId  5 at  6 epoch  7 code  8 ignored
 *   9 value  10 stateHash  11 effects  12 sends  13 armed  14 cancelled
 */
import { GatewayError } from './errors.ts'
import type { StreamId } from './ids.ts'

/** A fact that a machine takes in: a past-tense type and serialisable facts. */
export interface JournalEvent {
  readonly type: string
  readonly [fact: string]: unknown
}

/** A named, serialisable wish of a machine, run by actors after its record is on disk. */
export interface Effect {
  readonly name: string
  readonly params: Readonly<Record<string, unknown>>
}

/** An event on its way to another actor. */
export interface Send {
  readonly to: StreamId
  readonly event: JournalEvent
}

/** What a snapshot is waiting for: an id within its actor, an absolute time, an event. */
export interface Wait {
  readonly id: string
  readonly dueAt: number // ms since epoch
  readonly event: JournalEvent
}

/**
 * event     the machine took it in (or ignored it)
 * started   an effect of this stream is about to be tried; the machine does not see it
 * migrated  new code folds this stream to another state; the machine does not see it
 */
export type RecordKind = 'event' | 'started' | 'migrated'

/** Why an event changed nothing: no transition, a guard said no, or a transition without effect. */
export type Ignored = 'unhandled' | 'refused' | 'unchanged'

export interface JournalRecord {
  readonly position: number // place in the journal, from 1, without gaps
  readonly stream: StreamId
  readonly version: number // place in the stream, from 1, without gaps
  readonly kind: RecordKind
  readonly event: JournalEvent
  readonly cause: string
  readonly correlationId: string // 32 hex digits
  readonly at: number // ms since epoch
  readonly epoch: number // the writer's, rising with each start
  readonly code: string // identity of the machines' code
  readonly ignored: Ignored | null
  readonly value: string // state value after; JSON where it is not a plain name
  readonly stateHash: string // of the state after
  readonly effects: readonly Effect[]
  readonly sends: readonly Send[]
  readonly armed: readonly Wait[]
  readonly cancelled: readonly string[] // ids of waits
}

/** A record before the store has given it a position and a version. */
export type RecordDraft = Omit<JournalRecord, 'position' | 'version' | 'stream'>

const KINDS: readonly RecordKind[] = ['event', 'started', 'migrated']
const IGNORED: readonly (Ignored | null)[] = [null, 'unhandled', 'refused', 'unchanged']

/** Formats a draft as the tuple that the store writes. */
export function formatRecord(draft: RecordDraft): unknown[] {
  const { type, ...facts } = draft.event
  return [
    KINDS.indexOf(draft.kind),
    type,
    facts,
    draft.cause,
    draft.correlationId,
    draft.at,
    draft.epoch,
    draft.code,
    IGNORED.indexOf(draft.ignored),
    draft.value,
    draft.stateHash,
    draft.effects.map(({ name, params }) => [name, params]),
    draft.sends.map(({ to, event }) => [to, event]),
    draft.armed.map(({ id, dueAt, event }) => [id, dueAt, event]),
    draft.cancelled,
  ]
}

/** Where a stored tuple stands. */
export interface RecordPlace {
  readonly position: number
  readonly stream: string
  readonly version: number
}

/**
 * Reads a tuple back into a record.
 * @throws {GatewayError} RECORD_FORMAT: a field is missing or of another kind.
 */
export function parseRecord(place: RecordPlace, fields: readonly unknown[]): JournalRecord {
  const kind = KINDS[fields[0] as number]
  const ignored = IGNORED[fields[8] as number]
  if (kind === undefined || ignored === undefined || typeof fields[1] !== 'string') {
    throw new GatewayError('RECORD_FORMAT', `record #${place.position}: unknown kind or flag`, {
      position: place.position,
    })
  }
  return {
    position: place.position,
    stream: place.stream as StreamId,
    version: place.version,
    kind,
    event: { ...(fields[2] as object), type: fields[1] },
    cause: fields[3] as string,
    correlationId: fields[4] as string,
    at: fields[5] as number,
    epoch: fields[6] as number,
    code: fields[7] as string,
    ignored,
    value: fields[9] as string,
    stateHash: fields[10] as string,
    effects: (fields[11] as [string, Effect['params']][]).map(([name, params]) => ({
      name,
      params,
    })),
    sends: (fields[12] as [StreamId, JournalEvent][]).map(([to, event]) => ({ to, event })),
    armed: (fields[13] as [string, number, JournalEvent][]).map(([id, dueAt, event]) => ({
      id,
      dueAt,
      event,
    })),
    cancelled: fields[14] as string[],
  }
}
