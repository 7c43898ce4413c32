/**
 * The library: history for scripts and tests, as `import { openLog } from 'openclaw-gateway/history'`.
 *
 *   const log = await openLog({ dir: '~/.openclaw' })
 *   log.state('session:agent:main:main', '#42')       log.why('#42.e0')    log.whyNot('reply-to:#7')
 *   for (const record of log.range('10:30', '10:34', { actor: 'delivery:*' })) ...
 *   const branch = await log.fork('#18').skip('#21').run()
 *   test('inc-42', async () => matchOutcome(await replayBundle('inc-42.ocinc'), { 'reply-to:#7': 'ok' }))
 *
 * Read only, beside a running gateway, on a copy, or on an incident file. Times without a zone are UTC.
 */
import { systemClock } from '../../actors/services.ts'
import { replayHistory } from '../../actors/other-code.ts'
import { bisectStates } from '../../machines/history/bisect.ts'
import { formatState, formatWhy, formatWhyNot } from '../../machines/history/documents.ts'
import { findStream } from '../../machines/history/find-stream.ts'
import { readGoal } from '../../machines/history/goal.ts'
import { InboundTracker } from '../../machines/history/outcomes.ts'
import type { ReplayDiff } from '../../machines/history/replay.ts'
import { type Resolved, resolveAddress, resolveRange } from '../../machines/history/resolve.ts'
import { factsOf } from '../../machines/history/source.ts'
import { stateAt } from '../../machines/history/state.ts'
import { explainAbsence } from '../../machines/history/why-not.ts'
import { explainRecord, outcomeAt } from '../../machines/history/why.ts'
import { kinds } from '../../machines/kinds.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { parseAddress, type TimeFrame } from '../../protocol/history/address.ts'
import { globOf, parseFilter, passes } from '../../protocol/history/filter.ts'
import { parsePredicate, type PredicateSubject } from '../../protocol/history/predicate.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { isAlive } from './alive.ts'
import { chooseCode, codeHouse } from './code.ts'
import { ForkBuilder } from './fork-builder.ts'
import { findMarkIn } from './marks.ts'
import { openSource, type Source } from './source.ts'

export type { JournalRecord } from '../../protocol/record.ts'
export { type ForkBranch, ForkBuilder } from './fork-builder.ts'

/** What to open: a directory (state, journal, copy), or an incident file; default: our own. */
export interface LogPlace {
  readonly dir?: string
  readonly file?: string
}

/** Which records of a range. */
export interface RangeWish {
  readonly actor?: string // a name, or a glob such as delivery:*
  readonly filter?: readonly string[] // terms such as type=effect.*
}

/**
 * Opens history for reading.
 * @throws {GatewayError} NOT_FOUND, STORE_CORRUPT, STORE_ROLLBACK, RECORD_FORMAT
 */
export async function openLog({ dir, file }: LogPlace = {}): Promise<HistoryLog> {
  return new HistoryLog(await openSource(file ?? dir))
}

function frameNow(): TimeFrame {
  return { now: systemClock.now(), utc: true, date: null }
}

/** History that is open. Addresses are those of the command line. */
export class HistoryLog {
  readonly #source: Source

  constructor(source: Source) {
    this.#source = source
  }

  /** Position of the newest record. */
  get head(): number {
    return this.#source.history.head()
  }

