/**
 * A gateway's life as a process: lock, log, start, signals, and an end that loses nothing.
 *
 *   locked ──started──► ready ──SIGTERM──► stopping ──► exit 0
 *      └── refused: reason, exit code        └── second signal, or too late ──► SIGKILL
 *   an uncaught fault or a failed store, at any time: reason, at most limits.crashGraceMs, SIGKILL
 *
 * A store that may be in doubt is never left by `process.exit` (D-R3, D-R10): what was acknowledged
 * is on disk, and SIGKILL is how we are sure that nothing more is.
 */
import { join } from 'node:path'
import type { GatewayOptions, RunningGateway } from '../actors/gateway.ts'
import { type HeldLock, takeLock } from '../actors/lock.ts'
import { type GatewayLog, openLog } from '../actors/log.ts'
import { systemChance, systemClock } from '../actors/services.ts'
import { makeDirectory, openStateDir } from '../actors/state-dir.ts'
import { GatewayError, toGatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { readLastBackup } from './backup/place.ts'
import { findPortHolder } from './port-holder.ts'
import type { ReadyReport } from './ready.ts'
import { openNotifier, type Notifier } from './service/notifier.ts'
import { isPortNamed, type Settings } from './settings.ts'
import { readVersion } from './version.ts'

export interface RunOptions {
  readonly settings: Settings
  readonly verbose: boolean
  readonly env: NodeJS.ProcessEnv
  readonly start: (options: GatewayOptions) => Promise<RunningGateway>
  /** Takes lines for people. */
  readonly people: (line: string) => void
  /** Told once, when clients can connect. */
  readonly ready: (report: ReadyReport) => void
  /** Told why the process will end although nobody asked it to. */
  readonly failing: (error: GatewayError) => void
}

/**
 * Runs a gateway until a signal stops it; resolves then with the exit code.
 * @throws {GatewayError} ALREADY_RUNNING, PERMISSION, and what the start throws: CONFIG_INVALID,
 * PORT_TAKEN, STORE_*. Nothing is left running.
 */
export async function runGateway(options: RunOptions): Promise<number> {
  process.title = 'openclaw gateway' // decisions.md 30: found by pkill.
  process.umask(0o077)
  const { stateDir } = options.settings
  const narrowed = await openStateDir(stateDir)
  const logDir = join(stateDir, 'logs')
  await makeDirectory(logDir)
  const version = readVersion()
  const info = { pid: process.pid, port: null, startedAt: systemClock.now(), version, ready: false }
  const lock = await takeLock(stateDir, info)
  const log = openGatewayLog(options, logDir)
  if (narrowed) log.warn('state directory was open to others', { path: stateDir })
  warnOfZone(options.env, log)
  const life = new Life(options, lock, log)
  try {
    let boots = 0
    const again: Again = {
      start: (how) =>
        startGateway(options, log, version, {
          ...how,
          restart: () => life.restart(again, 'configuration'),
        }),
      ready: ({ port, recovered }) => {
        boots += 1
        lock.update({ ...info, port, ready: true, boots, recovered })
      },
      stopped: () => lock.update({ ...info, ready: false }),
    }
    const gateway = await again.start({})
    again.ready(gateway)
    process.on('SIGUSR2', () => life.restart(again, 'SIGUSR2')) // Upstream's signal for it.
    const { url, model, recovered } = gateway
    log.info('process ready', { pid: process.pid, version, url })
    log.flush() // Whoever is told of the log finds it there.
    options.ready({ url, pid: process.pid, stateDir, log: log.path, model, version, recovered })
    return await life.lead(gateway)
  } catch (thrown) {
    const error = await explain(toGatewayError(thrown))
    log.error('gateway did not start', { code: error.code, reason: error.message })
    life.over()
    // Whatever the start left open must not keep the process: it has nothing more to do.
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), limits.crashGraceMs).unref()
    throw error
  }
}

function openGatewayLog({ verbose, people }: RunOptions, directory: string): GatewayLog {
  const level = verbose ? 'debug' : 'info'
  return openLog({
    directory,
    clock: systemClock,
    level,
    people: { level: verbose ? 'debug' : 'warn', write: people },
  })
}

/** Node takes a zone that it does not know for UTC, without a word. */
function warnOfZone({ TZ: zone = '' }: NodeJS.ProcessEnv, log: GatewayLog): void {
  if (zone === '') return
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone.replace(/^:/, '') }).format()
  } catch {
    log.warn('the time zone is not known: UTC is used', { TZ: zone })
  }
}

function startGateway(
  { settings, env, start }: RunOptions,
  log: GatewayLog,
  version: string,
  how: Pick<GatewayOptions, 'restart' | 'broken'>,
): Promise<RunningGateway> {
  const { stateDir, configPath, port } = settings
  const services = { clock: systemClock, chance: systemChance, log }
  const named = isPortNamed(settings) ? { port } : {}
  const backupAgeMs = (): number | null => {
    const last = readLastBackup(stateDir)
    return last === null ? null : Math.max(0, systemClock.now() - last.at)
  }
  return start({ stateDir, configPath, ...named, env, services, version, backupAgeMs, ...how })
}

