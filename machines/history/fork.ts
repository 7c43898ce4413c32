/**
 * A fork: history cut at a position and run again, dry, under edits or other code.
 *
 * Before anything is said about what would have been, a control run without edits must equal the
 * record: only then is the engine known to tell this history. A fork is data; nothing of it is
 * ever done.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { type StreamId, streamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { isSame } from './compare.ts'
import { checkEdits } from './edits.ts'
import { isMissingBetween } from './holes.ts'
import { type InboundOutcome, InboundTracker } from './outcomes.ts'
import type { EffectCounts, Fault, RerunPlan } from './plan.ts'
import { indexRecording } from './recording.ts'
import { Branch } from './rerun.ts'
import type { Segment } from './segment.ts'
import { byStream, type History } from './source.ts'
import type { Code } from './take.ts'

/** What a run of a stretch came to. Plain data. */
export interface Rerun {
  readonly records: readonly JournalRecord[]
  readonly faults: readonly Fault[]
  readonly made: readonly number[] // positions of outcomes that were made up
  readonly rules: readonly (readonly [number, string])[]
  readonly counts: EffectCounts
}

/** The plan of a control run: as it was. */
export const CONTROL: RerunPlan = {
  edits: [],
  onLost: 'lose',
  onMiss: 'error',
  openEnds: 'keep',
}

/**
 * Runs a stretch again, to rest.
 * @throws {GatewayError} USAGE: an edit has nothing to change; NOT_FOUND: no recorded outcome, and
 * none is to be made up; REPLAY_DIVERGED: it goes in circles.
 */
export function rerunSegment(segment: Segment, code: Code, plan: RerunPlan): Rerun {
  checkEdits(plan.edits, segment)
  const branch = new Branch(indexRecording(segment), code, plan).begin()
  while (branch.advance());
  const { records, faults, made, scene, counts } = branch
  return { records, faults, made, rules: scene.rules, counts }
}

/** Whether a control run is the record, and where it first is not. */
export interface Control {
  readonly identical: boolean
  readonly records: number
  readonly first: number | null // position
}

/** Holds a control run against the record, stream by stream. */
export function checkControl({ records }: Segment, control: Rerun): Control {
  const first = firstDivergence(records, control.records)
  const identical = first === null && control.faults.length === 0
  return { identical, records: control.records.length, first }
}

/** Tells where two runs of a stretch first differ, as a recorded position; null: nowhere. */
export function firstDivergence(
  recorded: readonly JournalRecord[],
  branch: readonly JournalRecord[],
): number | null {
  const others = byStream(branch)
  let first: number | null = null
  for (const [stream, records] of byStream(recorded)) {
    const other = others.get(stream) ?? []
    others.delete(stream)
    const index = records.findIndex((record, at) => !isSameRecord(record, other[at]))
    const position = index === -1 ? other[records.length]?.position : records[index]?.position
    if (position !== undefined) first = Math.min(first ?? position, position)
  }
  for (const [only] of others.values()) {
    if (only !== undefined) first = Math.min(first ?? only.position, only.position)
  }
  return first
}

const COMPARED = [
  'kind',
  'value',
  'stateHash',
  'ignored',
  'effects',
  'sends',
  'armed',
  'cancelled',
] as const

function isSameRecord(record: JournalRecord, other: JournalRecord | undefined): boolean {
  if (other === undefined || other.event.type !== record.event.type) return false
  return COMPARED.every((field) => isSame(record[field], other[field]))
}

/** How an inbound message ended, as recorded and in the branch. */
export interface ForkOutcome {
  readonly target: string // reply-to:#7, send:#9; with @ before it where only the branch has it
  readonly recorded: string
  readonly branch: string
}

export interface ForkResult {
  readonly at: number // the cut: the last position of the parent
  readonly control: { readonly identical: boolean; readonly records: number }
  readonly effects: EffectCounts
  readonly firstDivergence: number | null
  readonly faults: readonly Fault[]
  readonly outcomes: readonly ForkOutcome[]
  readonly head: number // position of the newest record of the branch
}

