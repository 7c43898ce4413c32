/**
 * The gateway: opens everything in order, and closes it in the other one.
 *
 *   configuration → journal (verified in a child) → kernel → its code → `gateway.booted` → what was
 *   left open → channels → port, last, so that nobody is served before the past is in place
 *
 * The newcomer's first file: from here connection → frame → methods → session → durable → outbox
 * → hub is the way of one message.
 */
import { join } from 'node:path'
import { POLICIES } from '../machines/rules/retention.ts'
import type { ResolvedConfig } from '../protocol/config/defaults.ts'
import { GATEWAY } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalEvent } from '../protocol/record.ts'
import type { Store } from '../store/contract.ts'
import { openLmdb } from '../store/lmdb/open.ts'
import { type Answering, followNodes, openAnswering } from './answering.ts'
import { type Archive, openArchive } from './archive.ts'
import { type Channels, openChannels } from './channel.ts'
import { keepCode, readCodeIdentity } from './code.ts'
import { ConfigFiles } from './config-files.ts'
import { ConfigKeeper, readLive } from './config.ts'
import type { Connections } from './connections.ts'
import { cronDrivers } from './cron-run.ts'
import {
  authSettings,
  openConnections,
  openDesk,
  openNodes,
  openWaiting,
  openWeb,
  type Web,
} from './entrance.ts'
import { Heads } from './heads.ts'
import { holdChannels, readHold, releaseDriver } from './hold.ts'
import { Idempotency } from './idempotency.ts'
import { openIntake } from './intake.ts'
import { openIncidents } from './incidents.ts'
import { openJournalKey } from './journal-key.ts'
import { type Kernel, openKernel, type Recovered } from './kernel.ts'
import { type Listener, openListener, tryAddress } from './listener.ts'
import { type Lockouts, openLockouts } from './lockouts.ts'
import type { MethodHouse } from './methods/house.ts'
import type { Driver } from './outbox.ts'
import { Pairings } from './pairings.ts'
import { sweepDrafts } from './private-file.ts'
import { readPulse } from './pulse.ts'
import type { ModelDriver } from './run.ts'
import { RunEnds } from './run-ends.ts'
import { startRetention } from './retention.ts'
import type { Cancel, Services } from './services.ts'
import { setUpChannels } from './setup.ts'
import { SummaryEnds } from './summary-ends.ts'
import { Surroundings } from './surroundings.ts'
import { readTls, type Tls } from './tls.ts'
import type { UpstreamDesk } from './upstream/desk.ts'

export interface GatewayOptions {
  readonly stateDir: string
  readonly configPath: string
  readonly port?: number // over the configuration's; 0: any free one
  readonly env: NodeJS.ProcessEnv
  readonly services: Services
  readonly version: string
  readonly verified?: Promise<void> // a verification of the journal that is under way
  readonly store?: Store // tests hand in their own
  /** Crashes count towards a hold of the channels; a kill loop turns that off. Default true. */
  readonly watched?: boolean
  /** How old the newest backup is, in ms; null, or left out, where none are made. */
  readonly backupAgeMs?: () => number | null
  /** Asks whoever runs this to stop it and to start it anew. */
  readonly restart?: () => void
  /** Why the written configuration must not be used although it can be read: the last good is. */
  readonly broken?: string
}

export interface RunningGateway {
  readonly port: number
  readonly url: string
  readonly model: string // the default model's name
  readonly recovered: Recovered
  /** Stops within limits.shutdownMs; what is unfinished stays open work. */
  readonly stop: (reason: string) => Promise<void>
  /** Why the journal does not answer; null where it does. For a watchdog. */
  readonly pulse: () => string | null
  /** Resolves with the reason when the process must end. */
  readonly failed: Promise<Error>
}

/**
 * Starts the gateway; resolves when it serves.
 * @throws {GatewayError} CONFIG_INVALID, PORT_TAKEN, STORE_*: nothing is left open.
 */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { stateDir, configPath, env, services } = options
  // Drafts of a life that was killed while it wrote.
  for (const name of [
    '',
    'config',
    'keys',
    'archive',
    'channels/whatsapp',
    'channels/whatsapp-held',
  ])
    sweepDrafts(join(stateDir, name))
  const files = new ConfigFiles(stateDir, configPath)
  const live = readLive({ files, env, services, broken: options.broken ?? null })
  const { tls: named } = live.config.gateway
  // Not one of those faults after which the last good configuration runs: it may be less guarded.
  const tls = named === null ? null : readTls(named, configPath, services.clock.now())
  await tryAddress(live.config.gateway.address, options.port ?? live.config.gateway.port)
  const store = options.store ?? (await openJournal(options))
  const restart = (): void => options.restart?.()
  const configuration = new ConfigKeeper({ files, env, services, restart }, live)
  const house = assemble(options, { configuration, store, tls })
  try {
    const recovered = await boot(house, options)
    return running(house, recovered)
  } catch (error) {
    await house.kernel.stop()
    await house.surroundings.leaving()
    configuration.stop()
    await house.channels.close()
    await store.close()
    throw error
  }
}

