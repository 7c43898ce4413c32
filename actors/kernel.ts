/**
 * The kernel: everything durable wired together over one store, without sockets and platforms.
 *
 * Boot order: open work from checkpoint and tail; actors stay asleep; `recover` tells the owners
 * of unfinished effects that they are lost, carries unconsumed sends, arms waits, and closes
 * connections that no longer are.
 */
import { setAutoFreeze } from 'immer'
import type { GatewayContext } from '../machines/gateway.ts'
import type { OpenWork } from '../machines/projections/open-work.ts'
import { GATEWAY, type StreamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { Store } from '../store/contract.ts'
import { Hub } from './hub.ts'
import { type Driver, Outbox } from './outbox.ts'
import { loadOpenWork, openProjector, type Projector } from './projector.ts'
import { Registry } from './registry.ts'
import { openRouter, type Router } from './router.ts'
import type { Services } from './services.ts'
import { formatSnapshot } from './stream.ts'
import { openSupervisor, type Supervisor } from './supervisor.ts'
import { openTimers, type Timers } from './timers.ts'
import { keepTrace } from './traces.ts'
import { isTrapped } from './trap.ts'

export interface Recovered {
  readonly sessions: number
  readonly effectsLost: number
  readonly sends: number
  readonly waits: number
}

export interface Kernel {
  readonly registry: Registry
  readonly work: OpenWork
  readonly hub: Hub
  readonly outbox: Outbox
  readonly supervisor: Supervisor
  readonly store: Store
  /** Adds a listener to committed records, in their order. */
  readonly listen: Projector['listen']
  /** Takes up what an earlier process left open. Drivers must be in place. */
  readonly recover: (cause: string) => Promise<Recovered>
  /** Fires at once what is due: time has gone by unseen. */
  readonly wake: () => void
  /**
   * Shortens a stream behind a snapshot of now; only ever asked for (history is kept). Nothing goes
   * behind the newest snapshot at or below `through`, a version: what came later stays.
   */
  readonly compact: (stream: StreamId, through?: number) => Promise<{ removed: number }>
  /** Stops timers and outbox, writes the checkpoint; what is unfinished stays open work. */
  readonly stop: () => Promise<void>
}

/** Opens the kernel over a store; `drivers` may be filled until `recover` is called. */
export function openKernel(
  store: Store,
  drivers: ReadonlyMap<string, Driver>,
  services: Services,
  code: string,
): Kernel {
  setAutoFreeze(isTrapped())
  const { chance, log } = services
  const projector = openProjector(store, loadOpenWork(store, code), code)
  const supervisor = openSupervisor(services, (stream, reason) => {
    const event = { type: 'stream.quarantined', stream, code: reason }
    const correlationId = chance.hex(limits.correlationIdBytes)
    void router.insist(GATEWAY, { event, cause: `sys:supervisor`, correlationId })
  })
  const { clock } = services
  const { faulted } = supervisor
  const house = { store, clock, epoch: store.epoch(), code, committed: projector.accept, faulted }
  const registry = new Registry(house, supervisor, services)
  const router = openRouter(registry, services)
  const outbox = new Outbox(drivers, router, services)
  const hub = new Hub(store, projector.work.position)
  hub.twofold = () => (registry.snapshot(GATEWAY).context as GatewayContext).twofold ?? null
  const timers = openTimers(clock, (address, { stream, event, id, correlationId }) => {
    void router.insist(stream, { event, cause: address, correlationId, firedWait: id })
  })
  projector.listen((record) => {
    timers.committed(record)
    router.committed(record)
    outbox.committed(record)
    hub.committed(record)
  })
  void store.failed.then((error) => log.error('store failed', { error: error.message }))
  const parts = { projector, registry, router, outbox, timers }
  return {
    registry,
    hub,
    outbox,
    supervisor,
    store,
    listen: projector.listen,
    work: projector.work,
    wake: () => timers.look(),
    compact: (stream, through) => compact(parts, { store, code }, stream, through),
    recover: (cause) => recover(parts, cause, services),
    stop: async () => {
      timers.stop()
      outbox.stop()
      router.stop()
      registry.close()
      // A checkpoint only saves time; without room for it the next boot folds a longer tail.
      await projector.checkpoint().catch((error: unknown) => {
        log.warn('checkpoint not written', { error: String(error) })
      })
    },
  }
}

/** Checkpoint first, then the snapshot, then the removal: each makes the next one safe. */
async function compact(
  { projector, registry }: Parts,
  { store, code }: { readonly store: Store; readonly code: string },
  stream: StreamId,
  through = Number.MAX_SAFE_INTEGER,
): Promise<{ removed: number }> {
  await projector.checkpoint()
  const { snapshot, version } = registry.actor(stream)
  await store.putSnapshot(stream, version, formatSnapshot(snapshot, code))
  return store.compact(stream, Math.min(version, through), keepTrace)
}

interface Parts {
  readonly projector: Projector
  readonly registry: Registry
  readonly router: Router
  readonly outbox: Outbox
  readonly timers: Timers
}

async function recover(
  { projector, router, outbox, timers }: Parts,
  cause: string,
  { chance }: Services,
): Promise<Recovered> {
  const { effects, sends, waits, connections, sessions } = projector.work
  const left = {
    effects: [...effects],
    sends: [...sends],
    waits: [...waits],
    connections: [...connections],
  }
  const correlationId = chance.hex(limits.correlationIdBytes)
  const event = { type: 'connection.closed', code: 1006, reason: 'the process ended' }
  // A stream that is set aside meanwhile is not waited for: it must not keep the others down.
  await Promise.all(
    left.connections.map((stream) =>
      router.insist(stream as StreamId, { event, cause, correlationId }),
    ),
  )
  for (const [address, effect] of left.effects) outbox.lose(address, effect)
  for (const [address, send] of left.sends) router.carry(address, send, send.correlationId)
  for (const [address, wait] of left.waits) timers.arm(address, wait)
  return {
    sessions: sessions.size,
    effectsLost: left.effects.length,
    sends: left.sends.length,
    waits: left.waits.length,
  }
}
