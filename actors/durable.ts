/**
 * The durable actor: one mailbox, one batch at a time, nothing shown before it is on disk.
 * Steps 5 to 8 of 8.
 *
 *   messages ─► step(snapshot, event) ─► append ─► on disk ─► publish ─► next messages
 *
 * The published snapshot lives in a started XState actor whose logic only returns what it is
 * given, so `subscribe` and `getSnapshot` show durable state and nothing else (decisions.md 1).
 */
import { type ActorLogic, type ActorRefFrom, type AnyMachineSnapshot, createActor } from 'xstate'
import type { Kind } from '../machines/kinds.ts'
import { formatValue, hashSnapshot } from '../machines/step.ts'
import { compareWaits } from '../machines/waits.ts'
import { GatewayError } from '../protocol/errors.ts'
import type { StreamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import {
  formatRecord,
  type JournalEvent,
  type JournalRecord,
  type RecordDraft,
  type RecordKind,
} from '../protocol/record.ts'
import type { Appended, BodyDraft, Store } from '../store/contract.ts'
import type { Clock } from './services.ts'
import { formatSnapshot } from './stream.ts'

/** One message for an actor: an event that is not yet a fact. */
export interface Message {
  readonly event: JournalEvent
  readonly cause: string
  readonly correlationId: string
  readonly bodies?: readonly BodyDraft[]
  readonly kind?: RecordKind // default 'event'
  readonly firedWait?: string // id of the wait whose event this is
}

/** What an actor needs of the house it lives in. */
export interface ActorHouse {
  readonly store: Store
  readonly clock: Clock
  readonly epoch: number
  readonly code: string
  /** Takes each record of each actor, once it is on disk. */
  readonly committed: (record: JournalRecord) => void
  /** Judges a thrown step: resolves true to try again, false when the stream is given up. */
  readonly faulted: (stream: StreamId, error: unknown) => Promise<boolean>
  /** Hears of an actor whose mailbox is empty again. */
  readonly rested: (actor: DurableActor) => void
}

type Shown = { type: 'committed'; next: AnyMachineSnapshot } | { type: 'xstate.stop' }
type Mirror = ActorLogic<AnyMachineSnapshot, Shown, AnyMachineSnapshot>

const mirror: Mirror = {
  transition: (snapshot, event) => (event.type === 'committed' ? event.next : snapshot),
  getInitialSnapshot: (_scope, input) => input,
  getPersistedSnapshot: (snapshot) => snapshot,
}

interface Pending {
  readonly message: Message
  readonly resolve: (record: JournalRecord) => void
  readonly reject: (error: unknown) => void
}

/** A record whose place is filled in when the store has given it one. */
type Unplaced = Omit<JournalRecord, 'position' | 'version'> & { position: number; version: number }

interface Stepped {
  readonly draft: Unplaced
  readonly next: AnyMachineSnapshot
}

type Produced = Pick<RecordDraft, 'ignored' | 'effects' | 'sends' | 'armed' | 'cancelled'> & {
  readonly snapshot: AnyMachineSnapshot
}

const NOTHING = { ignored: null, effects: [], sends: [], armed: [], cancelled: [] }

interface Decided extends Stepped {
  readonly pending: Pending
  readonly appended: Promise<Appended>
}

/** One actor with its journal behind it. Made by the registry, which keeps one for each stream. */
export class DurableActor {
  readonly stream: StreamId
  readonly ref: ActorRefFrom<Mirror>
  restedAt: number // ms, monotonic
  #house: ActorHouse
  #kind: Kind
  #snapshot: AnyMachineSnapshot
  #version: number
  #mailbox: Pending[] = []
  #busy = false

  constructor(
    house: ActorHouse,
    stream: StreamId,
    kind: Kind,
    state: { snapshot: AnyMachineSnapshot; version: number },
  ) {
    this.stream = stream
    this.#house = house
    this.#kind = kind
    this.#snapshot = state.snapshot
    this.#version = state.version
    this.restedAt = house.clock.monotonic()
    this.ref = createActor(mirror, { input: state.snapshot })
    this.ref.start()
  }

  /** The newest state that is on disk. */
  get snapshot(): AnyMachineSnapshot {
    return this.#snapshot
  }

  /** Version of the newest record that is on disk. */
  get version(): number {
    return this.#version
  }

  get busy(): boolean {
    return this.#busy
  }

  /** Messages waiting, the one in hand not counted. */
  get waiting(): number {
    return this.#mailbox.length
  }

  /**
   * Puts a message into the mailbox; resolves with its record once that is on disk.
   * @throws {GatewayError} whatever the store refuses with, then nothing has changed;
   * STREAM_QUARANTINED: this message, or one before it, makes the machine throw.
   */
  deliver(message: Message): Promise<JournalRecord> {
    return new Promise((resolve, reject) => {
      this.#mailbox.push({ message, resolve, reject })
      if (!this.#busy) void this.#work()
    })
  }

  /** Ends the published actor. Nothing may be waiting. */
  stop(): void {
    this.ref.stop()
  }

  async #work(): Promise<void> {
    this.#busy = true
    while (this.#mailbox.length > 0) await this.#takeBatch()
    this.#busy = false
    this.restedAt = this.#house.clock.monotonic()
    this.#house.rested(this)
  }

  // What has gathered while the last commit was on its way shares the next one: each message is
  // stepped on top of the one before, and nothing shows until all are on disk (D-R15).
  async #takeBatch(): Promise<void> {
    const batch: Decided[] = []
    let snapshot = this.#snapshot
    while (this.#mailbox.length > 0 && batch.length < limits.actorBatchMax) {
      const pending = this.#mailbox[0]
      if (pending === undefined) break
      const stepped = this.#step(pending.message, snapshot)
      if ('error' in stepped) break
      this.#mailbox.shift()
      snapshot = stepped.next
      const { draft, next } = stepped
      const appended = this.#append(draft, pending.message, batch.length)
      batch.push({ draft, next, pending, appended })
    }
    if (batch.length === 0) return this.#takeFaulty()
    await this.#settle(batch)
  }

  #append(draft: RecordDraft, { bodies }: Message, offset: number): Promise<Appended> {
    const expectedVersion = this.#version + offset
    const fields = formatRecord(draft)
    const { stream } = this
    return this.#house.store.append(
      bodies === undefined
        ? { stream, expectedVersion, fields }
        : { stream, expectedVersion, fields, bodies },
    )
  }

  // A refused append leaves those behind it at a stale version: they were written nowhere and are
  // stepped again.
  async #settle(batch: readonly Decided[]): Promise<void> {
    const results = await Promise.allSettled(batch.map(({ appended }) => appended))
    const again: Pending[] = []
    let refused = false
    for (const [index, { draft, next, pending }] of batch.entries()) {
      const result = results[index]
      if (result?.status === 'fulfilled') {
        draft.position = result.value.position
        draft.version = result.value.version
        pending.resolve(this.#publish(draft, next))
      } else if (refused && isStale(result?.reason)) {
        again.push(pending)
      } else {
        refused = true
        pending.reject(result?.reason)
      }
    }
    this.#mailbox.unshift(...again)
  }

  // The first message makes the machine throw: judged alone. Where the stream is given up, what
  // waits behind is refused with it: taken without it, it would make another history (I5).
  async #takeFaulty(): Promise<void> {
    const [pending] = this.#mailbox
    if (pending === undefined) return
    const stepped = this.#step(pending.message, this.#snapshot)
    if (!('error' in stepped) || (await this.#house.faulted(this.stream, stepped.error))) return
    for (const { reject } of this.#mailbox.splice(0)) {
      reject(quarantined(this.stream, stepped.error))
    }
  }

  #step(message: Message, before: AnyMachineSnapshot): Stepped | { error: unknown } {
    const { event, kind = 'event' } = message
    const at = this.#house.clock.now()
    if (kind !== 'event')
      return { draft: this.#draft(message, at, { ...NOTHING, snapshot: before }), next: before }
    try {
      const stepped = this.#kind.stepper.step(before, event, at)
      const next = stepped.snapshot
      const { armed, cancelled } = compareWaits(
        this.#kind.waits(before),
        this.#kind.waits(next),
        message.firedWait ?? null,
      )
      const { effects, sends, ignored } = stepped
      const produced = { snapshot: next, effects, sends, ignored, armed, cancelled }
      return { draft: this.#draft(message, at, produced), next }
    } catch (error) {
      return { error }
    }
  }

  // Written out field by field: this runs for every record, and spreads are slow.
  #draft(message: Message, at: number, produced: Produced): Unplaced {
    const { snapshot, ignored, effects, sends, armed, cancelled } = produced
    return {
      position: 0,
      version: 0,
      stream: this.stream,
      kind: message.kind ?? 'event',
      event: message.event,
      cause: message.cause,
      correlationId: message.correlationId,
      at,
      epoch: this.#house.epoch,
      code: this.#house.code,
      ignored,
      value: formatValue(snapshot),
      stateHash: hashSnapshot(snapshot),
      effects,
      sends,
      armed,
      cancelled,
    }
  }

  #publish(record: JournalRecord, next: AnyMachineSnapshot): JournalRecord {
    this.#version = record.version
    this.#snapshot = next
    if (record.kind === 'event') this.ref.send({ type: 'committed', next })
    if (record.version % limits.snapshotEveryRecords === 0) {
      const bytes = formatSnapshot(next, this.#house.code)
      // A snapshot only saves time: a failed one shows in `store.failed`, never here.
      this.#house.store.putSnapshot(this.stream, record.version, bytes).catch(() => {})
    }
    this.#house.committed(record)
    return record
  }
}

function isStale(reason: unknown): boolean {
  return reason instanceof GatewayError && reason.code === 'VERSION_CONFLICT'
}

function quarantined(stream: string, cause: unknown): GatewayError {
  return new GatewayError(
    'STREAM_QUARANTINED',
    `${stream}: its machine fails on this message`,
    { stream },
    cause,
  )
}