/** The two runs of a fork, and which session it is about; null: all. */
export interface ForkRuns {
  readonly control: Rerun
  readonly branch: Rerun
  readonly about: StreamId | null
}

/**
 * Sums a fork up: what became of each inbound message that was not answered at the cut, or came
 * behind it.
 * @throws {GatewayError} REPLAY_DIVERGED: the control run is not the record.
 */
export function sumFork(
  history: History,
  segment: Segment,
  { control, branch, about }: ForkRuns,
): ForkResult {
  const checked = assertControl(segment, control)
  const before = new InboundTracker()
  for (const record of history.range(1, segment.from - 1)) {
    before.add(record)
    if (record.position % 1_024 === 0) before.settle()
  }
  before.settle()
  const gone = { history, from: segment.from }
  const recorded = endsOf(before.copy(), segment.records, { ...control, gone, about })
  const then = endsOf(before, branch.records, { ...branch, gone, about })
  const outcomes = [...new Set([...recorded.keys(), ...then.keys()])].map((id) => ({
    target: recorded.get(id)?.target ?? `@${then.get(id)?.target ?? ''}`,
    recorded: recorded.get(id)?.word ?? 'absent',
    branch: then.get(id)?.word ?? 'absent',
  }))
  return {
    at: segment.from - 1,
    control: { identical: true, records: checked.records },
    effects: branch.counts,
    firstDivergence: firstDivergence(segment.records, branch.records),
    faults: branch.faults,
    outcomes,
    head: branch.records.at(-1)?.position ?? segment.from - 1,
  }
}

interface Ended {
  readonly target: string
  readonly word: string
}

interface EndsAsked extends Pick<Rerun, 'made' | 'rules'> {
  readonly gone: { readonly history: History; readonly from: number }
  readonly about: StreamId | null
}

function endsOf(
  tracker: InboundTracker,
  records: readonly JournalRecord[],
  { made, rules, gone, about }: EndsAsked,
): Map<string, Ended> {
  for (const record of records) tracker.add(record)
  const stubbed = new Set(made)
  const reasons = new Map(rules)
  const wordOf = (outcome: InboundOutcome): string => {
    const { end, at, position } = outcome
    if (end === 'pending' && isEndGone(outcome, gone)) return 'pruned'
    if (end === 'refused' && reasons.has(position)) return `refused(${reasons.get(position)})`
    return at !== null && stubbed.has(at) ? `${end}(stub)` : end
  }
  const meant = tracker.outcomes().filter((outcome) => about === null || outcome.about === about)
  return new Map(
    meant.map((outcome) => [outcome.id, { target: outcome.target, word: wordOf(outcome) }]),
  )
}

// It came in before the stretch, and records that could tell its end are missing.
function isEndGone(
  { id, position, about }: InboundOutcome,
  { history, from }: EndsAsked['gone'],
): boolean {
  if (position >= from) return false
  const reply = streamId('delivery', `reply-${id}`)
  const streams = [about, streamId('run', id), reply, streamId('delivery', id)]
  const span = { from: position, to: from }
  return streams.some((stream) => isMissingBetween(history, stream, span))
}

/**
 * Requires that a control run is the record.
 * @throws {GatewayError} REPLAY_DIVERGED: it is not, with the place.
 */
export function assertControl(segment: Segment, control: Rerun): Control {
  const checked = checkControl(segment, control)
  if (checked.identical) return checked
  const { first } = checked
  const [fault] = control.faults
  const why =
    fault === undefined
      ? `it differs at #${first ?? 0}`
      : `${fault.stream} throws at #${fault.position}: ${fault.error}`
  const text = `control run: this code does not tell the recorded history (${why}), so no what-if`
  throw new GatewayError('REPLAY_DIVERGED', text, { first })
}
