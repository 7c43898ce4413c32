/**
 * Running a stretch of history again, dry: under edits, under other code, or as it was.
 *
 * Guided by the recording. What came from outside is given again at its recorded time; what a
 * record of the stretch caused is taken in when the branch has produced the same output, with the
 * recorded outcome and the recorded delay. Outputs that the recording does not have are simulated:
 * sends at once, waits when due, effects by answers that are made up (stubs.ts). There are no
 * drivers here at all: nothing can leave the machine.
 */
import type { AnyMachineSnapshot } from 'xstate'
import { GatewayError, toGatewayError } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { Effect, JournalEvent, JournalRecord } from '../../protocol/record.ts'
import { isVisible } from '../effects.ts'
import { type Edit, editRecord } from './edits.ts'
import type { EffectCounts, Fault, RerunPlan } from './plan.ts'
import {
  eventOf,
  Occurrences,
  openOutputs,
  outputName,
  outputsOf,
  type OutputBefore,
  placeOf,
  type Produced,
  type Recording,
} from './recording.ts'
import { Scene } from './scene.ts'
import { type Item, type Origin, Schedule } from './schedule.ts'
import { kindOf } from './source.ts'
import { givenOutcome, lostOutcome, stubLatencyMs, stubOutcome } from './stubs.ts'
import { type Code, takeEvent } from './take.ts'

interface OpenOutput extends OutputBefore {
  readonly slot: number // when it was produced
  readonly at: number
  readonly rank: number
  readonly origin: Origin | null // of its outcome to come; null: none is
}

type OpenEffect = OpenOutput & { readonly produced: { readonly effect: Effect } }

const NEW = { started: false, origin: null } as const

interface StubWish {
  readonly isUnmarked: boolean // no marker was recorded that it was begun
  readonly isFailure: boolean
  readonly latest: number | null // slot
}

interface State {
  readonly snapshot: AnyMachineSnapshot
  readonly version: number
}

/** A branch of history on its way. */
export class Branch {
  readonly records: JournalRecord[] = []
  readonly faults: Fault[] = []
  readonly made: number[] = [] // positions of outcomes that were made up
  readonly counts: EffectCounts = { recorded: 0, lost: 0, stub: 0, live: 0 }
  readonly open = new Map<string, OpenOutput>()
  scene: Scene
  slot = 0 // the time on the schedule, in ms
  #code: Code
  #plan: RerunPlan
  #recording: Recording
  #states = new Map<StreamId, State>()
  #schedule = new Schedule()
  #occurrences = new Occurrences()

  constructor(recording: Recording, code: Code, plan: RerunPlan) {
    this.#recording = recording
    this.#code = code
    this.#plan = plan
    this.scene = new Scene(recording.segment.records[0]?.epoch ?? 0)
  }

