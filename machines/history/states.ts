/**
 * Does this code arrive at the states that were recorded? Every record of a segment, in one pass.
 *
 * Where other code wrote a record, a difference is news and no fault: the state is then recomputed
 * by other code, and told apart.
 */
import type { StreamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { hashSnapshot } from '../step.ts'
import type { Segment, SegmentBase } from './segment.ts'
import { byStream, type Kinds, kindOf } from './source.ts'

/** One record whose state came out otherwise. */
export interface StateDifference {
  readonly position: number
  readonly stream: StreamId
  readonly recorded: string // state hash
  readonly now: string // state hash, or why the machine could not take the event
  readonly isOurs: boolean // this same code wrote it: a fault
}

/** What became of all records of a segment; the five counts add up to its records. */
export interface StateReport {
  readonly same: number // recorded by this code, and it arrives there
  readonly sameByOther: number // recorded by other code, and this code arrives there too
  readonly different: number // recorded by this code: faults
  readonly differentByOther: number
  readonly unfolded: number // no machine of that kind, or nothing to begin from
  readonly differences: readonly StateDifference[] // the first of each stream
}

/** Folds every stream of a segment and compares each state with the recorded hash. */
export function compareStates(segment: Segment, kinds: Kinds, code: string): StateReport {
  const bases = new Map(segment.bases.map((base) => [base.stream, base]))
  const streams = byStream(segment.records)
  const sum = { ...NONE }
  const differences: StateDifference[] = []
  for (const [stream, records] of streams) {
    const told = compareStream(bases.get(stream), records, kinds, code)
    sum.same += told.same
    sum.sameByOther += told.sameByOther
    sum.different += told.different
    sum.differentByOther += told.differentByOther
    sum.unfolded += told.unfolded
    if (told.first !== null) differences.push(told.first)
  }
  return { ...sum, differences }
}

const NONE = { same: 0, sameByOther: 0, different: 0, differentByOther: 0, unfolded: 0 }

interface StreamReport {
  same: number
  sameByOther: number
  different: number
  differentByOther: number
  unfolded: number
  first: StateDifference | null
}

function compareStream(
  base: SegmentBase | undefined,
  records: readonly JournalRecord[],
  kinds: Kinds,
  code: string,
): StreamReport {
  const report: StreamReport = { ...NONE, first: null }
  const differs = (record: JournalRecord, now: string): void => {
    const { position, stream, stateHash: recorded } = record
    const isOurs = record.code === code
    report[isOurs ? 'different' : 'differentByOther'] += 1
    report.first ??= { position, stream, recorded, now, isOurs }
  }
  const start = startOf(base, records, kinds)
  if (start === null) return { ...report, unfolded: records.length }
  const { stepper, behind } = start
  let { snapshot } = start
  report.unfolded = records.length - behind.length
  for (const [index, record] of behind.entries()) {
    try {
      if (record.kind === 'event')
        snapshot = stepper.step(snapshot, record.event, record.at).snapshot
    } catch (error) {
      differs(record, error instanceof Error ? error.message : 'the machine threw')
      report.unfolded += behind.length - index - 1
      break
    }
    const now = hashSnapshot(snapshot)
    if (now !== record.stateHash) differs(record, now)
    else if (record.code === code) report.same += 1
    else report.sameByOther += 1
  }
  return report
}

type Start = {
  readonly stepper: ReturnType<typeof kindOf>['stepper']
  readonly snapshot: ReturnType<typeof kindOf>['stepper']['initial']
  readonly behind: readonly JournalRecord[]
}

// Null where this code has no such machine, cannot take the base, or records before it are missing.
function startOf(
  base: SegmentBase | undefined,
  records: readonly JournalRecord[],
  kinds: Kinds,
): Start | null {
  const [first] = records
  if (first === undefined) return null
  try {
    const { stepper } = kindOf(kinds, first.stream)
    if (base === undefined) {
      return first.version === 1 ? { stepper, snapshot: stepper.initial, behind: records } : null
    }
    const behind = records.filter(({ version }) => version > base.version)
    if (behind[0] !== undefined && behind[0].version !== base.version + 1) return null
    return { stepper, snapshot: stepper.restore(base.state), behind }
  } catch {
    return null
  }
}