function openJournal({ stateDir, verified }: GatewayOptions): Promise<Store> {
  return openLmdb({ directory: join(stateDir, 'journal'), verify: verified ?? true })
}

interface House {
  readonly options: GatewayOptions
  readonly config: ResolvedConfig
  readonly kernel: Kernel
  readonly archive: Archive
  readonly channels: Channels
  readonly connections: Connections
  readonly desk: UpstreamDesk
  readonly web: Web
  readonly begin: Answering['begin']
  readonly leave: Answering['leave']
  readonly heads: Heads
  readonly configuration: ConfigKeeper
  readonly lockouts: Lockouts
  readonly tell: (event: JournalEvent, cause: string) => Promise<unknown>
  readonly tls: Tls | null
  readonly surroundings: Surroundings
  listener: Listener | null
  stopRetention: Cancel
}

function assemble(
  options: GatewayOptions,
  { configuration, store, tls }: { configuration: ConfigKeeper; store: Store; tls: Tls | null },
): House {
  const { services } = options
  const drivers = new Map<string, Driver>()
  const kernel = openKernel(store, drivers, services, readCodeIdentity())
  const { registry, work, supervisor } = kernel
  const waiting = openWaiting(kernel, options)
  const parts = { ...waiting, channels: () => channels }
  const answering = openAnswering(options, configuration, kernel, parts)
  const channels = openConfigured(options, configuration, kernel, waiting)
  const all = [
    ...answering.drivers(),
    ...channels.drivers,
    ...configuration.drivers(),
    releaseDriver(channels, services),
  ]
  for (const [name, driver] of all) drivers.set(name, driver)
  const heads = openHeads(options, kernel)
  const lockouts = openLockouts(options.stateDir, services)
  const methodHouse: MethodHouse = {
    registry,
    store,
    heads,
    work,
    channels,
    nodes: openNodes(kernel, services, drivers),
    ...answering,
    ...waiting,
    pairings: new Pairings({ registry, store, work, services }),
    url: () => urlOf(house),
    services,
    configuration,
    ...followRuns(kernel, answering.models, services),
    startedAt: services.clock.monotonic(),
    activeRuns: () => answering.models.active,
    quarantined: supervisor.quarantined,
    tailscaleFault: () => house.surroundings.tailscale.fault,
  }
  followNodes(kernel, methodHouse)
  const desk = openDesk(options, methodHouse, kernel)
  const connections = openConnections(options, methodHouse, { kernel, lockouts, desk })
  const tell = openTell(registry, services)
  const surroundings = surround(options, methodHouse, {
    kernel,
    lockouts,
    tls,
    tell,
    connections: () => connections.size,
  })
  const late = [...cronDrivers(methodHouse), ...surroundings.alerts.drivers()]
  for (const [name, driver] of late) drivers.set(name, driver)
  const web = openWeb(methodHouse, kernel, lockouts)
  const own = { kernel, channels, connections, desk, web, heads, lockouts, configuration }
  const archive = openCounted(options, kernel, configuration)
  const around = { archive, tell, tls, surroundings, ...answering, ...NOT_YET }
  const house: House = { options, config: configuration.live.config, ...own, ...around }
  return house
}

function openTell(registry: Kernel['registry'], { chance }: Services): House['tell'] {
  return (event, cause) =>
    registry.deliver(GATEWAY, { event, cause, correlationId: chance.hex(16) })
}

// The archive, which counts against the same budget as the journal.
function openCounted(
  { stateDir, version, services: { clock } }: GatewayOptions,
  { registry }: Kernel,
  configuration: ConfigKeeper,
): Archive {
  const archive = openArchive(stateDir, { code: readCodeIdentity(), tool: version, clock })
  registry.budget = () => configuration.live.config.store.maxBytes
  registry.besides = () => archive.bytes()
  return archive
}

function surround(
  { env, version, backupAgeMs = () => null }: GatewayOptions,
  health: MethodHouse,
  {
    kernel: { wake },
    lockouts: { limiter },
    ...own
  }: Pick<House, 'tls' | 'tell'> & {
    readonly kernel: Kernel
    readonly lockouts: Lockouts
    readonly connections: () => number
  },
): Surroundings {
  const auth = authSettings(health.configuration.live.config)
  return new Surroundings({ health, version, env, auth, limiter, wake, backupAgeMs, ...own })
}

function openHeads({ stateDir, services }: GatewayOptions, { store, listen }: Kernel): Heads {
  const heads = new Heads(store, () => openJournalKey(stateDir), services)
  listen(({ position }) => heads.committed(position))
  return heads
}

// Whoever asks for a run again, waits for its end, or reads what it has said so far.
function followRuns(
  { store, work, listen }: Kernel,
  models: ModelDriver,
  services: Services,
): Pick<MethodHouse, 'idempotency' | 'runEnds' | 'summaryEnds' | 'inFlight'> {
  const runEnds = new RunEnds({ store, work, services })
  const summaryEnds = new SummaryEnds(services)
  listen((record) => {
    models.committed(record)
    runEnds.committed(record)
    summaryEnds.committed(record)
  })
  const inFlight: MethodHouse['inFlight'] = (runId) => models.inFlight(runId)
  return { idempotency: new Idempotency(store, work), runEnds, summaryEnds, inFlight }
}

