/**
 * The gateway: opens everything in order, and closes it in the other one.
 *
 *   configuration → journal (verified in a child) → kernel → its code → `gateway.booted` → what was
 *   left open → channels → port, last, so that nobody is served before the past is in place
 *
 * The newcomer's first file: from here connection → frame → methods → session → durable → outbox
 * → hub is the way of one message.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ResolvedConfig, resolveConfig } from '../protocol/config/defaults.ts'
import { parseConfigText, requireConfig } from '../protocol/config/parse.ts'
import { type StreamId, streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalEvent } from '../protocol/record.ts'
import type { Store } from '../store/contract.ts'
import { openLmdb } from '../store/lmdb/open.ts'
import type { AuthSettings } from './admission.ts'
import { type Channels, openChannels } from './channel.ts'
import { keepCode, readCodeIdentity } from './code.ts'
import { Connections } from './connections.ts'
import { Heads } from './heads.ts'
import { Idempotency } from './idempotency.ts'
import { openJournalKey } from './journal-key.ts'
import { type Kernel, openKernel, type Recovered } from './kernel.ts'
import { type Listener, openListener } from './listener.ts'
import { handleCommand } from './methods.ts'
import type { ConfigFile, MethodHouse } from './methods/house.ts'
import { openModels } from './models/registry.ts'
import type { Driver } from './outbox.ts'
import { ModelDriver } from './run.ts'
import type { Services } from './services.ts'
import { setUpChannels } from './setup.ts'

export interface GatewayOptions {
  readonly stateDir: string
  readonly configPath: string
  readonly port?: number // over the configuration's; 0: any free one
  readonly env: NodeJS.ProcessEnv
  readonly services: Services
  readonly version: string
  readonly verified?: Promise<void> // a verification of the journal that is under way
  readonly store?: Store // tests hand in their own
}

export interface RunningGateway {
  readonly port: number
  readonly url: string
  readonly model: string // the default model's name
  readonly recovered: Recovered
  /** Stops within limits.shutdownMs; what is unfinished stays open work. */
  readonly stop: (reason: string) => Promise<void>
  /** Resolves with the reason when the process must end. */
  readonly failed: Promise<Error>
}

const GATEWAY: StreamId = streamId('gateway', 'main')

/**
 * Starts the gateway; resolves when it serves.
 * @throws {GatewayError} CONFIG_INVALID, PORT_TAKEN, STORE_*: nothing is left open.
 */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { file, config } = readConfig(options)
  const store = options.store ?? (await openJournal(options))
  const house = assemble(options, { file, config, store })
  try {
    const recovered = await boot(house, options)
    return running(house, recovered)
  } catch (error) {
    await house.kernel.stop()
    await house.channels.close()
    await store.close()
    throw error
  }
}

function readConfig({ configPath, env }: GatewayOptions): {
  file: ConfigFile
  config: ResolvedConfig
} {
  const text = existsSync(configPath) ? readFileSync(configPath, 'utf8') : ''
  const source = { file: configPath, env }
  const config = resolveConfig(text === '' ? {} : requireConfig(text, source))
  const parsed = text === '' ? {} : parseConfigText(text, configPath)
  return { file: { path: configPath, text, parsed }, config }
}

function openJournal({ stateDir, verified }: GatewayOptions): Promise<Store> {
  return openLmdb({ directory: join(stateDir, 'journal'), verify: verified ?? true })
}

interface House {
  readonly options: GatewayOptions
  readonly config: ResolvedConfig
  readonly kernel: Kernel
  readonly channels: Channels
  readonly connections: Connections
  readonly models: ModelDriver
  readonly heads: Heads
  readonly tell: (event: JournalEvent, cause: string) => Promise<unknown>
  listener: Listener | null
}

