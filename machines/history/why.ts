/**
 * Why: the chain of causes behind a record, an output, or a value of a state.
 *
 * Every record cites what caused it (K4), so the chain is read, never guessed. Each step also asks
 * again which guards let it through.
 */
import type { StreamId } from '../../protocol/ids.ts'
import { isSame } from './compare.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { followPointer, parsePointer } from '../../protocol/history/pointer.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { formatValue } from '../step.ts'
import { type GuardReading, readGuards } from './guards.ts'
import { fatesOf } from './links.ts'
import { stateBefore } from './state.ts'
import { causeOf, type History, type Kinds, requireRecord } from './source.ts'
import { stepOn } from './fold.ts'
import { oldestTold, untold } from './holes.ts'

/** One record of a chain. */
export interface WhyStep {
  readonly record: JournalRecord
  readonly output: string | null // by which it led to the step before it in the list
  readonly valueBefore: string
  readonly guards: readonly GuardReading[]
  readonly sinceCauseMs: number | null
}

/** A chain, newest first, down to what lies outside. */
export interface Why {
  readonly steps: readonly WhyStep[]
  readonly root: string // the cause that is no output: ext:irc:7, boot:3
  readonly pruned: number | null // position at which the chain cannot be followed any more
}

/**
 * Explains a record: the chain of causes behind it, itself first.
 * @throws {GatewayError} NOT_FOUND: no such record or output; HISTORY_PRUNED: it is gone.
 */
export function explainRecord(
  history: History,
  kinds: Kinds,
  position: number,
  output: string | null = null,
): Why {
  const first = requireRecord(history, position)
  if (output !== null) assertOutput(first, output)
  const steps: WhyStep[] = []
  let via = output
  for (let record = first; ;) {
    const from = causeOf(record.cause)
    const cause = from === null ? null : history.read(from.position)
    steps.push(stepOf(history, kinds, record, { via, cause }))
    if (from === null) return { steps, root: record.cause, pruned: null }
    if (cause === null) return { steps, root: record.cause, pruned: from.position }
    if (steps.length >= limits.whyStepsMax) return { steps, root: record.cause, pruned: null }
    via = from.output
    record = cause
  }
}

function assertOutput({ position, effects, sends, armed }: JournalRecord, output: string): void {
  const counts: Readonly<Record<string, number>> = {
    e: effects.length,
    s: sends.length,
    t: armed.length,
  }
  const count = counts[output[0] ?? ''] ?? 0
  if (Number(output.slice(1)) < count) return
  const text = `#${position}.${output}: the record has ${effects.length} effects, ${sends.length} sends and ${armed.length} waits`
  throw new GatewayError('NOT_FOUND', text, { position, output })
}

function stepOf(
  history: History,
  kinds: Kinds,
  record: JournalRecord,
  { via, cause }: { via: string | null; cause: JournalRecord | null },
): WhyStep {
  const { stream, version, event, at } = record
  const sinceCauseMs = cause === null ? null : at - cause.at
  try {
    const { snapshot } = stateBefore(history, kinds, stream, version)
    const guards = record.kind === 'event' ? readGuards(kinds, { stream, snapshot, event, at }) : []
    return { record, output: via, valueBefore: formatValue(snapshot), guards, sinceCauseMs }
  } catch (error) {
    // The chain stands without the states: records cite their causes also where states are gone.
    if (!(error instanceof GatewayError)) throw error
    return { record, output: via, valueBefore: '?', guards: [], sinceCauseMs }
  }
}

/** What became of an output. */
export interface OutputEnd {
  readonly outcome: string
  readonly record: JournalRecord | null
  readonly started: boolean
}

/** Finds what became of an output, beside its cause. */
export function outcomeAt(
  history: History,
  { position, output }: { position: number; output: string },
): OutputEnd {
  const record = requireRecord(history, position)
  assertOutput(record, output)
  const { effects, sends, waits } = fatesOf(history, record, history.head())
  const index = Number(output.slice(1))
  const effect = output.startsWith('e') ? effects[index] : undefined
  if (effect !== undefined) return effect
  const send = output.startsWith('s') ? sends[index] : undefined
  if (send !== undefined) {
    return {
      outcome: send.pruned ? 'pruned' : send.record === null ? 'pending' : 'taken',
      record: send.record,
      started: false,
    }
  }
  const wait = waits[index]
  return { outcome: wait?.end ?? 'pending', record: wait?.record ?? null, started: false }
}

/** Who wrote a value: the newest record up to a position that changed it. */
export interface Written {
  readonly record: JournalRecord
  readonly was: unknown // NOTHING where it was not there
  readonly is: unknown
}

interface WriterQuestion {
  readonly position: number
  readonly path: string
  readonly recordsMax?: number // how far back to look
}

/**
 * Finds the record that last changed what a pointer leads to, at or before a position.
 * Reads the stream backwards in windows that grow, so that one without snapshots, folded from its
 * beginning for each, costs a few folds and no more; at most `recordsMax` records of it.
 * @throws {GatewayError} NOT_FOUND: nothing ever changed it; USAGE: no pointer, or nothing within
 * the bound changed it; HISTORY_PRUNED: nothing that is left did.
 */
export function findWriter(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  { position, path, recordsMax = Infinity }: WriterQuestion,
): Written {
  const keys = parsePointer(path)
  const newest = history.versionAt(stream, position)
  const bound = Math.max(1, newest - recordsMax + 1)
  const told = oldestTold(history, stream, bound - 1)
  if (told === null) throw untold(history, stream, newest)
  const oldest = told + 1 // The first that can be told from what was before it.
  let window: number = limits.snapshotEveryRecords
  for (let last = newest; last >= oldest; window *= 2) {
    const first = Math.max(oldest, last - window + 1)
    const found = writerWithin(history, kinds, stream, { first, last, keys })
    if (found !== null) return found
    last = first - 1
  }
  if (oldest > bound) throw untold(history, stream, bound - 1)
  if (oldest > 1) {
    const text = `${path}: none of the newest ${recordsMax} records of ${stream} changed it; the command line looks further`
    throw new GatewayError('USAGE', text, { stream })
  }
  throw new GatewayError('NOT_FOUND', `${stream}${path}: no record changed it up to #${position}`, {
    stream,
    path,
  })
}

function writerWithin(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  { first, last, keys }: { first: number; last: number; keys: readonly string[] },
): Written | null {
  const from = stateBefore(history, kinds, stream, first)
  let was = followPointer(from.snapshot.context, keys)
  let found: Written | null = null
  for (const { record, snapshot } of stepOn(history, kinds, stream, { from, last })) {
    const is = followPointer(snapshot.context, keys)
    if (!isSame(was, is)) found = { record, was, is }
    was = is
  }
  return found
}