  /** Sets the scene: states and open work before the stretch, and all that comes from outside. */
  begin(): this {
    const { bases, open, records } = this.#recording.segment
    const { kinds } = this.#code
    for (const { stream, version, state } of bases) {
      this.#states.set(stream, { snapshot: kindOf(kinds, stream).stepper.restore(state), version })
    }
    this.scene.begin(open, (stream) => this.stateOf(stream)?.context)
    const first = records[0]?.at ?? 0
    const place = { slot: first, at: first, rank: 0, origin: null }
    for (const { address, ...before } of openOutputs(open)) {
      this.#expect(address, { ...before, ...place }, address)
    }
    for (const record of this.#recording.outside) this.#repeat(record, record.cause, 0)
    for (const edit of this.#plan.edits) if (edit.t === 'insert') this.add(this.#inserted(edit))
    return this
  }

  /** A copy that goes its own way. */
  copy(): Branch {
    const copy = new Branch(this.#recording, this.#code, this.#plan)
    copy.records.push(...this.records)
    copy.faults.push(...this.faults)
    copy.made.push(...this.made)
    Object.assign(copy.counts, this.counts)
    for (const [address, output] of this.open) copy.open.set(address, output)
    copy.scene = this.scene.copy()
    copy.#states = new Map(this.#states)
    copy.#schedule = this.#schedule.copy()
    copy.#occurrences = new Occurrences(this.#occurrences)
    copy.slot = this.slot
    return copy
  }

  /** Takes in what comes next; false where the branch is at rest. */
  advance(): boolean {
    const item = this.#schedule.next()
    if (item === null) return false
    this.slot = item.slot
    const bound = this.#recording.segment.records.length + limits.forkGrowthMax
    if (this.records.length >= bound) {
      const text = `the branch goes in circles: ${this.records.length} records`
      throw new GatewayError('REPLAY_DIVERGED', text, { records: this.records.length })
    }
    this.#take(item)
    return true
  }

  stateOf(stream: StreamId): AnyMachineSnapshot | null {
    return this.#states.get(stream)?.snapshot ?? null
  }

  /** Every actor of the branch with its state. */
  states(): Iterable<[StreamId, State]> {
    return this.#states
  }

  add(item: Item): void {
    this.#schedule.add(item)
  }

  /** Forgets outcomes, sends and waits on their way: what the memory of a process holds. */
  dropMemory(): void {
    this.#schedule.remove(({ cause }) => this.open.has(cause))
  }

  /** Has an effect lost, as a boot tells it. */
  lose(address: string, { slot, at, rank }: { slot: number; at: number; rank: number }): void {
    const output = this.open.get(address)
    if (output?.produced.letter !== 'e') return
    const event = lostOutcome(output.produced.effect, address, output.started)
    this.#schedule.remove(({ cause }) => cause === address)
    this.#conclude(address, { ...output, slot, at, rank }, event, 'lost')
  }

  /** Delivers a send, or fires a wait, at a time of the branch's own. */
  carry(address: string, { slot, at, rank }: { slot: number; at: number; rank: number }): void {
    const output = this.open.get(address)
    if (output === undefined || output.produced.letter === 'e') return
    this.#flow(address, { ...output, slot, at, rank })
  }

  #take(item: Item): void {
    const { stream, cause, kind } = item
    const output = this.open.get(cause)
    if (output === undefined && item.origin !== 'flow') return // Concluded otherwise meanwhile.
    if (this.faults.some((fault) => fault.stream === stream)) return
    const position = this.#recording.segment.from + this.records.length
    const state = this.#states.get(stream)
    const stepped = this.#step(item, state?.snapshot ?? null, position)
    if (stepped === null) return
    if (kind === 'started' && output !== undefined)
      this.open.set(cause, { ...output, started: true })
    if (kind === 'event') this.#consumed(cause, item.origin, position)
    const version = (state?.version ?? 0) + 1
    const { snapshot, ...outputs } = stepped
    const record: JournalRecord = {
      position,
      stream,
      version,
      kind,
      event: item.event,
      cause,
      correlationId: item.correlationId,
      at: item.at,
      epoch: item.epoch ?? this.scene.epoch,
      code: this.#code.id,
      ...outputs,
    }
    this.#states.set(stream, { snapshot, version })
    this.records.push(record)
    this.#settle(record, item)
  }

  #step(
    { kind, stream, event, at, cause }: Item,
    before: AnyMachineSnapshot | null,
    position: number,
  ): ReturnType<typeof takeEvent> | null {
    try {
      const found = kindOf(this.#code.kinds, stream)
      const from = before ?? found.stepper.initial
      if (kind === 'event') return takeEvent(this.#code, found, from, { event, at, cause })
      const nothing = { ignored: null, effects: [], sends: [], armed: [], cancelled: [] }
      const value = this.#code.formatValue(from)
      return { snapshot: from, value, stateHash: this.#code.hashSnapshot(from), ...nothing }
    } catch (thrown) {
      this.faults.push({ stream, position, error: toGatewayError(thrown).message })
      return null
    }
  }

  #consumed(cause: string, origin: Origin, position: number): void {
    this.open.delete(cause)
    if (origin === 'recorded' || origin === 'lost') this.counts[origin] += 1
    if (origin !== 'stub' && origin !== 'answer') return
    this.made.push(position)
    this.counts.stub += 1
  }

  #settle(record: JournalRecord, { slot, rank, at }: Item): void {
    for (const id of record.cancelled) this.#disarm(record.stream, id)
    for (const [address, produced] of outputsOf(record)) {
      if (produced.letter === 't') this.#disarm(record.stream, produced.wait.id)
      const name = this.#occurrences.next(outputName(record.stream, produced))
      const { stream, correlationId } = record
      const output = { ...NEW, produced, stream, correlationId, slot, at, rank }
      this.#expect(address, output, this.#recording.addressOf(name))
    }
    this.scene.add(record, this.stateOf(record.stream)?.context)
    if (record.kind === 'event' && record.event.type === 'gateway.booted') {
      // What the branch alone has in flight is lost with the process that ended.
      const place = { slot, rank, at }
      for (const [address, { origin }] of this.open)
        if (origin === 'stub') this.lose(address, place)
    }
  }

  #disarm(stream: StreamId, id: string): void {
    for (const [address, { produced, stream: owner }] of this.open) {
      if (produced.letter !== 't' || owner !== stream || produced.wait.id !== id) continue
      this.open.delete(address)
      this.#schedule.remove(({ cause }) => cause === address)
    }
  }

  // An output that is new: it is awaited as the recording has it, or simulated.
  #expect(address: string, output: OpenOutput, recorded: string | null): void {
    this.open.set(address, output)
    const citing = recorded === null ? [] : this.#recording.citing(recorded)
    if (output.produced.letter === 'e') {
      this.#expectEffect(address, { ...output, produced: output.produced }, { recorded, citing })
      return
    }
    const consumer = citing.find(({ kind }) => kind === 'event')
    if (consumer !== undefined && recorded !== null) {
      this.#repeat(consumer, address, this.#shift(output, recorded))
    } else if (recorded === null || !this.#staysOpen(output.produced, recorded)) {
      this.#flow(address, output)
    }
  }

