/**
 * How the gateway of a state directory stands: which of process, port, token and network is at
 * fault where it cannot be used.
 */
import { createConnection } from 'node:net'
import { askLock, type LockInfo } from '../actors/lock.ts'
import { systemClock } from '../actors/services.ts'
import { type GatewayError, toGatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { connectGateway, type Payload } from './client.ts'
import { findPortHolder } from './port-holder.ts'
import { isInstalled, unitOf, unitState } from './service/systemd.ts'
import { type Settings, urlOf } from './settings.ts'

/** What stands in the way, from the inside out. */
export type Fault = 'process' | 'port' | 'token' | 'network'

export interface Standing {
  readonly running: boolean // a process holds the lock of the state directory
  readonly ready: boolean // it says that it takes work
  readonly pid: number | null
  readonly version: string | null
  readonly uptime: number | null // seconds
  readonly url: string
  readonly stateDir: string
  readonly certificate: string | null // fingerprint that we expect; null without TLS
  readonly service: string | null // state of its systemd unit; null where none is installed
  readonly reachable: boolean
  readonly auth: 'ok' | 'refused' | 'unknown'
  readonly fault: Fault | null
  readonly says: string // one sentence
  readonly health: Payload | null
}

/** Looks at the lock, the port, the admission and the health, until one of them fails. */
export async function readStanding(settings: Settings): Promise<Standing> {
  const unit = unitOf(settings.stateDir)
  const service = isInstalled(unit) ? `${unit.name}: ${await unitState(unit)}` : null
  return { ...(await look(settings)), service }
}

async function look(settings: Settings): Promise<Standing> {
  let holder: LockInfo | null
  try {
    holder = await askLock(settings.stateDir)
  } catch {
    const says = 'a gateway is running but does not answer: it hangs, or is stopped'
    return { ...nothing(settings), running: true, fault: 'process', says }
  }
  if (holder === null) return absent(settings)
  const { pid, version, ready, startedAt } = holder
  const port = holder.port ?? settings.port
  const found: Standing = {
    ...nothing({ ...settings, port }),
    running: true,
    ready,
    pid,
    version,
    uptime: Math.max(0, Math.round((systemClock.now() - startedAt) / 1_000)),
  }
  if (!ready) return { ...found, fault: 'process', says: `process ${pid} is starting or stopping` }
  // Who holds the lock may be anybody: only a port that was named is trusted (client.ts).
  const portSource = port === settings.port ? settings.portSource : 'default'
  return knock({ ...settings, port, portSource }, found)
}

function nothing(settings: Settings): Standing {
  return {
    running: false,
    ready: false,
    pid: null,
    version: null,
    uptime: null,
    url: urlOf(settings),
    stateDir: settings.stateDir,
    certificate: settings.tls?.fingerprint ?? null,
    service: null,
    reachable: false,
    auth: 'unknown',
    fault: null,
    says: '',
    health: null,
  }
}

async function absent(settings: Settings): Promise<Standing> {
  const { stateDir, port } = settings
  const base: Standing = { ...nothing(settings), fault: 'process' }
  if (!(await isOpen(settings))) {
    return { ...base, says: `no gateway is running (state in ${stateDir})` }
  }
  const holder = await findPortHolder(port)
  const who = holder === null ? 'another process' : `process ${holder.pid} (${holder.name})`
  const says = `no gateway is running for ${stateDir}; ${who} has port ${port}`
  return { ...base, reachable: true, fault: 'port', says }
}

async function knock(settings: Settings, found: Standing): Promise<Standing> {
  const pid = String(found.pid)
  try {
    const client = await connectGateway(settings, { subscribe: [] })
    const health = await client.request('health', {}).finally(() => client.close())
    const isHealthy = health['status'] === 'healthy'
    const says = isHealthy ? 'running and ready' : `running, but ${String(health['status'])}`
    const fault = isHealthy ? null : 'process'
    return { ...found, reachable: true, auth: 'ok', fault, says, health }
  } catch (thrown) {
    const error = toGatewayError(thrown)
    if (isRefusal(error)) {
      const says = `process ${pid} does not admit us: ${error.message}`
      return { ...found, reachable: true, auth: 'refused', fault: 'token', says }
    }
    if (error.code === 'NOT_RUNNING') {
      return {
        ...found,
        fault: 'port',
        says: `process ${pid} runs, but nothing listens at ${found.url}`,
      }
    }
    const fault = error.code === 'PERMISSION' ? 'port' : 'network'
    return { ...found, fault, says: `process ${pid} runs, but ${error.message}` }
  }
}

function isRefusal({ code }: GatewayError): boolean {
  return code === 'UNAUTHORIZED' || code === 'PAIRING_REQUIRED' || code === 'FORBIDDEN'
}

/** Tells whether anything accepts a connection at the port. */
function isOpen({ host, port }: Settings): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port })
    const settle = (open: boolean) => () => {
      socket.destroy()
      resolve(open)
    }
    socket.setTimeout(limits.verbProbeMs, settle(false))
    socket.once('connect', settle(true))
    socket.once('error', settle(false))
  })
}
