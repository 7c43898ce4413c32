/**
 * Ours against upstream's own gateway, in one run: how long a client waits.
 *
 *   node dist/scripts/bench/upstream.js [--count 100] [--cli 5]
 *   wire   connect, `health`, close, on a new socket each time, as upstream's command line does
 *   cli    upstream's `openclaw health` from start to end, most of it its own start
 *
 * Both gateways run at once, idle, and are asked in turn. Prints medians and the ratio ours / theirs.
 * Needs upstream's packages (`OPENCLAW_UPSTREAM_DIR`, see scripts/acceptance); installs them else.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import WebSocket from 'ws'
import { type Against, type Gateway, packagesOf, startGateway } from '../acceptance/gateways.ts'
import { Scene } from '../acceptance/scene.ts'
import {
  type Installed,
  installUpstream,
  type PackageSet,
} from '../../tests/support/upstream-packages.ts'
import { inTempDirectory, median } from './support.ts'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100' },
    cli: { type: 'string', default: '5' },
  },
})

const SIDES: readonly Against[] = ['ours', 'real']
const WARM_UP = 5

await inTempDirectory(async (directory) => {
  const installed = new Map<PackageSet, Installed>()
  for (const set of packagesOf('real', 'new')) installed.set(set, await installUpstream(set))
  const gateways = new Map<Against, Gateway>()
  try {
    for (const against of SIDES) {
      const own = join(directory, against)
      mkdirSync(own)
      gateways.set(
        against,
        await startGateway({ against, release: 'new', directory: own, installed }),
      )
    }
    show('wire', await inTurn(gateways, Number(values.count), timeWire))
    let homes = 0
    const cli = (gateway: Gateway): Promise<number> =>
      timeCli(gateway, join(directory, `home-${(homes += 1)}`), installed)
    show('cli', await inTurn(gateways, Number(values.cli), cli))
  } finally {
    for (const gateway of gateways.values()) await gateway.stop()
  }
})
process.exit()

type Times = Readonly<Record<Against, number[]>>

async function inTurn(
  gateways: ReadonlyMap<Against, Gateway>,
  count: number,
  measure: (gateway: Gateway) => Promise<number>,
): Promise<Times> {
  const times: Times = { ours: [], real: [] }
  for (let round = -Math.min(WARM_UP, count); round < count; round += 1) {
    for (const [side, gateway] of gateways) {
      const ms = await measure(gateway)
      if (round >= 0) times[side].push(ms)
    }
  }
  return times
}

function show(what: string, { ours, real }: Times): void {
  const [mine, theirs] = [median(ours), median(real)]
  const ratio = (mine / theirs).toFixed(2)
  const ms = (value: number): string => `${value.toFixed(1)} ms`
  console.log(
    `${what}: ours ${ms(mine)}, theirs ${ms(theirs)}, ratio ${ratio} (${ours.length} each)`,
  )
}

async function timeWire({ port, token }: Gateway): Promise<number> {
  const from = performance.now()
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as {
        event?: string
        id?: string
        ok?: boolean
      }
      if (frame.event === 'connect.challenge') send(socket, 'connect', connectParams(token))
      if (frame.id === 'connect') send(socket, 'health', {})
      if (frame.ok === false) reject(new Error(data.toString('utf8')))
      if (frame.id === 'health') resolve()
    })
  })
  const ms = performance.now() - from
  socket.terminate()
  return ms
}

function send(socket: WebSocket, method: string, params: object): void {
  socket.send(JSON.stringify({ type: 'req', id: method, method, params }))
}

function connectParams(token: string): object {
  return {
    minProtocol: 4,
    maxProtocol: 4,
    client: { id: 'cli', mode: 'cli', version: '2026.9.6', platform: 'linux' },
    role: 'operator',
    scopes: ['operator.read'],
    caps: [],
    auth: { token },
  }
}

async function timeCli(
  { port, token }: Gateway,
  home: string,
  installed: ReadonlyMap<PackageSet, Installed>,
): Promise<number> {
  const target = { host: '127.0.0.1', port, token, restart: null }
  const scene = new Scene({ target, home, artefacts: home, installed, release: 'new' })
  try {
    const from = performance.now()
    const { code, text } = await scene.cli('health')
    if (code !== 0) throw new Error(`openclaw health: exit code ${code}: ${text.slice(-500)}`)
    return performance.now() - from
  } finally {
    await scene.end()
    rmSync(home, { recursive: true, force: true })
  }
}