  // What the recording left open when it ended; a wait that it cancelled is none of that.
  #staysOpen({ letter }: Produced, recorded: string): boolean {
    if (this.#plan.openEnds === 'finish') return false
    return letter !== 't' || this.#recording.isArmedAtEnd(recorded)
  }

  #expectEffect(
    address: string,
    output: OpenEffect,
    { recorded, citing }: { recorded: string | null; citing: readonly JournalRecord[] },
  ): void {
    const { effect } = output.produced
    const shift = recorded === null ? 0 : this.#shift(output, recorded)
    const outcome = citing.find(({ kind }) => kind === 'event')
    const marker = citing.find(({ kind }) => kind === 'started')
    if (marker !== undefined) this.#repeat(marker, address, shift)
    const answer = this.#plan.edits.find((edit) => edit.t === 'answer' && edit.effect === recorded)
    const late = outcome === undefined ? null : this.#recording.slotOf(outcome.position) + shift
    const when = { ...output, slot: late ?? output.slot + stubLatencyMs(effect) }
    const placed = { ...when, at: output.at + (when.slot - output.slot) }
    if (answer?.t === 'answer') {
      this.#mark(address, output, marker === undefined)
      const event = givenOutcome(effect, address, answer.outcome)
      const at = outcome === undefined ? placed.at : outcome.at + shift
      const rank = outcome?.position ?? output.rank
      this.#conclude(address, { ...placed, at, rank }, event, 'answer')
      return
    }
    const isLost = recorded !== null && (outcome?.event.type ?? 'effect.lost') === 'effect.lost'
    if (outcome !== undefined && (!isLost || this.#plan.onLost === 'lose')) {
      this.#repeat(outcome, address, shift, isLost ? 'lost' : 'recorded')
      return
    }
    if (isLost && this.#plan.onLost === 'lose' && this.#plan.openEnds === 'keep') {
      this.counts.lost += 1
      return
    }
    // Where it was lost it is to end otherwise, so before the boot that tells of the loss.
    const boot = outcome === undefined ? null : this.#recording.bootBefore(outcome.position)
    this.#stub(address, output, {
      isUnmarked: marker === undefined,
      isFailure: isLost && this.#plan.onLost === 'fail',
      latest: isLost ? boot : null,
    })
  }

  #stub(address: string, output: OpenEffect, { isUnmarked, isFailure, latest }: StubWish): void {
    const { effect } = output.produced
    if (this.#plan.onMiss === 'error') {
      const text = `#${address}: the recording has no outcome for ${effect.name}`
      throw new GatewayError('NOT_FOUND', text, { effect: address })
    }
    this.#mark(address, output, isUnmarked)
    const event = stubOutcome(effect, address, isFailure ? 'fail' : 'ok')
    const { slot, at } = output
    const latencyMs = Math.min(stubLatencyMs(effect), Math.max(0, (latest ?? Infinity) - slot))
    this.#conclude(
      address,
      { ...output, slot: slot + latencyMs, at: at + latencyMs },
      event,
      'stub',
    )
  }

  // As the outbox does before an effect that can be seen outside.
  #mark(address: string, output: OpenEffect, isUnmarked: boolean): void {
    if (output.started || !isUnmarked) return
    const { name } = output.produced.effect
    if (!isVisible(name)) return
    const event = { type: 'effect.started', name }
    this.add({ ...this.#itemOf(address, output, event), kind: 'started' })
  }

  #conclude(address: string, output: OpenOutput, event: JournalEvent, origin: Origin): void {
    const known = this.open.get(address)
    if (known !== undefined) this.open.set(address, { ...known, origin })
    this.add({ ...this.#itemOf(address, output, event), origin })
  }

  #itemOf(address: string, output: OpenOutput, event: JournalEvent): Item {
    const { slot, at, rank, stream, correlationId } = output
    const head = { slot, at, rank, stream, correlationId, epoch: null } as const
    return { ...head, kind: 'event', event, cause: address, origin: 'flow' }
  }

  // A send at once, a wait when it is due.
  #flow(address: string, output: OpenOutput): void {
    const { produced, slot, at } = output
    if (produced.letter === 's') {
      const { to, event } = produced.send
      this.add({ ...this.#itemOf(address, output, event), stream: to })
    }
    if (produced.letter !== 't') return
    const laterMs = Math.max(0, produced.wait.dueAt - at)
    const due = { ...output, slot: slot + laterMs, at: at + laterMs }
    this.add(this.#itemOf(address, due, produced.wait.event))
  }

  #shift(output: OpenOutput, recorded: string): number {
    const slot = this.#recording.slotOf(Number(recorded.split('.')[0]))
    if (slot === 0) return 0 // From before the stretch.
    const shift = output.slot - slot
    const due = this.#recording.waitAt(recorded)?.dueAt
    if (output.produced.letter !== 't' || due === undefined) return shift
    return output.produced.wait.dueAt - due
  }

  #inserted({ after, stream, event }: Extract<Edit, { t: 'insert' }>): Item {
    const { slot, at } = placeOf(this.#recording, after)
    const head = { slot, at, rank: after, stream, event, kind: 'event', epoch: null } as const
    const correlationId = '0'.repeat(limits.correlationIdBytes * 2)
    return { ...head, cause: 'ext:fork:insert', correlationId, origin: 'flow' }
  }

  // Gives a recorded record again, for a cause of the branch.
  #repeat(record: JournalRecord, cause: string, shift: number, origin: Origin = 'flow'): void {
    const output = this.open.get(cause)
    const event = eventOf(record.event, cause, output?.produced)
    const edited = editRecord(this.#plan.edits, record.position, event)
    if (edited === null) return
    const later = shift + edited.laterMs
    this.add({
      slot: this.#recording.slotOf(record.position) + later,
      rank: record.position,
      kind: record.kind,
      stream: record.stream,
      event: edited.event,
      cause,
      correlationId: output?.correlationId ?? record.correlationId,
      at: record.at + later,
      epoch: record.epoch,
      origin,
    })
  }
}
