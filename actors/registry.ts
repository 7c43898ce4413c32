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
import { type Replayed, replayStream } from './stream.ts'
import type { Supervisor } from './supervisor.ts'

export interface Registry {
  /** Delivers from inside (sends, outcomes, timers): takes any number. @throws as DurableActor */
  readonly deliver: (stream: StreamId, message: Message) => Promise<JournalRecord>
  /** Delivers from outside. @throws {GatewayError} UNAVAILABLE: the mailbox is full. */
  readonly offer: (stream: StreamId, message: Message) => Promise<JournalRecord>
  /** The durable state of a stream's actor, waking it; the initial state where it has none. */
  readonly snapshot: (stream: StreamId) => AnyMachineSnapshot
  /** The actor itself, waking it: for `ref.subscribe`. */
  readonly actor: (stream: StreamId) => DurableActor
  readonly awake: () => number
  /** Puts every actor to sleep that rests; the cap is also enforced on waking. */
  readonly sweep: () => void
  readonly close: () => void
}

// Actors that are asked for all the time stay awake.
const PINNED: ReadonlySet<StreamKind> = new Set<StreamKind>(['gateway', 'channel'])

/** Opens a registry over a house. */
export function openRegistry(house: ActorHouse, supervisor: Supervisor, services: Services): Registry {
  const actors = new Map<StreamId, DurableActor>()
  const { clock, log } = services
  let nextSweep: Cancel = () => {}

  function actor(stream: StreamId): DurableActor {
    supervisor.assertServing(stream)
    const awake = actors.get(stream)
    if (awake !== undefined) return awake
    if (actors.size >= limits.actorsAwakeMax) sweep(0)
    const woken = new DurableActor(house, stream, kinds[streamKind(stream)], wake(stream))
    actors.set(stream, woken)
    return woken
  }

  function wake(stream: StreamId): Replayed {
    try {
      const replayed = replayStream(house.store, stream, house.code)
      checkHash(stream, replayed, house.code)
      if (replayed.hash !== replayed.recordedHash) {
        log.warn('stream replays to another state under new code', { stream, version: replayed.version })
      }
      return replayed
    } catch (error) {
      supervisor.quarantine(stream, error)
      throw error
    }
  }

  function deliver(stream: StreamId, message: Message): Promise<JournalRecord> {
    try {
      return settle(actor(stream), message)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async function settle(to: DurableActor, message: Message): Promise<JournalRecord> {
    const record = await to.deliver(message)
    if (to.snapshot.status !== 'active') drop(to)
    return record
  }

  function offer(stream: StreamId, message: Message): Promise<JournalRecord> {
    const waiting = actors.get(stream)?.waiting ?? 0
    if (waiting < limits.mailboxMax) return deliver(stream, message)
    const text = `${stream}: ${waiting} messages are waiting already, try again later`
    return Promise.reject(new GatewayError('UNAVAILABLE', text, { stream }))
  }

  function drop(resting: DurableActor): void {
    if (resting.busy) return // Whoever it works for drops it.
    if (actors.get(resting.stream) !== resting) return
    actors.delete(resting.stream)
    resting.stop()
  }

  function sweep(idleMs: number): void {
    const now = clock.monotonic()
    for (const candidate of actors.values()) {
      if (candidate.busy || PINNED.has(streamKind(candidate.stream))) continue
      if (now - candidate.restedAt >= idleMs) drop(candidate)
    }
  }

  function sweepLater(): void {
    nextSweep = clock.after(limits.actorIdleMs / 2, () => {
      sweep(limits.actorIdleMs)
      sweepLater()
    })
  }

  sweepLater()
  return {
    deliver,
    offer,
    actor,
    snapshot: (stream) => actor(stream).snapshot,
    awake: () => actors.size,
    sweep: () => sweep(0),
    close: () => nextSweep(),
  }
}

// The same code must replay to the same state; other code may differ, and that is only told.
function checkHash(stream: StreamId, replayed: Replayed, code: string): void {
  if (replayed.hash === replayed.recordedHash || replayed.recordedCode !== code) return
  throw new GatewayError(
    'REPLAY_DIVERGED',
    `${stream}: replay of version ${replayed.version} gives ${replayed.hash}, recorded ${replayed.recordedHash}`,
    { stream, version: replayed.version },
  )
}