function assemble(
  options: GatewayOptions,
  { file, config, store }: { file: ConfigFile; config: ResolvedConfig; store: Store },
): House {
  const { services, version, env } = options
  const drivers = new Map<string, Driver>()
  const kernel = openKernel(store, drivers, services, readCodeIdentity())
  const { registry, work, hub, supervisor } = kernel
  const found = openModels(config, services, env)
  const models = new ModelDriver(
    { store, registry, services, publish: (delta) => hub.delta(delta) },
    {
      concurrentMax: config.agent.maxConcurrent,
      systemPrompt: config.agent.systemPrompt,
      find: (model) => found.find(model),
    },
  )
  const defaults = {
    model: config.agent.model.primary,
    thinking: 'off',
    messagesMax: config.session.maxMessages,
  }
  const setups = setUpChannels(config, services)
  const channels = openChannels(setups, defaults, { registry, store, work, services })
  for (const [name, driver] of [...models.drivers(), ...channels.drivers]) drivers.set(name, driver)
  const heads = new Heads(store, () => openJournalKey(options.stateDir), services)
  kernel.listen(({ position }) => heads.committed(position))
  const methodHouse: MethodHouse = {
    registry,
    store,
    heads,
    work,
    channels,
    services,
    config,
    configFile: file,
    idempotency: new Idempotency(store, work),
    startedAt: services.clock.monotonic(),
    activeRuns: () => models.active,
    quarantined: supervisor.quarantined,
  }
  const connections = new Connections({
    registry,
    hub,
    heads,
    services,
    version,
    epoch: store.epoch(),
    auth: authSettings(config),
    handle: (command, origin) => handleCommand(methodHouse, command, origin),
  })
  const tell = (event: JournalEvent, cause: string) =>
    registry.deliver(GATEWAY, { event, cause, correlationId: services.chance.hex(16) })
  return { options, config, kernel, channels, connections, models, heads, tell, listener: null }
}

function authSettings({ gateway: { auth } }: ResolvedConfig): AuthSettings {
  const secret = auth.mode === 'password' ? auth.password : auth.token
  return secret === null ? { mode: 'none', secret: '' } : { mode: auth.mode, secret }
}

async function boot(house: House, options: GatewayOptions): Promise<Recovered> {
  const { kernel, channels, connections, config } = house
  const { services, version } = options
  const epoch = kernel.store.epoch()
  const cause = `boot:${epoch}`
  keepCode(kernel.store, services.log)
  await house.tell({ type: 'gateway.booted', epoch, version }, cause)
  const recovered = await kernel.recover(cause)
  await channels.start(cause, services.chance.hex(limits.correlationIdBytes))
  const { address, port } = config.gateway
  house.listener = await openListener(
    { address, port: options.port ?? port },
    {
      connections,
      log: services.log,
      clock: services.clock,
      isReady: () => house.listener !== null,
    },
  )
  house.heads.start()
  services.log.info('gateway ready', { port: house.listener.port, epoch, ...recovered })
  return recovered
}

function running(house: House, recovered: Recovered): RunningGateway {
  const { config, kernel, listener } = house
  const port = listener?.port ?? 0
  let stopping: Promise<void> | null = null
  return {
    port,
    url: `ws://${config.gateway.loopback ? '127.0.0.1' : config.gateway.address}:${port}`,
    model: config.agent.model.primary,
    recovered,
    failed: kernel.store.failed,
    stop: (reason) => (stopping ??= stop(house, reason)),
  }
}

// Half of the budget for work in hand, a quarter for sockets; the rest for the checkpoint.
async function stop(house: House, reason: string): Promise<void> {
  const { kernel, channels, connections, listener, options } = house
  const { clock, log } = options.services
  const patience = (ms: number) =>
    new Promise<void>((resolve) => {
      clock.after(ms, resolve)
    })
  listener?.stop()
  kernel.outbox.drain()
  await Promise.race([kernel.outbox.idle(), patience(limits.shutdownMs / 2)])
  // Without room for this record the next boot counts a crash; the stop goes on.
  const told = house
    .tell({ type: 'gateway.stopped', reason }, 'sys:stop')
    .catch((error: unknown) => {
      log.error('stop not recorded', { reason, error: String(error) })
    })
  await Promise.race([told, patience(limits.shutdownMs / 8)])
  await connections.close(limits.shutdownMs / 4)
  await kernel.stop()
  house.models.abortAll()
  await Promise.race([channels.close(), patience(limits.shutdownMs / 8)])
  await Promise.race([house.heads.stop(), patience(limits.shutdownMs / 8)])
  await kernel.store.close()
  listener?.close()
  log.info('gateway stopped', { reason, openEffects: kernel.work.effects.size })
}
