/**
 * Links: what became of the outputs of a record.
 *
 * Outputs have addresses (K4), and whatever takes one in cites it: an outcome or a fired wait in
 * the same stream, a send in the stream that it is for. So no index of causes is needed: the
 * stream is read on from there.
 */
import type { StreamId } from '../../protocol/ids.ts'
import { outputAddress } from '../../protocol/ids.ts'
import type { Effect, JournalRecord, Send, Wait } from '../../protocol/record.ts'
import { firstKept, type History, keptStream } from './source.ts'

export type EffectOutcome = 'done' | 'failed' | 'cancelled' | 'lost' | 'pending'

/** An effect, and how it ended. */
export interface EffectFate {
  readonly address: string
  readonly effect: Effect
  readonly outcome: EffectOutcome
  readonly started: boolean // marked before it was tried: it may have been seen outside
  readonly record: JournalRecord | null // of the outcome
}

/** A send, and who took it in. */
export interface SendFate {
  readonly address: string
  readonly send: Send
  readonly record: JournalRecord | null
  readonly pruned: boolean // nobody is known, and who took it in may have been compacted away
}

/** A wait, and whether it fired. */
export interface WaitFate {
  readonly address: string
  readonly wait: Wait
  readonly end: 'fired' | 'cancelled' | 'pending'
  readonly record: JournalRecord | null // that fired or cancelled it
}

export interface Fates {
  readonly effects: readonly EffectFate[]
  readonly sends: readonly SendFate[]
  readonly waits: readonly WaitFate[]
}

/** Finds what became of the outputs of a record, as known at a position. */
export function fatesOf(history: History, record: JournalRecord, upTo: number): Fates {
  const own = followStream(history, record, upTo)
  return {
    effects: effectFates(record, own),
    sends: record.sends.map((send, index) => {
      const address = outputAddress(record.position, 's', index)
      return {
        address,
        send,
        ...consumerOf(history, record.position, { address, to: send.to, upTo }),
      }
    }),
    waits: record.armed.map((wait, index) => {
      const address = outputAddress(record.position, 't', index)
      return { address, wait, ...(own.waits.get(address) ?? { end: 'pending', record: null }) }
    }),
  }
}

/** Finds what became of the effects of a record alone: no other stream is read. */
export function effectFatesOf(
  history: History,
  record: JournalRecord,
  upTo: number,
): readonly EffectFate[] {
  return effectFates(record, followStream(history, record, upTo))
}

function effectFates(record: JournalRecord, own: OwnEnds): readonly EffectFate[] {
  return record.effects.map((effect, index) => {
    const address = outputAddress(record.position, 'e', index)
    const { started, outcome } = own.effects.get(address) ?? { started: false, outcome: null }
    return { address, effect, started, record: outcome, outcome: outcomeOf(outcome) }
  })
}

function outcomeOf(record: JournalRecord | null): EffectOutcome {
  const name = record?.event.type.slice('effect.'.length)
  switch (name) {
    case 'done':
    case 'failed':
    case 'cancelled':
    case 'lost':
      return name
    default:
      return 'pending'
  }
}

interface OwnEnds {
  readonly effects: Map<string, { started: boolean; outcome: JournalRecord | null }>
  readonly waits: Map<string, { end: 'fired' | 'cancelled'; record: JournalRecord }>
}

// Reads the record's own stream on until everything that it waits for has ended.
function followStream(history: History, record: JournalRecord, upTo: number): OwnEnds {
  const { stream, version, position, effects, armed } = record
  const ends: OwnEnds = { effects: new Map(), waits: new Map() }
  const open = new Set([
    ...effects.map((_, index) => outputAddress(position, 'e', index)),
    ...armed.map((_, index) => outputAddress(position, 't', index)),
  ])
  const waitIds = new Map(armed.map(({ id }, index) => [id, outputAddress(position, 't', index)]))
  if (open.size === 0) return ends
  for (const next of history.stream(stream, version + 1)) {
    if (next.position > upTo || open.size === 0) break
    for (const id of [...next.cancelled, ...next.armed.map((wait) => wait.id)]) {
      const address = waitIds.get(id)
      if (address === undefined || !open.has(address) || next.cause === address) continue
      open.delete(address)
      ends.waits.set(address, { end: 'cancelled', record: next })
    }
    if (!open.has(next.cause)) continue
    if (next.kind === 'started') {
      ends.effects.set(next.cause, { started: true, outcome: null })
      continue
    }
    open.delete(next.cause)
    if (next.cause.includes('.t')) ends.waits.set(next.cause, { end: 'fired', record: next })
    else {
      const started = ends.effects.get(next.cause)?.started ?? false
      ends.effects.set(next.cause, { started, outcome: next })
    }
  }
  return ends
}

/** Finds the record that took a send in. */
export function consumerOf(
  history: History,
  from: number,
  { address, to, upTo }: { address: string; to: StreamId; upTo: number },
): Pick<SendFate, 'record' | 'pruned'> {
  const next = history.versionAt(to, from) + 1
  for (const record of keptStream(history, to, next)) {
    if (record.position > upTo) break
    if (record.cause === address) return { record, pruned: false }
  }
  return { record: null, pruned: firstKept(history, to, next) > next }
}
