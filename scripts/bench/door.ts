/**
 * The door under load: idle connections held, then a storm of reconnects beside a quiet client.
 *
 *   node dist/scripts/bench/door.js [--quick] [--idle 5000] [--storm 1000]
 *
 * Gateway, storm and quiet client have a process each; the gateway's resident memory is read from
 * the system. Those of the storm are known devices that come back with their tokens, as after a restart:
 * all dial at once and, refused for the crowd, again a little later. A client that is long admitted asks `health` all the while; its p99 in the storm is compared with
 * its own before it.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import WebSocket from 'ws'
import { startGateway } from '../../actors/gateway.ts'
import { silentLog, systemChance, systemClock } from '../../actors/services.ts'
import { memberOf } from '../../protocol/members.ts'
import { inTempDirectory, report } from './support.ts'

const AT_A_TIME = 100
const AGAIN_MS = 50
const QUIET_MS = 2_000
const IDLE_BYTES_MAX = 40 * 1024
const STORM_MS_MAX = 10_000
const P99_RATIO_MAX = 2

const SELF = fileURLToPath(import.meta.url)

if (process.send === undefined) await measure()
else if (process.argv[2] === 'storm') await rage(process.argv[3] ?? '', Number(process.argv[4]))
else await serve(process.argv[3] ?? '.')

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      idle: { type: 'string' },
      storm: { type: 'string' },
    },
  })
  const idle = Number(values.idle ?? (values.quick ? 300 : 5_000))
  const storm = Number(values.storm ?? (values.quick ? 150 : 1_000))
  await inTempDirectory(async (directory) => {
    const child = fork(SELF, ['gateway', directory])
    const [url] = (await once(child, 'message')) as [string]
    await hold(child, url, idle)
    await weather(url, storm)
    child.kill()
    await once(child, 'exit')
  })
}

async function hold(child: ChildProcess, url: string, count: number): Promise<void> {
  await Promise.all((await dialMany(url, 'warm', AT_A_TIME)).map(hangUp))
  const before = residentBytes(child)
  const sockets = await dialMany(url, 'idle', count)
  const each = (residentBytes(child) - before) / count
  const open = sockets.filter(({ socket }) => socket.readyState === WebSocket.OPEN).length
  report({
    name: `idle connections, ${open} of ${count} held`,
    measured: `${(each / 1_024).toFixed(1)} KiB resident each`,
    ratio: each / IDLE_BYTES_MAX,
    target: '≤ 1 (of 40 KiB)',
    met: each <= IDLE_BYTES_MAX && open === count,
  })
  await Promise.all(sockets.map(hangUp))
}

async function weather(url: string, count: number): Promise<void> {
  const { socket: quiet } = await dial(url, 'quiet')
  const calm = await askFor(quiet, new Promise((resolve) => setTimeout(resolve, QUIET_MS)))
  const storm = fork(SELF, ['storm', url, String(count)])
  await once(storm, 'message') // Ready; from now on all dial.
  const over = once(storm, 'message') as Promise<[number]>
  storm.send('go')
  const wild = await askFor(quiet, over)
  const [ms] = await over
  storm.kill()
  quiet.terminate()
  report({
    name: `storm of ${count} reconnects`,
    measured: `absorbed in ${(ms / 1_000).toFixed(2)} s`,
    ratio: ms / STORM_MS_MAX,
    target: '≤ 1 (of 10 s)',
    met: ms <= STORM_MS_MAX,
  })
  const ratio = p99(wild) / p99(calm)
  report({
    name: 'a quiet client in the storm',
    measured: `p99 ${p99(wild).toFixed(1)} ms, before it ${p99(calm).toFixed(1)} ms`,
    ratio,
    target: `≤ ${P99_RATIO_MAX}`,
    met: ratio <= P99_RATIO_MAX,
  })
}

/** Asks one after the other until something has ended; ms of each answer. */
async function askFor(socket: WebSocket, end: Promise<unknown>): Promise<number[]> {
  const took: number[] = []
  const ended = end.then(() => true)
  for (;;) {
    const startedAt = performance.now()
    socket.send(`{"type":"req","id":"health#${took.length}"}`)
    const answered = once(socket, 'message').then(() => false)
    if (await Promise.race([ended, answered])) return took
    took.push(performance.now() - startedAt)
  }
}

/** The other process: all come back at once when told, and say in how many ms the last was in. */
async function rage(url: string, count: number): Promise<void> {
  const known = await dialMany(url, 'storm', count)
  await Promise.all(known.map(hangUp))
  process.send?.(0)
  await once(process, 'message')
  const startedAt = performance.now()
  await Promise.all(
    known.map(({ deviceId, deviceToken }) => dialUntilIn(url, deviceId, deviceToken)),
  )
  process.send?.(performance.now() - startedAt)
  process.on('disconnect', () => process.exit())
}

function p99(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN
}

/** An admitted socket, and what its device shows the next time. */
interface Caller {
  readonly socket: WebSocket
  readonly deviceId: string
  readonly deviceToken: string
}

async function dialMany(url: string, name: string, count: number): Promise<Caller[]> {
  const callers: Caller[] = []
  while (callers.length < count) {
    const more = Math.min(AT_A_TIME, count - callers.length)
    const from = callers.length
    const dialled = Array.from({ length: more }, (_, n) => dialUntilIn(url, `${name}-${from + n}`))
    callers.push(...(await Promise.all(dialled)))
  }
  return callers
}

// A crowd is answered 503: whoever comes again a little later gets in.
async function dialUntilIn(url: string, deviceId: string, deviceToken?: string): Promise<Caller> {
  for (;;) {
    try {
      return await dial(url, deviceId, deviceToken)
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }
}

async function dial(url: string, deviceId: string, deviceToken?: string): Promise<Caller> {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  const answer = await new Promise<string>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('close', reject)
    socket.on('message', (data: Buffer) => {
      if (data.includes('"id":"connect"')) resolve(data.toString('utf8'))
    })
    socket.once('open', () => {
      const auth = deviceToken === undefined ? {} : { auth: { deviceToken } }
      const params = { deviceId, subscribe: [], ...auth }
      socket.send(JSON.stringify({ type: 'req', id: 'connect', params }))
    })
  })
  socket.removeAllListeners('message')
  socket.on('error', () => {})
  const payload: unknown = memberOf(JSON.parse(answer), 'payload')
  return { socket, deviceId, deviceToken: String(memberOf(payload, 'deviceToken')) }
}

async function hangUp({ socket }: Caller): Promise<void> {
  const closed = once(socket, 'close')
  socket.terminate()
  await closed
}

function residentBytes({ pid }: ChildProcess): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1_024
}

/** The other process: a gateway over a directory. */
async function serve(stateDir: string): Promise<void> {
  const configPath = join(stateDir, 'openclaw.json')
  writeFileSync(configPath, '{}')
  const services = { clock: systemClock, chance: systemChance, log: silentLog }
  const options = { stateDir, configPath, port: 0, env: {}, services, version: 'bench' }
  const { url } = await startGateway(options)
  process.send?.(url)
  process.on('disconnect', () => process.exit())
}
