/**
 * Taking one event in, as actors/durable.ts does, but with the machines of any code.
 *
 * What comes out is all that a record says of a step, so that a replay can be held against it and
 * a fork can write its own.
 */
import type { AnyMachineSnapshot } from 'xstate'
import type { JournalEvent, JournalRecord } from '../../protocol/record.ts'
import type { Kind } from '../kinds.ts'
import { formatValue, hashSnapshot } from '../step.ts'
import { compareWaits } from '../waits.ts'
import type { Kinds } from './source.ts'

/** The machines of some code, with its own way to hash a state and to write its value. */
export interface Code {
  readonly id: string
  readonly kinds: Kinds
  readonly hashSnapshot: (snapshot: AnyMachineSnapshot) => string
  readonly formatValue: (snapshot: AnyMachineSnapshot) => string
}

/** Makes code of machines that are hashed as ours are. */
export function codeOf(id: string, kinds: Kinds): Code {
  return { id, kinds, hashSnapshot, formatValue }
}

/** What a step did, in the words of a record. */
export type Outputs = Pick<
  JournalRecord,
  'ignored' | 'value' | 'stateHash' | 'effects' | 'sends' | 'armed' | 'cancelled'
>

/** A step: the state after it, and what a record would say of it. */
export interface Taken extends Outputs {
  readonly snapshot: AnyMachineSnapshot
}

/** An event on its way in. */
export interface Incoming {
  readonly event: JournalEvent
  readonly at: number // ms since epoch
  readonly cause: string
}

/** Takes one event in. @throws whatever the machine throws. */
export function takeEvent(
  { hashSnapshot: hash, formatValue: format }: Code,
  { stepper, waits }: Kind,
  before: AnyMachineSnapshot,
  { event, at, cause }: Incoming,
): Taken {
  const { snapshot, effects, sends, ignored } = stepper.step(before, event, at)
  const waited = waits(before)
  const fired = /\.t\d+$/.test(cause) ? firedWait(waited, event) : null
  const { armed, cancelled } = compareWaits(waited, waits(snapshot), fired)
  return {
    snapshot,
    ignored,
    value: format(snapshot),
    stateHash: hash(snapshot),
    effects,
    sends,
    armed,
    cancelled,
  }
}

// The wait whose event this is: of those with such an event, the one that falls due first.
function firedWait(waited: ReturnType<Kind['waits']>, event: JournalEvent): string | null {
  let first: (typeof waited)[number] | null = null
  for (const wait of waited) {
    if (wait.event.type !== event.type) continue
    if (first === null || wait.dueAt < first.dueAt) first = wait
  }
  return first?.id ?? null
}