const NOT_YET: Pick<House, 'listener' | 'stopRetention'> = {
  listener: null,
  stopRetention: () => {},
}

function openConfigured(
  { services, ...paths }: GatewayOptions,
  configuration: ConfigKeeper,
  { registry, store, work, listen }: Kernel,
  { approvals }: Pick<MethodHouse, 'approvals'>,
): Channels {
  const setups = setUpChannels(configuration.live.config, services, paths)
  const house = { registry, store, work, listen, services }
  return openChannels(setups, openIntake(configuration, work.sessions, approvals), house)
}

async function boot(house: House, options: GatewayOptions): Promise<Recovered> {
  const { kernel, channels, connections, config } = house
  const { services, version } = options
  const epoch = kernel.store.epoch()
  const cause = `boot:${epoch}`
  const watched = options.watched === false ? {} : { watched: true }
  keepCode(kernel.store, services.log)
  const crashed = kernel.registry.snapshot(GATEWAY).value === 'running'
  await house.tell({ type: 'gateway.booted', epoch, version, ...watched }, cause)
  const hold = readHold(kernel.registry)
  if (hold !== null) await holdChannels(hold, channels, services, cause)
  const recovered = await kernel.recover(cause)
  await house.configuration.start(kernel.registry, cause)
  if (hold === null) await channels.start(cause, services.chance.hex(limits.correlationIdBytes))
  const { address, port, loopback } = config.gateway
  const { tls } = house
  if (!loopback && tls === null) {
    services.log.warn('websocket without TLS is open to the network', { address }) // decisions.md 24
  }
  house.listener = await openListener(
    { address, port: options.port ?? port, tls },
    {
      connections,
      log: services.log,
      clock: services.clock,
      probes: house.surroundings.probes,
      ...house.web,
      lists: house.surroundings.lists,
    },
  )
  house.surroundings.serving(house.listener, cause, crashed)
  house.begin()
  house.heads.start()
  house.stopRetention = keepRetention(house)
  const { position } = kernel.work
  services.log.info('gateway ready', { port: house.listener.port, epoch, position, ...recovered })
  return recovered
}

function keepRetention({ kernel, archive, configuration, options }: House): Cancel {
  const { services, stateDir } = options
  return startRetention({
    kernel,
    archive,
    services,
    policy: () => POLICIES[configuration.live.config.history.preset],
    held: () =>
      openIncidents(stateDir)
        .list()
        .flatMap(({ ranges }) => ranges),
  })
}

function running(house: House, recovered: Recovered): RunningGateway {
  const { config, kernel, listener } = house
  const port = listener?.port ?? 0
  let stopping: Promise<void> | null = null
  return {
    port,
    url: urlOf(house),
    model: config.agent.model.primary,
    recovered,
    pulse: () => readPulse(kernel.store),
    failed: kernel.store.failed,
    stop: (reason) => (stopping ??= stop(house, reason)),
  }
}

function urlOf({ config, listener, tls }: House): string {
  const { loopback, address } = config.gateway
  const host = loopback && !address.includes(':') ? '127.0.0.1' : address
  return `${tls === null ? 'ws' : 'wss'}://${host.includes(':') ? `[${host}]` : host}:${listener?.port ?? 0}`
}

// Half of the budget for work in hand, a quarter for sockets; the rest for the checkpoint.
async function stop(house: House, reason: string): Promise<void> {
  const { kernel, channels, connections, listener, options } = house
  const { clock, log } = options.services
  const patience = (ms: number) =>
    new Promise<void>((resolve) => {
      clock.after(ms, resolve)
    })
  const undone = house.surroundings.leaving()
  listener?.stop()
  house.stopRetention()
  house.desk.stop()
  house.configuration.stop()
  kernel.outbox.drain()
  await Promise.race([kernel.outbox.idle(), patience(limits.shutdownMs / 2)])
  await Promise.race([undone, patience(limits.shutdownMs / 8)])
  // Without room for this record the next boot counts a crash; the stop goes on.
  const told = house
    .tell({ type: 'gateway.stopped', reason }, 'sys:stop')
    .catch((error: unknown) => {
      log.error('stop not recorded', { reason, error: String(error) })
    })
  await Promise.race([told, patience(limits.shutdownMs / 8)])
  await connections.close(limits.shutdownMs / 4)
  await kernel.stop()
  await Promise.race([house.leave(), patience(limits.shutdownMs / 8)])
  await Promise.race([channels.close(), patience(limits.shutdownMs / 8)])
  await Promise.race([house.heads.stop(), patience(limits.shutdownMs / 8)])
  await kernel.store.close()
  house.lockouts.close()
  listener?.close()
  const { effects, position } = kernel.work
  log.info('gateway stopped', { reason, position, openEffects: effects.size })
}
