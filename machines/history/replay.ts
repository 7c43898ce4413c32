/**
 * Replay: every record of a range recomputed under given code and held against what was recorded.
 *
 * Streaming, one pass in the order of the journal; memory holds the states of the actors that are
 * at work. After a record that differs, replay goes on from what it recomputed, as the new code
 * would. `started` and `migrated` records are not stepped. Nothing here can run an effect.
 */
import type { AnyMachineSnapshot } from 'xstate'
import { GatewayError, messageOf } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { Effect, JournalRecord } from '../../protocol/record.ts'
import { saveSnapshot, type SavedState } from '../step.ts'
import {
  type Allowed,
  classOf,
  contextPaths,
  type Ignores,
  isAllowed,
  outputPaths,
  REPLAY_CLASSES,
  type ReplayClass,
} from './compare.ts'
import { foldStream, stepOn } from './fold.ts'
import { type Holes, NO_HOLES, Standing } from './holes.ts'
import { type Base, type History, kindOf } from './source.ts'
import { type Code, type Outputs, takeEvent } from './take.ts'

/** What a step did that differs from its record. Plain data: it travels between processes. */
export interface Difference {
  readonly class: ReplayClass
  readonly now: Outputs
  readonly state: SavedState | null // null where the machine threw
  readonly error: string | null
}

/** One side of a difference, for people and programs. */
export interface Side {
  readonly value: string
  readonly stateHash: string
  readonly effects: readonly Effect[]
  readonly error?: string
}

/** A record that replays otherwise. */
export interface ReplayDiff {
  readonly position: number
  readonly stream: StreamId
  readonly class: ReplayClass
  readonly allowed: boolean
  readonly recorded: Side
  readonly now: Side
  readonly paths: readonly string[]
}

export interface ReplayResult {
  readonly records: number // stepped
  readonly same: number
  readonly allowed: number // differ as expected
  readonly counts: Readonly<Record<ReplayClass, number>>
  readonly first: number | null // position of the first that differs and is not allowed
  readonly worst: ReplayClass // of those that are not allowed
  readonly diffs: readonly ReplayDiff[] // the first `limits.replayDiffsMax`
  readonly holes: Holes // what could not be stepped
}

const EMPTY = { ignored: null, effects: [], sends: [], armed: [], cancelled: [] } as const

interface Held {
  readonly version: number
  readonly snapshot: AnyMachineSnapshot
}

/** Recomputes records under one code. Ask `unknown` first and `seed` what it names. */
export class Replayer {
  readonly code: Code
  #states = new Map<StreamId, Held>()

  constructor(code: Code) {
    this.code = code
  }

  /** Lists the streams whose state before these records is not held, with their last version. */
  unknown(records: readonly JournalRecord[]): { stream: StreamId; version: number }[] {
    const firsts = new Map<StreamId, JournalRecord>()
    for (const record of records) {
      if (!firsts.has(record.stream)) firsts.set(record.stream, record)
    }
    return [...firsts.values()]
      .filter((record) => !this.knows(record))
      .map(({ stream, version }) => ({ stream, version: version - 1 }))
  }

  /** Tells whether a stream's state before a record is held, or is its first. */
  knows({ stream, version }: JournalRecord): boolean {
    return version === 1 || this.#states.get(stream)?.version === version - 1
  }

  seed(stream: StreamId, version: number, snapshot: AnyMachineSnapshot): void {
    this.#states.set(stream, { version, snapshot })
  }

  /** Recomputes one record; null where it is the same. */
  take(record: JournalRecord): Difference | null {
    const { stream, version } = record
    const held = version === 1 ? undefined : this.#states.get(stream)
    try {
      const kind = kindOf(this.code.kinds, stream)
      const before = held?.snapshot ?? kind.stepper.initial
      if (record.kind !== 'event') {
        this.seed(stream, version, before)
        return null
      }
      const { snapshot, ...now } = takeEvent(this.code, kind, before, record)
      this.seed(stream, version, snapshot)
      const differs = classOf(record, now)
      if (differs === 'same') return null
      return { class: differs, now, state: saveSnapshot(snapshot), error: null }
    } catch (thrown) {
      if (held !== undefined) this.seed(stream, version, held.snapshot)
      const error = messageOf(thrown)
      const now = { ...EMPTY, value: '', stateHash: '' }
      return { class: 'ERROR', now, state: null, error }
    }
  }

