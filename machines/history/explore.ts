/**
 * Exploring crashes: after each record of a stretch the process ends, the next one boots as the
 * gateway does, and the rest of the outside world happens as it did.
 *
 * Whatever the crash point, four things must hold: every inbound message comes to an end, no
 * message goes on the wire twice, no actor waits for ever, no machine throws.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { GATEWAY, type StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { isVisible } from '../effects.ts'
import { formatValue } from '../step.ts'
import { InboundTracker } from './outcomes.ts'
import { indexRecording } from './recording.ts'
import { Branch } from './rerun.ts'
import type { RerunPlan } from './plan.ts'
import type { Segment } from './segment.ts'
import type { Code } from './take.ts'
import { isBusy } from './working.ts'

/** What must hold after every crash. */
export type Invariant = 'reply.lost' | 'sent.twice' | 'waits.forever' | 'machine.throws'

export interface Violation {
  readonly crashAt: number // position of the last record before the crash
  readonly invariant: Invariant
  readonly stream: StreamId
  readonly detail: string
}

export interface ExplorePlan {
  readonly budget: number // crash points at most
}

/** A violation with the stretch that shows it: the crash, and what led to it and came of it. */
export interface ExploreSample {
  readonly violation: Violation
  readonly segment: Segment
}

export interface Exploration {
  readonly points: number
  readonly violations: readonly Violation[]
}

const TO_REST: RerunPlan = { edits: [], onLost: 'lose', onMiss: 'stub', openEnds: 'finish' }

/**
 * Crashes a stretch after each of its records, or after as many as the budget allows, evenly.
 * `onViolation` is handed each violation with the stretch that shows it: the crash and what led
 * to it, as records.
 * @throws {GatewayError} USAGE: the stretch is too long; REPLAY_DIVERGED: it does not run at all.
 */
export function exploreSegment(
  segment: Segment,
  code: Code,
  { budget }: ExplorePlan,
  onViolation: (violation: Violation, crashed: Segment) => void = () => {},
): Exploration {
  const { length } = segment.records
  if (length > limits.exploreRecordsMax) {
    const text = `explore: ${length} records, at most ${limits.exploreRecordsMax}: give a range`
    throw new GatewayError('USAGE', text)
  }
  const branch = new Branch(indexRecording(segment), code, TO_REST).begin()
  const stride = Math.max(1, Math.ceil(length / budget))
  const violations: Violation[] = []
  let points = 0
  while (branch.records.length < length && branch.advance()) {
    const { length: done } = branch.records
    if (done % stride !== 0 && done !== length) continue
    points += 1
    const crashed = crash(branch.copy())
    for (const violation of judge(crashed, branch.records.at(-1)?.position ?? 0)) {
      violations.push(violation)
      const records = crashed.records
      onViolation(violation, { ...segment, to: segment.from + records.length - 1, records })
    }
  }
  return { points, violations }
}

/** Explores, and keeps the first limits.exploreSamplesMax violations whole. @throws as above */
export function exploreSampled(
  segment: Segment,
  code: Code,
  plan: ExplorePlan,
): { exploration: Exploration; samples: ExploreSample[] } {
  const samples: ExploreSample[] = []
  const exploration = exploreSegment(segment, code, plan, (violation, crashed) => {
    if (samples.length < limits.exploreSamplesMax) samples.push({ violation, segment: crashed })
  })
  return { exploration, samples }
}

/** Ends the process, boots the next one, and lets everything come to rest. */
function crash(branch: Branch): Branch {
  const last = branch.records.at(-1)
  const epoch = branch.scene.epoch + 1
  const place = { slot: branch.slot, rank: last?.position ?? 0, at: last?.at ?? 0 }
  const head = {
    ...place,
    kind: 'event',
    cause: `boot:${epoch}`,
    correlationId: '0'.repeat(limits.correlationIdBytes * 2),
    epoch,
    origin: 'flow',
  } as const
  const tell = (stream: StreamId, event: JournalRecord['event']): void =>
    branch.add({ ...head, stream, event })
  branch.dropMemory()
  tell(GATEWAY, { type: 'gateway.booted', epoch, version: 'explored' })
  for (const stream of branch.scene.connections) {
    tell(stream, { type: 'connection.closed', code: 1006, reason: 'the process ended' })
  }
  for (const address of branch.open.keys()) {
    branch.lose(address, place)
    branch.carry(address, place)
  }
  for (const [stream, event] of branch.scene.channels) tell(stream, event)
  try {
    while (branch.advance());
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown
    branch.faults.push({ stream: GATEWAY, position: 0, error: thrown.message })
  }
  return branch
}

function judge(branch: Branch, crashAt: number): Violation[] {
  const violations: Violation[] = []
  const violate = (invariant: Invariant, stream: StreamId, detail: string): void => {
    violations.push({ crashAt, invariant, stream, detail })
  }
  const tracker = new InboundTracker()
  for (const record of branch.records) tracker.add(record)
  for (const { end, stream, target } of tracker.outcomes()) {
    if (end === 'pending') violate('reply.lost', stream, `${target} never comes to an end`)
  }
  for (const [stream, count] of sentAgain(branch.records)) {
    violate('sent.twice', stream, `${count + 1} times on the wire, and none of them was refused`)
  }
  for (const [stream, { snapshot }] of branch.states()) {
    const value = formatValue(snapshot)
    if (isBusy(stream, value)) violate('waits.forever', stream, `${value}, and nothing is to come`)
  }
  for (const { stream, error } of branch.faults) violate('machine.throws', stream, error)
  return violations
}

// A start marker counts as on the wire, unless the platform told that nothing was sent.
function sentAgain(records: readonly JournalRecord[]): Map<StreamId, number> {
  const onWire = new Set<StreamId>()
  const again = new Map<StreamId, number>()
  for (const { stream, kind, event } of records) {
    if (kind === 'started' && isVisible(String(event['name']))) {
      if (onWire.has(stream)) again.set(stream, (again.get(stream) ?? 0) + 1)
      onWire.add(stream)
    }
    if (event.type === 'effect.failed' && event['sent'] === 'no') onWire.delete(stream)
  }
  return again
}