  /** Resolves an address. @throws {GatewayError} USAGE, NOT_FOUND, HISTORY_PRUNED */
  at(address: string): Resolved {
    return resolveAddress(
      this.#source.history,
      parseAddress(address, frameNow()),
      findMarkIn(this.#source),
    )
  }

  /** The state of an actor at an address, as `state --json` tells it; null where it did not exist. */
  state(actor: string, address = 'head'): Readonly<Record<string, unknown>> | null {
    const found = stateAt(this.#source.history, kinds, this.#stream(actor), this.at(address))
    return found === null ? null : formatState(found, 0)
  }

  /** Records from one address to another, both included; of a time, the first not before it. */
  *range(
    from = 'start',
    to = 'head',
    { actor, filter = [] }: RangeWish = {},
  ): Generator<JournalRecord> {
    const { history } = this.#source
    const terms = parseFilter(filter)
    const pattern = actor === undefined ? null : globOf(actor)
    const facts = factsOf(history)
    const range = { from: parseAddress(from, frameNow()), to: parseAddress(to, frameNow()) }
    const stretch = resolveRange(history, range, findMarkIn(this.#source))
    for (const record of history.range(stretch.from, stretch.to)) {
      if (pattern !== null && !pattern.test(record.stream)) continue
      if (passes(terms, record, facts)) yield record
    }
  }

  /** The causes of a record (`#42`) or an output (`#42.e0`), as `why --json` tells them. */
  why(address: string): object {
    const { position, output } = this.at(address)
    const { history } = this.#source
    const end = output === null ? null : outcomeAt(history, { position, output })
    return formatWhy(explainRecord(history, kinds, position, output), end)
  }

  /** Why a goal was not reached, as `why --not --json` tells it. */
  async whyNot(target: string, from?: string): Promise<object> {
    const { history } = this.#source
    const goal = readGoal(history, target, from === undefined ? null : this.at(from).position)
    const alive = await isAlive(this.#source)
    return formatWhyNot(explainAbsence(history, kinds, { ...goal, alive }))
  }

  /** The first record of an actor behind which something holds. @throws {GatewayError} NOT_FOUND */
  bisect(actor: string, holds: string | ((subject: PredicateSubject) => boolean)): JournalRecord {
    const predicate = typeof holds === 'string' ? parsePredicate(holds) : holds
    const range = { from: 1, to: this.head, predicate, scan: false }
    return bisectStates(this.#source.history, kinds, this.#stream(actor), range).first
  }

  /** Begins a dry fork behind an address; nothing runs before `run()`. */
  fork(address: string): ForkBuilder {
    return new ForkBuilder(this.#source, this.at(address).position)
  }

  /** Lets go of the files. */
  close(): Promise<void> {
    return this.#source.close()
  }

  #stream(actor: string): StreamId {
    return findStream(this.#source.history, { actor })
  }
}

/** What a replay of an incident file came to. */
export interface BundleReplay {
  readonly records: number
  readonly same: number
  readonly first: number | null // position of the first difference
  readonly diffs: readonly ReplayDiff[]
  /** How each inbound message of the file ended: reply-to:#7 -> sent, answered, failed, uncertain ... */
  readonly outcomes: Readonly<Record<string, string>>
}

/**
 * Replays an incident file by the machines of this version, or those of a compiled directory.
 * @throws {GatewayError} NOT_FOUND, RECORD_FORMAT, STORE_CORRUPT
 */
export async function replayBundle(
  file: string,
  { machines = 'current' }: { machines?: string } = {},
): Promise<BundleReplay> {
  const source = await openSource(file)
  try {
    const { segment } = source.bundle ?? {}
    if (segment === undefined) throw new GatewayError('USAGE', `${file}: expected an incident file`)
    const { from, to, records } = segment
    const house = codeHouse(source)
    const choice = await chooseCode(house, machines)
    const result = await replayHistory(house, source.history, { from, to, choice })
    const tracker = new InboundTracker()
    for (const record of records) tracker.add(record)
    const ends = tracker.outcomes().map(({ target, end }) => [target, end] as const)
    return { ...result, outcomes: Object.fromEntries(ends) }
  } finally {
    await source.close()
  }
}

const GOOD: ReadonlySet<string> = new Set(['sent', 'answered'])

/**
 * Asserts, in any test runner, that a replay is identical and that messages ended as expected; `ok`
 * means sent or answered.
 * @throws {Error} with what differs.
 */
export function matchOutcome(
  { first, outcomes }: Pick<BundleReplay, 'first' | 'outcomes'>,
  expected: Readonly<Record<string, string>>,
): void {
  if (first !== null) throw new Error(`the replay differs from the record, first at #${first}`)
  for (const [target, wanted] of Object.entries(expected)) {
    const end = outcomes[target] ?? 'absent'
    if (end === wanted || (wanted === 'ok' && GOOD.has(end))) continue
    throw new Error(`${target}: expected ${wanted}, got ${end}`)
  }
}
