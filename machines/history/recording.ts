/**
 * A recorded stretch, indexed for running it again: which record came of which output, when, and
 * how to know an output again that other events or other code have produced.
 *
 * An output is known by its stream, its kind, its name, its params without times, and by how many
 * alike came before it. Slots are times that never step back, so that a recorded order stands
 * where the clock did not.
 */
import { canonical, sha256Hex } from '../../protocol/codec.ts'
import { type OutputLetter, outputAddress, type StreamId } from '../../protocol/ids.ts'
import type { Effect, JournalEvent, JournalRecord, Send, Wait } from '../../protocol/record.ts'
import { waitKey } from '../projections/open-work.ts'
import type { Segment, SegmentOpen } from './segment.ts'

/** What a record produced, one by one. */
export type Produced =
  | { readonly letter: 'e'; readonly effect: Effect }
  | { readonly letter: 's'; readonly send: Send }
  | { readonly letter: 't'; readonly wait: Wait }

/** A recorded stretch, indexed. */
export interface Recording {
  readonly segment: Segment
  /** Records whose cause lies outside of the stretch, in order. */
  readonly outside: readonly JournalRecord[]
  /** Records that cite an output, in order: its start marker, its outcome or consumer. */
  readonly citing: (address: string) => readonly JournalRecord[]
  /** The address of the recorded output of a name. */
  readonly addressOf: (name: string) => string | null
  /** When a record happened, as a time that never steps back; 0 before the stretch. */
  readonly slotOf: (position: number) => number
  readonly waitAt: (address: string) => Wait | null
  /** When the newest boot before a record happened; null where the stretch has none. */
  readonly bootBefore: (position: number) => number | null
  /** Whether a recorded wait was neither fired nor cancelled before the stretch ended. */
  readonly isArmedAtEnd: (address: string) => boolean
}

/** An output that nothing has answered yet. */
export interface OutputBefore {
  readonly produced: Produced
  readonly stream: StreamId // that produced it; of a send from before the stretch: its target
  readonly correlationId: string
  readonly started: boolean
}

/** Lists what was open before a stretch. */
export function openOutputs({
  effects,
  sends,
  waits,
}: SegmentOpen): (OutputBefore & { readonly address: string })[] {
  return [
    ...effects.map(([address, { stream, correlationId, started, name, params }]) => {
      const produced = { letter: 'e', effect: { name, params } } as const
      return { address, produced, stream, correlationId, started }
    }),
    ...sends.map(([address, { correlationId, to, event }]) => {
      const produced = { letter: 's', send: { to, event } } as const
      return { address, produced, stream: to, correlationId, started: false }
    }),
    ...waits.map(([address, { stream, correlationId, id, dueAt, event }]) => {
      const produced = { letter: 't', wait: { id, dueAt, event } } as const
      return { address, produced, stream, correlationId, started: false }
    }),
  ]
}

/** Lists what a record produced, with the address of each. */
export function outputsOf(
  record: Pick<JournalRecord, 'position' | 'effects' | 'sends' | 'armed'>,
): [string, Produced][] {
  const { position, effects, sends, armed } = record
  const at = (letter: OutputLetter, index: number): string => outputAddress(position, letter, index)
  return [
    ...effects.map((effect, index): [string, Produced] => [
      at('e', index),
      { letter: 'e', effect },
    ]),
    ...sends.map((send, index): [string, Produced] => [at('s', index), { letter: 's', send }]),
    ...armed.map((wait, index): [string, Produced] => [at('t', index), { letter: 't', wait }]),
  ]
}

/** Names an output: how it is known again, but for how many alike came before it. */
export function outputName(stream: StreamId, produced: Produced): string {
  return `${stream}\n${produced.letter}\n${detailOf(produced)}`
}

function detailOf(produced: Produced): string {
  switch (produced.letter) {
    case 'e': {
      const { name, params } = produced.effect
      return `${name}\n${digest(params)}`
    }
    case 's': {
      const { to, event } = produced.send
      return `${to}\n${event.type}\n${digest(event)}`
    }
    case 't':
      return `${produced.wait.id}\n${produced.wait.event.type}`
  }
}

