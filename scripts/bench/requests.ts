/**
 * Durable requests against a bare ws echo, 100 connections with 10 requests in flight each.
 *
 * The request is `subscribe`: one frame in, checked, stepped through a machine, one record, hashed
 * and on disk, one frame out (decisions.md 17). The clients run in another process, as upstream's
 * do. Echo and gateway take turns in one run.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { startGateway } from '../../actors/gateway.ts'
import { silentLog, systemChance, systemClock } from '../../actors/services.ts'
import { inTempDirectory, measureInTurn, median, report } from './support.ts'

const CONNECTIONS = 100
const IN_FLIGHT = 10
const ROUND_MS = 2_000
const ROUNDS = 5

interface Task {
  readonly url: string
  readonly ms: number
}

if (process.send === undefined) await measure()
else process.on('message', (task: Task) => void drive(task))

async function measure(): Promise<void> {
  await inTempDirectory(async (directory) => {
    const echo = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    echo.on('connection', (socket) =>
      socket.on('message', (data: Buffer) => socket.send(data, { binary: false })),
    )
    await once(echo, 'listening')
    const configPath = join(directory, 'openclaw.json')
    writeFileSync(configPath, '{}')
    const services = { clock: systemClock, chance: systemChance, log: silentLog }
    const gateway = await startGateway({
      stateDir: directory,
      configPath,
      port: 0,
      env: {},
      services,
      version: 'bench',
    })
    const echoUrl = `ws://127.0.0.1:${(echo.address() as AddressInfo).port}`
    const client = fork(new URL(import.meta.url).pathname)
    // Without it there is no measurement, and what follows would wait for ever.
    client.on('exit', (code) => code !== null && process.exit(1))
    await once(client, 'message')
    const cpu = new Map<string, number[]>() // µs of this process for each answer
    const run = async (url: string): Promise<number> => {
      client.send({ url, ms: ROUND_MS } satisfies Task)
      const before = process.cpuUsage()
      const [answers] = (await once(client, 'message')) as [number]
      const { user, system } = process.cpuUsage(before)
      cpu.set(url, [...(cpu.get(url) ?? []), (user + system) / answers])
      return answers / (ROUND_MS / 1_000)
    }
    await run(gateway.url) // Warms the machines up.
    const rates = await measureInTurn(ROUNDS, {
      echo: () => run(echoUrl),
      gateway: () => run(gateway.url),
    })
    client.kill()
    const limit = median(rates['echo'] ?? [])
    const ours = median(rates['gateway'] ?? [])
    report({
      name: `durable request, ${CONNECTIONS} × ${IN_FLIGHT}`,
      measured:
        `${Math.round(ours)}/s of ${Math.round(limit)}/s echoed, CPU ` +
        `${Math.round(median(cpu.get(gateway.url) ?? []))} of ${Math.round(median(cpu.get(echoUrl) ?? []))} µs`,
      ratio: ours / limit,
      target: '≥ 0.35',
      met: ours / limit >= 0.35,
    })
    echo.close()
    for (const socket of echo.clients) socket.terminate()
    await gateway.stop('bench')
  })
}

/** The other process: keeps requests in flight for a while and counts the answers. */
async function drive({ url, ms }: Task): Promise<void> {
  const end = performance.now() + ms
  const counts = await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, n) => driveOne(url, `bench-${n}`, end)),
  )
  process.send?.(counts.reduce((sum, count) => sum + count, 0))
}

async function driveOne(url: string, deviceId: string, end: number): Promise<number> {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  await once(socket, 'open')
  let [asked, answers] = [0, 0]
  const ask = () => {
    asked += 1
    const events = asked % 2 === 0 ? ['shutdown'] : ['shutdown', 'chat']
    const padding = 'x'.repeat(40)
    socket.send(
      JSON.stringify({ type: 'req', id: `subscribe#${asked}${padding}`, params: { events } }),
    )
  }
  const finished = new Promise<void>((resolve, reject) => {
    socket.on('close', () => reject(new Error('the server closed the socket')))
    socket.on('message', (data: Buffer) => {
      if (!data.includes('"subscribe#')) return
      if (data.includes('"ok":false')) return reject(new Error(`refused: ${data.toString()}`))
      if (performance.now() >= end) return resolve()
      answers += 1
      ask()
    })
  })
  socket.send(
    JSON.stringify({ type: 'req', id: 'connect', params: { deviceId, subscribe: ['shutdown'] } }),
  )
  for (let connected = false; !connected;) {
    const [data] = (await once(socket, 'message')) as [Buffer]
    connected = data.includes('"id":"connect"')
  }
  for (let n = 0; n < IN_FLIGHT; n += 1) ask()
  await finished
  socket.removeAllListeners('close')
  socket.terminate()
  return answers
}

if (process.send !== undefined) process.send('ready')