/** Adds to a taken port who has it. */
async function explain(error: GatewayError): Promise<GatewayError> {
  const { port } = error.details
  if (error.code !== 'PORT_TAKEN' || typeof port !== 'number') return error
  const holder = await findPortHolder(port)
  if (holder === null) return error
  const message = `port ${port} is taken by process ${holder.pid} (${holder.name})`
  return new GatewayError('PORT_TAKEN', message, { ...error.details, pid: holder.pid }, error)
}

/** How a gateway starts anew in the same process, under another configuration. */
interface Again {
  readonly start: (how: Pick<GatewayOptions, 'broken'>) => Promise<RunningGateway>
  readonly ready: (gateway: RunningGateway) => void
  readonly stopped: () => void
}

/** Signals and faults of the process, from its lock to its end. */
class Life {
  #options: RunOptions
  #lock: HeldLock
  #log: GatewayLog
  #gateway: RunningGateway | null = null
  #signal: NodeJS.Signals | null = null
  #signalledAt = 0
  #crashed = false
  #notifier: Notifier
  #ended: (code: number) => void = () => {}

  constructor(options: RunOptions, lock: HeldLock, log: GatewayLog) {
    this.#options = options
    this.#lock = lock
    this.#log = log
    this.#notifier = openNotifier({
      env: options.env,
      services: { clock: systemClock, log },
      pulse: () => (this.#gateway === null ? 'the gateway restarts' : this.#gateway.pulse()),
    })
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => this.#signalled(signal))
    }
    process.on('uncaughtException', (error) => this.#crash('uncaught exception', error))
    process.on('unhandledRejection', (error) => this.#crash('unhandled rejection', error))
  }

  /** Waits for the end of a running gateway: a signal, or a failed store. */
  lead(gateway: RunningGateway): Promise<number> {
    this.#watch(gateway)
    this.#notifier.ready(`ready at ${gateway.url}`)
    return new Promise((resolve) => {
      this.#ended = resolve
      if (this.#signal !== null) void this.#stop(gateway, this.#signal)
    })
  }

  /**
   * Stops the gateway and starts it anew, for a change of its configuration or because somebody
   * says so; where the configuration does not start, with the last good one.
   */
  restart(again: Again, reason: string): void {
    // The record of the wish is on disk; what asked for it must not be waited for.
    setImmediate(() => {
      this.#startAnew(again, reason).catch((error: unknown) =>
        this.#crash('the restart failed', error),
      )
    })
  }

  async #startAnew(again: Again, reason: string): Promise<void> {
    const before = this.#gateway
    if (before === null || this.#signal !== null) return
    this.#log.info('gateway restarts', { reason })
    this.#gateway = null
    again.stopped()
    await before.stop('restart')
    const gateway = await again.start({}).catch((thrown: unknown) => {
      const { message } = toGatewayError(thrown)
      this.#log.error('the new configuration did not start', { reason: message })
      return again.start({ broken: message })
    })
    this.#watch(gateway)
    again.ready(gateway)
    this.#log.info('gateway restarted', { url: gateway.url, ...gateway.recovered })
    if (this.#signal !== null) void this.#stop(gateway, this.#signal)
  }

  #watch(gateway: RunningGateway): void {
    this.#gateway = gateway
    gateway.failed.then(
      (error) => this.#crash('gateway failed', error),
      (error: unknown) => this.#crash('gateway failed', error),
    )
  }

  /** Lets go of the lock and the log. */
  over(): void {
    this.#lock.release()
    this.#log.close()
  }

  #signalled(signal: NodeJS.Signals): void {
    const now = systemClock.monotonic()
    // Ctrl-C under npm comes twice, from the terminal and from npm: that is one signal.
    if (this.#signal !== null && now - this.#signalledAt < limits.signalRepeatMs) return
    if (this.#signal !== null) return this.#kill()
    this.#signal = signal
    this.#signalledAt = now
    // One that comes while the gateway starts is obeyed as soon as it has started.
    if (this.#gateway !== null) void this.#stop(this.#gateway, signal)
  }

  async #stop(gateway: RunningGateway, signal: NodeJS.Signals): Promise<void> {
    this.#log.info('process stops', { signal })
    this.#notifier.stopping()
    const tooLong = limits.shutdownMs + limits.crashGraceMs
    const timer = setTimeout(() => this.#crash('the stop took too long', signal), tooLong)
    try {
      await gateway.stop(signal)
    } catch (error) {
      return this.#crash('the stop failed', error)
    }
    clearTimeout(timer)
    this.#log.info('process stopped', { signal })
    this.over()
    this.#ended(0)
  }

  #crash(reason: string, thrown: unknown): void {
    if (this.#crashed) return
    this.#crashed = true
    setTimeout(() => this.#kill(), limits.crashGraceMs)
    this.#log.error('process ends', { reason, error: thrown })
    const error = toGatewayError(thrown)
    this.#options.failing(
      new GatewayError(error.code, `${reason}: ${error.message}`, error.details),
    )
    const gateway = this.#gateway
    const stopped = gateway === null ? Promise.resolve() : gateway.stop(reason)
    stopped.then(
      () => this.#kill(),
      () => this.#kill(),
    )
  }

  #kill(): void {
    this.#log.flush()
    process.kill(process.pid, 'SIGKILL')
  }
}