function digest(value: unknown): string {
  return sha256Hex(canonical(withoutTimes(value))).slice(0, 32)
}

// A fork may happen at other times and still ask for the same.
function withoutTimes(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value ?? null
  if (Array.isArray(value)) return value.map(withoutTimes)
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !/^at$|[a-z]At$/.test(key))
      .map(([key, member]) => [key, withoutTimes(member)]),
  )
}

/**
 * Makes the event of a cause in a branch: sends and waits carry what the branch says, outcomes what
 * was recorded, with the branch's address.
 */
export function eventOf(recorded: JournalEvent, cause: string, produced?: Produced): JournalEvent {
  if (produced === undefined) return recorded
  if (produced.letter === 's') return produced.send.event
  if (produced.letter === 't') return produced.wait.event
  return 'effect' in recorded ? { ...recorded, effect: cause } : recorded
}

/** Where something happens that is to come directly behind a record. */
export function placeOf(
  { segment: { records }, slotOf }: Recording,
  position: number,
): { slot: number; at: number } {
  const record = records.findLast((each) => each.position <= position) ?? records[0]
  return record === undefined
    ? { slot: 0, at: 0 }
    : { slot: slotOf(record.position), at: record.at }
}

/** Counts how many outputs of each name there were, and numbers them. */
export class Occurrences {
  #counts: Map<string, number>

  constructor(from?: Occurrences) {
    this.#counts = new Map(from === undefined ? [] : from.#counts)
  }

  /** The name of this one among those of the same name. */
  next(name: string): string {
    const count = (this.#counts.get(name) ?? 0) + 1
    this.#counts.set(name, count)
    return `${name}\n${count}`
  }
}

/** Indexes a stretch. */
export function indexRecording(segment: Segment): Recording {
  const { open, records } = segment
  const addresses = new Map<string, string>()
  const citing = new Map<string, JournalRecord[]>()
  const waits = new Map<string, Wait>(open.waits)
  const armed = new Map<string, string>(
    open.waits.map(([at, { stream, id }]) => [waitKey(stream, id), at]),
  )
  for (const [address] of [...open.effects, ...open.sends, ...open.waits]) citing.set(address, [])
  const outside: JournalRecord[] = []
  const slots = new Map<number, number>()
  const boots: number[] = []
  const occurrences = new Occurrences()
  let slot = 0
  for (const record of records) {
    slot = Math.max(slot, record.at)
    slots.set(record.position, slot)
    if (record.event.type === 'gateway.booted') boots.push(record.position)
    const cited = citing.get(record.cause)
    if (cited === undefined) outside.push(record)
    else cited.push(record)
    disarm(armed, record, waits.get(record.cause))
    for (const [address, produced] of outputsOf(record)) {
      citing.set(address, [])
      addresses.set(occurrences.next(outputName(record.stream, produced)), address)
      if (produced.letter !== 't') continue
      waits.set(address, produced.wait)
      armed.set(waitKey(record.stream, produced.wait.id), address)
    }
  }
  const armedAtEnd = new Set(armed.values())
  return {
    segment,
    outside,
    citing: (address) => citing.get(address) ?? [],
    addressOf: (name) => addresses.get(name) ?? null,
    slotOf: (position) => slots.get(position) ?? 0,
    waitAt: (address) => waits.get(address) ?? null,
    bootBefore: (position) => {
      const boot = boots.findLast((each) => each < position)
      return boot === undefined ? null : (slots.get(boot) ?? null)
    },
    isArmedAtEnd: (address) => armedAtEnd.has(address),
  }
}

function disarm(
  armed: Map<string, string>,
  { stream, cause, cancelled }: JournalRecord,
  fired: Wait | undefined,
): void {
  for (const id of cancelled) armed.delete(waitKey(stream, id))
  if (fired !== undefined && armed.get(waitKey(stream, fired.id)) === cause) {
    armed.delete(waitKey(stream, fired.id))
  }
}
