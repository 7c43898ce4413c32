/**
 * Holes: what compaction took out of a history, and from where each actor can be told again.
 *
 * What is gone is always the beginning of a stream, and a snapshot stands for it. That snapshot is
 * believed where its own hash is right and the record of its version, which is always kept, says
 * the same. The states before it are nobody's to tell: `HISTORY_PRUNED`, never a guess.
 */
import { stateHash } from '../../protocol/codec.ts'
import { GatewayError } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { type Base, firstKept, type History } from './source.ts'

/** Versions of one stream that were compacted away, and where the first and the last stood. */
export interface PrunedRange {
  readonly stream: StreamId
  readonly from: number
  readonly to: number
  readonly positions: readonly [number, number]
}

/** What of a stretch cannot be told any more. */
export interface Holes {
  readonly records: number // compacted away
  readonly streams: number // that they were of
  readonly ranges: readonly PrunedRange[] // the first limits.holesListedMax
  /** Records that are left but cannot be recomputed: a snapshot stands for the state behind them. */
  readonly stands: number
  /** Records behind which nobody knows the state: no whole snapshot stands for what is gone. */
  readonly lost: number
  readonly firstLost: number | null // position
}

/** A stretch with nothing missing. */
export const NO_HOLES: Holes = {
  records: 0,
  streams: 0,
  ranges: [],
  stands: 0,
  lost: 0,
  firstLost: null,
}

interface Span {
  readonly from: number // positions
  readonly to: number
}

/** Lists what was compacted away within a stretch, stream by stream. */
export function* prunedRanges(history: History, { from, to }: Span): Generator<PrunedRange> {
  for (const stream of history.streams()) {
    const first = history.versionAt(stream, from - 1) + 1
    const last = Math.min(history.versionAt(stream, to), firstKept(history, stream, first) - 1)
    const begin = history.positionOf(stream, first)
    const end = history.positionOf(stream, last)
    // A stretch that was cut out does not know where its missing records stood.
    if (last < first || begin === null || end === null) continue
    yield { stream, from: first, to: last, positions: [begin, end] }
  }
}

/** Tells whether records of a stream between two positions, both left out, are missing. */
export function isMissingBetween(history: History, stream: StreamId, span: Span): boolean {
  const next = history.versionAt(stream, span.from) + 1
  const end = history.versionAt(stream, span.to - 1) + 1
  return next < Math.min(firstKept(history, stream, next), end)
}

/**
 * Finds the newest saved state at or below a version that may stand for what was compacted away:
 * its hash is its own, and the recorded one.
 */
export function standingBase(history: History, stream: StreamId, atVersion: number): Base | null {
  let base = history.base(stream, atVersion)
  for (; base !== null; base = history.base(stream, base.version - 1)) {
    const isOwn = stateHash(base.state) === base.hash
    if (isOwn && history.stateHash(stream, base.version) === base.hash) return base
  }
  return null
}

/**
 * The oldest version from one on whose state can be told: that one where nothing before it is
 * missing, else the first that a snapshot stands for; null where none does.
 */
export function oldestTold(history: History, stream: StreamId, from: number): number | null {
  if (firstKept(history, stream, 1) === 1) return from
  const newest = history.version(stream)
  let oldest: number | null = null
  let base = standingBase(history, stream, newest)
  for (; base !== null; base = standingBase(history, stream, base.version - 1)) {
    oldest = Math.max(from, base.version)
    if (base.version <= from) break
  }
  return oldest
}

/**
 * Makes the refusal of a state that nobody can tell any more; it names the oldest one that is left.
 */
export function untold(history: History, stream: StreamId, version: number): GatewayError {
  const oldest = oldestTold(history, stream, version)
  const position = oldest === null ? null : history.positionOf(stream, oldest)
  const to = firstKept(history, stream, 1) - 1
  const left =
    position === null ? 'no state is left' : `the oldest state left is behind #${position}`
  const text = `${stream}: versions 1 to ${to} were compacted away; ${left}`
  return new GatewayError('HISTORY_PRUNED', text, { pruned: true, stream, from: 1, to, position })
}

/** Follows the records of a stretch in order and tells which of them can be recomputed. */
export class Standing {
  readonly #history: History
  readonly #span: Span
  readonly #told = new Map<StreamId, number>() // the newest version whose state is known
  #seen = 0
  #stands = 0
  #lost = 0
  #firstLost: number | null = null

  constructor(history: History, span: Span) {
    this.#history = history
    this.#span = span
  }

  /** Tells whether the state before a record is known. */
  tells(record: JournalRecord): boolean {
    const { stream, version, position } = record
    this.#seen += 1
    const isKnown =
      version === 1 ||
      this.#told.get(stream) === version - 1 ||
      isTold(this.#history, stream, version - 1)
    if (this.#told.size > limits.replayActorsMax) this.#told.clear()
    if (isKnown || standingBase(this.#history, stream, version)?.version === version) {
      this.#told.set(stream, version)
      if (!isKnown) this.#stands += 1
      return isKnown
    }
    if (this.#isGone(record)) return false
    this.#lost += 1
    this.#firstLost ??= position
    return false
  }

  /**
   * Judges records again that could not be recomputed after all: a writer beside us may have
   * compacted them, or what lies before them, since they were read.
   */
  again(records: readonly JournalRecord[]): JournalRecord[] {
    this.#told.clear()
    return records.filter((record) => {
      if (this.#isGone(record)) return false
      this.#seen -= 1 // It is counted anew.
      return this.tells(record)
    })
  }

  #isGone({ position }: JournalRecord): boolean {
    if (this.#history.read(position) !== null) return false
    this.#seen -= 1
    return true
  }

  /** Passes on what can be recomputed. */
  *select(records: Iterable<JournalRecord>): Generator<JournalRecord> {
    for (const record of records) if (this.tells(record)) yield record
  }

  /** Sums up what is missing; ask when all records have been followed. */
  holes(): Holes {
    const { from, to } = this.#span
    let [records, streams] = [0, 0]
    const ranges: PrunedRange[] = []
    // Positions are dense: where all were seen nothing is missing, and no stream is asked.
    const isWhole = this.#seen === to - from + 1
    for (const range of isWhole ? [] : prunedRanges(this.#history, this.#span)) {
      records += range.to - range.from + 1
      streams += 1
      if (ranges.length < limits.holesListedMax) ranges.push(range)
    }
    const [stands, lost, firstLost] = [this.#stands, this.#lost, this.#firstLost]
    return { records, streams, ranges, stands, lost, firstLost }
  }
}

// Nothing is missing before it, or a snapshot stands for what is.
function isTold(history: History, stream: StreamId, version: number): boolean {
  const kept = firstKept(history, stream, 1)
  if (kept === 1) return true
  const base = standingBase(history, stream, version)
  return base !== null && base.version >= kept - 1
}
