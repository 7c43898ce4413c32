/**
 * Bisect: where a predicate over an actor's states became true.
 *
 * Halves when the answer changes once; a probe that contradicts that is told, and `scan` looks at
 * every record instead.
 */
import { GatewayError } from '../../protocol/errors.ts'
import type { Predicate, PredicateSubject } from '../../protocol/history/predicate.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { foldStream, stepOn } from './fold.ts'
import { oldestTold, untold } from './holes.ts'
import type { History, Kinds } from './source.ts'

/** A probe: a record, and whether the predicate holds behind it. */
export interface Probe {
  readonly position: number
  readonly bad: boolean
}

export interface Bisected {
  readonly first: JournalRecord // the first after which it holds
  readonly probes: readonly Probe[]
  readonly records: number // of the actor in the range
  /** False where an older record was seen to be bad as well, before a good one. */
  readonly monotone: boolean
}

export interface BisectOptions {
  readonly from: number // positions
  readonly to: number
  readonly predicate: Predicate
  readonly scan: boolean
}

/**
 * Finds the first record of an actor behind which a predicate holds.
 * @throws {GatewayError} NOT_FOUND: it never holds there, or the actor has no record there;
 * HISTORY_PRUNED: it holds in the oldest state that is left.
 */
export function bisectStates(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  options: BisectOptions,
): Bisected {
  const { from, to, predicate, scan } = options
  const begin = history.versionAt(stream, from - 1) + 1
  const last = history.versionAt(stream, to)
  if (last < begin) {
    throw new GatewayError('NOT_FOUND', `${stream}: no record from #${from} to #${to}`, { stream })
  }
  const first = oldestOf(history, stream, { from: begin, to: last })
  const probes: Probe[] = []
  const isBad = (version: number): boolean => {
    const subject = subjectAt(history, kinds, stream, version)
    const bad = predicate(subject)
    probes.push({ position: subject.position, bad })
    return bad
  }
  const version = scan
    ? scanFor(history, kinds, stream, { first, last, predicate })
    : halve(first, last, isBad)
  if (version === null) {
    throw new GatewayError('NOT_FOUND', `${stream}: it never holds from #${from} to #${to}`, {
      stream,
    })
  }
  const found = history.read(history.positionOf(stream, version) ?? 0)
  // Where it holds in the oldest state that is left, it may have begun before.
  if (found === null || (version === first && first > begin)) throw untold(history, stream, begin)
  // Halving rests on the range beginning with a good record.
  const monotone = scan || version === first || !isBad(first)
  return { first: found, probes, records: last - first + 1, monotone }
}

function halve(first: number, last: number, isBad: (version: number) => boolean): number | null {
  if (!isBad(last)) return null
  let good = first - 1
  let bad = last
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2)
    if (isBad(middle)) bad = middle
    else good = middle
  }
  return bad
}

function scanFor(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  { first, last, predicate }: { first: number; last: number; predicate: Predicate },
): number | null {
  for (const { version, subject } of statesOf(history, kinds, stream, { first, last })) {
    if (predicate(subject)) return version
  }
  return null
}

// The first version whose state is left.
function oldestOf(
  history: History,
  stream: StreamId,
  { from, to }: { from: number; to: number },
): number {
  const oldest = oldestTold(history, stream, from)
  if (oldest !== null && oldest <= to) return oldest
  throw untold(history, stream, to)
}

/**
 * Walks the states of an actor behind each of its records, in order; of a compacted one from the
 * oldest state that is left.
 * @throws {GatewayError} HISTORY_PRUNED: none is left up to `last`.
 */
export function* statesOf(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  { first, last }: { first: number; last: number },
): Generator<{ version: number; subject: PredicateSubject }> {
  if (first > last) return
  const oldest = oldestOf(history, stream, { from: first, to: last })
  yield { version: oldest, subject: subjectAt(history, kinds, stream, oldest) }
  const from = foldStream(history, kinds, stream, { upToVersion: oldest })
  for (const { record, snapshot } of stepOn(history, kinds, stream, { from, last })) {
    const { version, position } = record
    const { value, status, context } = snapshot
    yield { version, subject: { value, status, context, stream, position, version } }
  }
}

function subjectAt(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  version: number,
): PredicateSubject {
  const { snapshot } = foldStream(history, kinds, stream, { upToVersion: version })
  const { value, status, context } = snapshot
  const position = history.positionOf(stream, version) ?? 0
  return { value, status, context, stream, position, version }
}
