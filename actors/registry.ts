/**
 * The registry: one actor for each stream, awake only while it has something to do.
 *
 * An actor wakes on its first message, from snapshot and tail, and sleeps again when it has rested
 * a while, or at once when its machine has ended. Waking is synchronous, so two messages can never
 * wake two actors.
 */
import type { AnyMachineSnapshot } from 'xstate'
import { kinds } from '../machines/kinds.ts'
import { GatewayError } from '../protocol/errors.ts'
import { type StreamId, type StreamKind, streamKind } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import { type ActorHouse, DurableActor, type Message } from './durable.ts'
import type { Cancel, Services } from './services.ts'
import type { Folded } from '../machines/history/fold.ts'
import { replayStream } from './stream.ts'
import { judgeSpace, type Space, type SpaceLevel, spaceRefusal } from './space.ts'
import type { Supervisor } from './supervisor.ts'

// Actors that are asked for all the time stay awake.
const PINNED: ReadonlySet<StreamKind> = new Set<StreamKind>(['gateway', 'channel'])

/** Keeps the actors that are awake. */
export class Registry {
  #house: ActorHouse
  #supervisor: Supervisor
  #services: Services
  #actors = new Map<StreamId, DurableActor>()
  #nextSweep: Cancel = () => {}
  #space: Space | null = null
  #spaceReadAt = Number.NEGATIVE_INFINITY

  constructor(house: Omit<ActorHouse, 'rested'>, supervisor: Supervisor, services: Services) {
    this.#house = { ...house, rested: (actor) => this.#rested(actor) }
    this.#supervisor = supervisor
    this.#services = services
    this.#sweepLater()
  }

  /** Bytes that the journal may take, as configured now; null: as much as there is. */
  budget: () => number | null = () => null

  /** Bytes of files beside the journal that count against the same budget. */
  besides: () => number = () => 0

  /** How much room is left. */
  space(): Space {
    const { usedBytes, freeBytes } = this.#house.store.stats()
    return judgeSpace({ usedBytes: usedBytes + this.besides(), freeBytes }, this.budget())
  }

  /** Actors awake now. */
  get awake(): number {
    return this.#actors.size
  }

  /** The actor of a stream, woken if it sleeps: for its `ref`. @throws as `deliver` */
  actor(stream: StreamId): DurableActor {
    this.#supervisor.assertServing(stream)
    const awake = this.#actors.get(stream)
    if (awake !== undefined) return awake
    if (this.#actors.size >= limits.actorsAwakeMax) this.sweep(0)
    const woken = new DurableActor(
      this.#house,
      stream,
      kinds[streamKind(stream)],
      this.#wake(stream),
    )
    this.#actors.set(stream, woken)
    return woken
  }

  /** The durable state of a stream's actor; its initial state where it has no record yet. */
  snapshot(stream: StreamId): AnyMachineSnapshot {
    return this.actor(stream).snapshot
  }

  /**
   * Delivers from inside (sends, outcomes, timers): takes any number.
   * @throws {GatewayError} STREAM_QUARANTINED, STORE_CORRUPT, or as DurableActor.deliver
   */
  async deliver(stream: StreamId, message: Message): Promise<JournalRecord> {
    return this.actor(stream).deliver(message)
  }

  /**
   * Delivers from outside: new work.
   * @throws {GatewayError} UNAVAILABLE: the mailbox is full; STORE_LOW_SPACE: what disk is left is
   * kept for work in hand (D-R4); or as `deliver`.
   */
  async offer(stream: StreamId, message: Message): Promise<JournalRecord> {
    this.#assertRoom()
    const waiting = this.#actors.get(stream)?.waiting ?? 0
    if (waiting < limits.mailboxMax) return this.deliver(stream, message)
    const text = `${stream}: ${waiting} messages are waiting already, try again later`
    throw new GatewayError('UNAVAILABLE', text, { stream })
  }

  /** Puts to sleep every actor that has rested so long, in ms. */
  sweep(idleMs: number): void {
    const now = this.#services.clock.monotonic()
    for (const candidate of this.#actors.values()) {
      if (PINNED.has(streamKind(candidate.stream))) continue
      if (now - candidate.restedAt >= idleMs) this.#drop(candidate)
    }
  }

  close(): void {
    this.#nextSweep()
  }

  #assertRoom(): void {
    const now = this.#services.clock.monotonic()
    let space = this.#space
    if (space === null || now - this.#spaceReadAt >= limits.spaceCheckIntervalMs) {
      space = this.#lookForRoom(space?.level ?? 'ample')
      this.#spaceReadAt = now
    }
    if (space.level === 'scarce') throw spaceRefusal(space)
  }

  #lookForRoom(before: SpaceLevel): Space {
    const space = this.space()
    this.#space = space
    const { level, says } = space
    if (level !== before) {
      const tell = level === 'ample' ? this.#services.log.info : this.#services.log.warn
      tell(`room for the journal is ${level}`, { says })
    }
    return space
  }

  #wake(stream: StreamId): Folded {
    const { store, code } = this.#house
    try {
      const replayed = replayStream(store, stream, code)
      checkHash(stream, replayed, code)
      if (replayed.hash !== replayed.recordedHash) {
        const { version } = replayed
        this.#services.log.warn('stream replays to another state under new code', {
          stream,
          version,
        })
      }
      return replayed
    } catch (error) {
      this.#supervisor.quarantine(stream, error)
      throw error
    }
  }

  // A machine that has ended has nothing to stay awake for.
  #rested(actor: DurableActor): void {
    if (actor.snapshot.status !== 'active') this.#drop(actor)
  }

  #drop(resting: DurableActor): void {
    if (resting.busy) return
    if (this.#actors.get(resting.stream) !== resting) return
    this.#actors.delete(resting.stream)
    resting.stop()
  }

  #sweepLater(): void {
    this.#nextSweep = this.#services.clock.after(limits.actorIdleMs / 2, () => {
      this.sweep(limits.actorIdleMs)
      this.#sweepLater()
    })
  }
}

// The same code must replay to the same state; other code may differ, and that is only told.
function checkHash(stream: StreamId, replayed: Folded, code: string): void {
  if (replayed.hash === replayed.recordedHash || replayed.recordedCode !== code) return
  throw new GatewayError(
    'REPLAY_DIVERGED',
    `${stream}: replay of version ${replayed.version} gives ${replayed.hash}, recorded ${replayed.recordedHash}`,
    { stream, version: replayed.version },
  )
}
