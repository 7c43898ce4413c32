/**
 * State at T: what an actor was at a position, what it was waiting for, and what was under way.
 */
import type { AnyMachineSnapshot } from 'xstate'
import { GatewayError } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord, Wait } from '../../protocol/record.ts'
import { type Folded, foldStream } from './fold.ts'
import { type Candidate, candidatesOf, microstepsOf } from './guards.ts'
import { fatesOf } from './links.ts'
import { firstKept, type History, kindOf, type Kinds } from './source.ts'

/** Something that the actor had asked for and had no answer to. */
export interface InFlight {
  readonly address: string
  readonly kind: 'effect' | 'send'
  readonly name: string // of the effect, or of the event that is sent
  readonly to: StreamId | null // of a send
  readonly since: number // ms since epoch
  readonly started: boolean
  readonly params: Readonly<Record<string, unknown>>
}

export interface StateAt {
  readonly stream: StreamId
  readonly position: number // as asked
  readonly record: JournalRecord // the newest of this actor there
  readonly folded: Folded
  readonly snapshot: AnyMachineSnapshot // at the microstep, where one was asked for
  readonly verified: boolean // recomputed and recorded hash are the same
  readonly waitingFor: readonly Candidate[]
  readonly timers: readonly Wait[]
  readonly inFlight: readonly InFlight[]
  /**
   * False where an output could still be open that is older than limits.inFlightRecordsMax records
   * of this actor, or was compacted away.
   */
  readonly inFlightComplete: boolean
}

/**
 * Rebuilds an actor as it was at a position; null where it did not exist yet.
 * @throws {GatewayError} HISTORY_PRUNED, STORE_CORRUPT; NOT_FOUND: no such microstep.
 */
export function stateAt(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  { position, microstep = null }: { position: number; microstep?: number | null },
): StateAt | null {
  const version = history.versionAt(stream, position)
  if (version === 0) return null
  const folded = foldStream(history, kinds, stream, { upToVersion: version })
  const record = recordOf(history, stream, version)
  const snapshot =
    microstep === null ? folded.snapshot : microstepAt(history, kinds, record, microstep)
  return {
    stream,
    position,
    record,
    folded,
    snapshot,
    verified: folded.hash === record.stateHash,
    waitingFor: candidatesOf(snapshot),
    timers: kindOf(kinds, stream).waits(snapshot),
    ...inFlightAt(history, stream, version, position),
  }
}

function recordOf(history: History, stream: StreamId, version: number): JournalRecord {
  for (const record of history.stream(stream, version)) return record
  throw new GatewayError('HISTORY_PRUNED', `${stream}: version ${version} was compacted away`, {
    stream,
    version,
  })
}

function microstepAt(
  history: History,
  kinds: Kinds,
  record: JournalRecord,
  microstep: number,
): AnyMachineSnapshot {
  const { stream, version, event, at, position } = record
  const { snapshot } = stateBefore(history, kinds, stream, version)
  const steps = record.kind === 'event' ? microstepsOf(kinds, { stream, snapshot, event, at }) : []
  const found = steps[microstep - 1]
  if (found !== undefined) return found
  const text = `#${position}.${microstep}: this record has ${steps.length} microsteps`
  throw new GatewayError('NOT_FOUND', text, { position, microsteps: steps.length })
}

/** Rebuilds an actor as it was before one of its versions. */
export function stateBefore(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  version: number,
): Folded {
  return foldStream(history, kinds, stream, { upToVersion: version - 1 })
}

// Looks a bounded way back. Each boot ends every effect before it and carries every send, so what
// is open is of one process, and the actors that go on for long (channels, sessions, the gateway)
// have one or two things under way. Beyond the bound the answer says that it may not be all.
function inFlightAt(
  history: History,
  stream: StreamId,
  version: number,
  position: number,
): Pick<StateAt, 'inFlight' | 'inFlightComplete'> {
  const first = Math.max(1, version - limits.inFlightRecordsMax + 1)
  const kept = firstKept(history, stream, first)
  const found: InFlight[] = []
  const records = [...recordsFrom(history, stream, kept, version)]
  const ended = new Set(records.map(({ kind, cause }) => (kind === 'event' ? cause : '')))
  for (const record of records) {
    const isOver = record.effects.every((_, index) => ended.has(`${record.position}.e${index}`))
    if (isOver && record.sends.length === 0) continue
    found.push(...openOf(history, record, position))
  }
  return { inFlight: found, inFlightComplete: kept === 1 }
}

function* recordsFrom(
  history: History,
  stream: StreamId,
  version: number,
  last: number,
): Generator<JournalRecord> {
  if (version > last) return
  for (const record of history.stream(stream, version)) {
    if (record.version > last) return
    yield record
  }
}

function openOf(history: History, record: JournalRecord, position: number): InFlight[] {
  const { effects, sends } = fatesOf(history, record, position)
  const { at: since } = record
  return [
    ...effects
      .filter(({ outcome }) => outcome === 'pending')
      .map(({ address, effect: { name, params }, started }): InFlight => {
        return { address, kind: 'effect', name, to: null, since, started, params }
      }),
    ...sends
      .filter((fate) => fate.record === null && !fate.pruned)
      .map(({ address, send: { to, event } }): InFlight => {
        const { type: name, ...params } = event
        return { address, kind: 'send', name, to, since, started: false, params }
      }),
  ]
}