  /** Beyond the bound lets go of actors that have ended, and then of those longest held. */
  rest(): void {
    if (this.#states.size <= limits.replayActorsMax) return
    for (const [stream, { snapshot }] of this.#states) {
      if (snapshot.status !== 'active') this.#states.delete(stream)
    }
    for (const stream of this.#states.keys()) {
      if (this.#states.size <= limits.replayActorsMax) break
      this.#states.delete(stream)
    }
  }
}

export interface TallyOptions {
  readonly ignores?: Ignores
  readonly allowed?: readonly Allowed[]
  /** Tells the state that a record left behind, by code that agrees with it; null: unknown. */
  readonly recordedState?: (record: JournalRecord) => SavedState | null
  readonly diffed?: (diff: ReplayDiff) => void // hears of each that is listed
}

/** Counts what a replay found. */
export class Tally {
  #options: TallyOptions
  #records = 0
  #allowed = 0
  #counts = Object.fromEntries(REPLAY_CLASSES.map((name) => [name, 0])) as Record<
    ReplayClass,
    number
  >
  #first: number | null = null
  #worst: ReplayClass = 'same'
  #diffs: ReplayDiff[] = []

  constructor(options: TallyOptions = {}) {
    this.#options = options
  }

  /** Takes what became of one record. */
  add(record: JournalRecord, difference: Difference | null): void {
    if (record.kind !== 'event') return
    this.#records += 1
    const paths = difference === null ? [] : this.#pathsOf(record, difference)
    if (difference === null || paths === null) {
      this.#counts.same += 1
      return
    }
    const { class: differs, now } = difference
    this.#counts[differs] += 1
    const allowed = isAllowed(this.#options.allowed ?? [], differs, record, now)
    if (allowed) this.#allowed += 1
    else this.#mark(record.position, differs)
    if (this.#diffs.length >= limits.replayDiffsMax) return
    const diff = { ...sidesOf(record, difference), allowed, paths }
    this.#diffs.push(diff)
    this.#options.diffed?.(diff)
  }

  result(holes: Holes = NO_HOLES): ReplayResult {
    return {
      records: this.#records,
      same: this.#counts.same,
      allowed: this.#allowed,
      counts: this.#counts,
      first: this.#first,
      worst: this.#worst,
      diffs: this.#diffs,
      holes,
    }
  }

  // Null: only parts of the context differ that are not compared.
  #pathsOf(record: JournalRecord, { class: differs, now, state }: Difference): string[] | null {
    if (differs === 'ERROR') return []
    if (differs !== 'context') return outputPaths(record, now)
    const { ignores = [], recordedState = () => null } = this.#options
    const isListed = ignores.length > 0 || this.#diffs.length < limits.replayDiffsMax
    const recorded = isListed ? recordedState(record) : null
    if (recorded === null || state === null) return []
    const paths = contextPaths(recorded, state, ignores)
    return paths.length === 0 && ignores.length > 0 ? null : paths
  }

  #mark(position: number, differs: ReplayClass): void {
    this.#first ??= position
    if (REPLAY_CLASSES.indexOf(differs) < REPLAY_CLASSES.indexOf(this.#worst)) this.#worst = differs
  }
}

function sidesOf(
  record: JournalRecord,
  { class: differs, now, error }: Difference,
): Omit<ReplayDiff, 'allowed' | 'paths'> {
  const { position, stream, value, stateHash, effects } = record
  const side = { value: now.value, stateHash: now.stateHash, effects: now.effects }
  return {
    position,
    stream,
    class: differs,
    recorded: { value, stateHash, effects },
    now: error === null ? side : { ...side, error },
  }
}

/**
 * Replays a range in this process; compacted streams from the snapshots that stand for them.
 * @throws {GatewayError} STORE_CORRUPT
 */
export function replayRange(
  history: History,
  code: Code,
  { from, to }: { readonly from: number; readonly to: number },
  options: TallyOptions = {},
): ReplayResult {
  const replayer = new Replayer(code)
  const tally = new Tally(options)
  const standing = new Standing(history, { from, to })
  let taken = 0
  for (const record of standing.select(history.range(from, to))) {
    if (!replayer.knows(record) && !trySeed(replayer, history, record)) {
      standing.again([record])
      continue
    }
    tally.add(record, replayer.take(record))
    taken += 1
    if (taken % limits.replayChunkRecords === 0) replayer.rest()
  }
  return tally.result(standing.holes())
}

// False where a writer beside us compacted what lies before it.
function trySeed(replayer: Replayer, history: History, record: JournalRecord): boolean {
  try {
    seedBefore(replayer, history, record)
    return true
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'HISTORY_PRUNED') return false
    throw error
  }
}

/** Seeds what this code makes of a stream before a record, as it would in service. */
export function seedBefore(
  replayer: Replayer,
  history: History,
  { stream, version }: JournalRecord,
): void {
  const { code } = replayer
  const snapshot = orInitial(code, stream, () => {
    const usable = (base: Base): boolean => base.code === code.id
    return foldStream(history, code.kinds, stream, { upToVersion: version - 1, usable }).snapshot
  })
  replayer.seed(stream, version - 1, snapshot)
}

/** Folds; where the machine itself throws on an earlier record, its first state stands for it. */
export function orInitial(
  { kinds }: Code,
  stream: StreamId,
  fold: () => AnyMachineSnapshot,
): AnyMachineSnapshot {
  try {
    return fold()
  } catch (error) {
    if (error instanceof GatewayError) throw error
    return kindOf(kinds, stream).stepper.initial
  }
}

/**
 * Tells the state that each record left behind, as code that agrees with the record recomputes it;
 * null where it does not agree. Asked in the order of the journal.
 */
export function recordedStates(
  history: History,
  code: Code,
): (record: JournalRecord) => SavedState | null {
  const known = new Map<StreamId, Held>()
  return ({ stream, version, stateHash }) => {
    const snapshot = advance(history, code, { stream, version, known: known.get(stream) })
    if (snapshot === null || code.hashSnapshot(snapshot) !== stateHash) return null
    known.set(stream, { version, snapshot })
    return saveSnapshot(snapshot)
  }
}

function advance(
  history: History,
  { kinds, id }: Code,
  asked: { stream: StreamId; version: number; known: Held | undefined },
): AnyMachineSnapshot | null {
  const { stream, version, known } = asked
  try {
    if (known === undefined || known.version > version) {
      const usable = ({ code }: { code: string }): boolean => code === id
      return foldStream(history, kinds, stream, { upToVersion: version, usable }).snapshot
    }
    let { snapshot } = known
    for (const next of stepOn(history, kinds, stream, { from: known, last: version }))
      snapshot = next.snapshot
    return snapshot
  } catch {
    return null
  }
}
