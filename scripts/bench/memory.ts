/**
 * Heap for each session that sleeps, and for each connection that is idle.
 *
 *   node dist/scripts/bench/memory.js [--sessions 10000] [--connections 2000]
 *
 * Each figure is a slope: the heap of a process with many less that of one with few, after
 * collection, so that code and caches of constant size cancel out. Every session has been awake
 * once and sleeps again; every connection has its stream, whose actor sleeps. Caches that have a
 * bound are still filling at a thousand sessions, so that small sizes show more than there is.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import WebSocket from 'ws'
import { startGateway } from '../../actors/gateway.ts'
import { openKernel } from '../../actors/kernel.ts'
import { type Clock, systemClock } from '../../actors/services.ts'
import { limits } from '../../protocol/limits.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { benchServices, fillJournal, sessionStream } from './journals.ts'
import { inTempDirectory, report } from './support.ts'

const FEW_SESSIONS = 10_000 // Beyond what the bounded caches hold.
const FEW_CONNECTIONS = 100
const CONNECTING_AT_A_TIME = 100
const SESSION_BYTES_MAX = 1_024
const CONNECTION_BYTES_MAX = 20 * 1_024

type Task =
  | { readonly do: 'sessions'; readonly directory: string; readonly sessions: number }
  | { readonly do: 'gateway'; readonly directory: string }
  | { readonly do: 'weigh' }

if (process.send === undefined) await measure()
else serve()

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: {
      sessions: { type: 'string', default: '10000' },
      connections: { type: 'string', default: '2000' },
    },
  })
  await inTempDirectory(async (directory) => {
    const sessions = await slope(FEW_SESSIONS, Number(values.sessions), (count) =>
      weighSessions(join(directory, `sessions-${count}`), count),
    )
    tell('heap of a sleeping session', sessions, SESSION_BYTES_MAX)
    const connections = await slope(FEW_CONNECTIONS, Number(values.connections), (count) =>
      weighConnections(join(directory, `connections-${count}`), count),
    )
    tell('heap of an idle connection', connections, CONNECTION_BYTES_MAX)
  })
}

async function slope(
  few: number,
  many: number,
  weigh: (count: number) => Promise<number>,
): Promise<number> {
  const base = await weigh(few)
  return ((await weigh(few + many)) - base) / many
}

function tell(name: string, bytes: number, bytesMax: number): void {
  report({
    name,
    measured: `${Math.round(bytes)} bytes of at most ${bytesMax}`,
    ratio: bytes / bytesMax,
    target: '≤ 1',
    met: bytes <= bytesMax,
  })
}

async function weighSessions(directory: string, sessions: number): Promise<number> {
  await fillJournal(directory, { sessions, turns: 2 })
  const child = startChild()
  const bytes = await ask(child, { do: 'sessions', directory, sessions })
  child.kill()
  return bytes
}

async function weighConnections(directory: string, count: number): Promise<number> {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'openclaw.json'), '{}')
  const child = startChild()
  const port = await ask(child, { do: 'gateway', directory })
  const sockets: WebSocket[] = []
  while (sockets.length < count) {
    const length = Math.min(CONNECTING_AT_A_TIME, count - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length }, () => connect(port)))))
  }
  const bytes = await ask(child, { do: 'weigh' })
  const open = sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length
  if (open !== count) throw new Error(`${count - open} connections were closed meanwhile`)
  for (const socket of sockets) socket.terminate()
  child.kill()
  return bytes
}

async function connect(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
  const params = { deviceId: 'bench', subscribe: ['shutdown'] }
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'req', id: 'connect', params }))
  for (;;) {
    const [data] = (await once(socket, 'message')) as [Buffer]
    if (data.includes('"id":"connect"')) return socket
  }
}

function startChild(): ChildProcess {
  const path = fileURLToPath(import.meta.url)
  return fork(path, { execArgv: ['--expose-gc'] })
}

async function ask(child: ChildProcess, task: Task): Promise<number> {
  child.send(task)
  const [answer] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('the measured process ended'))),
  ])) as [number]
  return answer
}

/** The other process. */
function serve(): void {
  const { clock, fallAsleep } = openHurriedClock()
  process.on('message', (task: Task) => {
    void answer(task).then((number) => process.send?.(number))
  })
  async function answer(task: Task): Promise<number> {
    if (task.do === 'sessions') return wakeAndRest(task.directory, task.sessions)
    if (task.do === 'weigh') {
      fallAsleep()
      return heapBytes()
    }
    const { directory: stateDir } = task
    const configPath = join(stateDir, 'openclaw.json')
    const services = { ...benchServices, clock }
    const options = { stateDir, configPath, port: 0, env: {}, services, version: 'bench' }
    return (await startGateway(options)).port
  }
}

async function wakeAndRest(directory: string, sessions: number): Promise<number> {
  const store = await openLmdb({ directory, verify: false })
  const kernel = openKernel(store, new Map(), benchServices, 'bench')
  for (let n = 0; n < sessions; n += 1) kernel.registry.snapshot(sessionStream(n))
  kernel.registry.sweep(0)
  const bytes = await heapBytes()
  if (kernel.work.sessions.size !== sessions) throw new Error('not all sessions are there')
  return bytes
}

// Twice, with a turn between: weak references are cleared by the one and collected by the other.
async function heapBytes(): Promise<number> {
  for (let n = 0; n < 3; n += 1) {
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed
}

/** A clock on which the minute that it takes an actor to fall asleep can be passed over. */
function openHurriedClock(): { clock: Clock; fallAsleep: () => void } {
  let sweeps: (() => void)[] = []
  let aheadMs = 0
  return {
    clock: {
      now: systemClock.now,
      monotonic: () => systemClock.monotonic() + aheadMs,
      after: (delayMs, run) => {
        if (delayMs === limits.actorIdleMs / 2) sweeps.push(run)
        return systemClock.after(delayMs, run)
      },
    },
    fallAsleep: () => {
      aheadMs += limits.actorIdleMs
      const due = sweeps
      sweeps = []
      for (const sweep of due) sweep()
    },
  }
}
