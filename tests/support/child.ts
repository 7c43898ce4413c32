/** A gateway in a child process: started, killed, stopped, started again over the same state. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ErrorCode, GatewayError } from '../../protocol/errors.ts'
import type { ChildReady } from './gateway-child.ts'

const MAIN = fileURLToPath(new URL('./gateway-child.js', import.meta.url))
const LOG_LINES_KEPT = 200

export interface ChildGateway extends ChildReady {
  readonly url: string
  readonly spawnedMs: number // from spawn to ready
  /** The newest lines of its log. */
  readonly log: readonly string[]
  /** SIGKILL, and waits until it is gone. */
  readonly kill: () => Promise<void>
  /** SIGTERM, and waits until it is gone; its exit code. */
  readonly stop: () => Promise<number | null>
}

/** A state directory that is removed by `remove`. */
export interface StateDir {
  readonly path: string
  readonly journal: string
  readonly configure: (config: object) => void
  readonly remove: () => void
}

/** Makes a state directory with a configuration. */
export function makeStateDir(config: object = {}): StateDir {
  const path = mkdtempSync(join(tmpdir(), 'openclaw-scenario-'))
  const configure = (next: object) =>
    writeFileSync(join(path, 'openclaw.json'), JSON.stringify(next))
  configure(config)
  return {
    path,
    journal: join(path, 'journal'),
    configure,
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

/**
 * Starts a gateway over a state directory and waits until it serves; a child that is killed by
 * `killAfterMs` before that is no fault: then the result is null.
 * @throws {GatewayError} what kept it from starting.
 */
export async function startChild(
  stateDir: string,
  options: { nodeArgs?: readonly string[]; killAfterMs?: number } = {},
): Promise<ChildGateway | null> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), MAIN, stateDir], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const gone = once(child, 'exit')
  const log = keepLog(child)
  const { killAfterMs } = options
  const timer =
    killAfterMs === undefined ? null : setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  const line = await Promise.race([firstLine(child), gone.then(() => null)])
  if (line === null) {
    if (killAfterMs !== undefined && child.signalCode === 'SIGKILL') return null
    throw new Error(`the gateway ended before it was ready:\n${log.join('\n')}`)
  }
  if (timer !== null) clearTimeout(timer)
  const said = JSON.parse(line) as
    | ChildReady
    | { error: { code: ErrorCode; message: string; details: object } }
  if ('error' in said) {
    await gone
    const { code, message, details } = said.error
    throw new GatewayError(code, message, { ...details })
  }
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> => {
    child.kill(signal)
    await gone
    return child.exitCode
  }
  return {
    ...said,
    url: `ws://127.0.0.1:${said.port}`,
    spawnedMs: performance.now() - startedAt,
    log,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  }
}

/** Starts a gateway that nothing kills before it is ready. */
export async function startServing(
  stateDir: string,
  nodeArgs: readonly string[] = [],
): Promise<ChildGateway> {
  const child = await startChild(stateDir, { nodeArgs })
  if (child === null) throw new Error('killed before it was ready')
  return child
}

function keepLog(child: ChildProcess): string[] {
  const lines: string[] = []
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lines.push(...text.trimEnd().split('\n'))
    lines.splice(0, lines.length - LOG_LINES_KEPT)
  })
  return lines
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = ''
  return new Promise((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')))
    })
  })
}
