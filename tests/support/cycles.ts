/**
 * Start and stop, again and again in one process: what a cycle leaves behind would pile up. Looked
 * at after each: descriptors, active resources, mapped files, files of the state directory, the
 * lock and the port.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { askLock, takeLock } from '../../actors/lock.ts'
import { silentLog, systemChance, systemClock } from '../../actors/services.ts'
import { startVerified } from '../../scripts/start.ts'
import { TestClient } from './client.ts'

export interface CyclesOptions {
  readonly stateDir: string // must exist
  readonly cycles: number
  /** Told after each cycle, with how long it took. */
  readonly progress?: (cycle: number, ms: number) => void
}

/** What can leak, counted. */
export interface Leavings {
  readonly descriptors: number
  readonly resources: number
  readonly maps: number
  readonly files: number
}

export interface CyclesReport {
  readonly faults: readonly string[]
  readonly before: Leavings // after the warm-up
  readonly after: Leavings
}

// Modules, pools and the first configuration that is kept come with the first lives.
const WARM_UP = 3
const REST_MS = 20
const RESTS_MAX = 100

/** Runs the cycles, after some that warm up; the report names whatever was left behind. */
export async function runCycles(options: CyclesOptions): Promise<CyclesReport> {
  const { stateDir, cycles, progress } = options
  const faults: string[] = []
  for (let warm = 0; warm < WARM_UP; warm += 1) faults.push(...(await runCycle(stateDir)))
  const before = count(stateDir)
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    const startedAt = performance.now()
    for (const fault of await runCycle(stateDir)) faults.push(`cycle ${cycle}: ${fault}`)
    progress?.(cycle, performance.now() - startedAt)
  }
  let after = count(stateDir)
  // What still closes is gone in a moment; a leak stays.
  for (let rest = 0; rest < RESTS_MAX && grown(before, after).length > 0; rest += 1) {
    await sleep(REST_MS)
    after = count(stateDir)
  }
  for (const name of grown(before, after)) {
    faults.push(`${name}: ${before[name]} before, ${after[name]} after ${cycles} cycles`)
  }
  return { faults, before, after }
}

function grown(before: Leavings, after: Leavings): (keyof Leavings)[] {
  const names = Object.keys(before) as (keyof Leavings)[]
  return names.filter((name) => after[name] > before[name])
}

async function runCycle(stateDir: string): Promise<string[]> {
  const info = { pid: process.pid, port: null, startedAt: systemClock.now(), version: 'cycles' }
  const lock = await takeLock(stateDir, { ...info, ready: false })
  const gateway = await startVerified({
    stateDir,
    configPath: join(stateDir, 'openclaw.json'),
    port: 0,
    env: {},
    services: { clock: systemClock, chance: systemChance, log: silentLog },
    version: 'cycles',
  })
  const client = new TestClient(gateway.url)
  await client.connect({ subscribe: ['agent.done'] })
  await client.request('agent', { message: 'once more' })
  await client.event('agent.done')
  await gateway.stop('cycle')
  await client.close()
  lock.release()
  const faults: string[] = []
  if ((await askLock(stateDir)) !== null) faults.push('the lock is still held')
  if (await isOpen(gateway.port)) faults.push(`port ${gateway.port} is still open`)
  return faults
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function count(stateDir: string): Leavings {
  const files = readdirSync(stateDir, { recursive: true }).length
  const resources = process.getActiveResourcesInfo().length
  const isLinux = existsSync('/proc/self/fd')
  const descriptors = isLinux ? readdirSync('/proc/self/fd').length : 0
  const maps = isLinux ? readFileSync('/proc/self/maps', 'utf8').split(stateDir).length - 1 : 0
  return { descriptors, resources, maps, files }
}
