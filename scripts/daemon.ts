/**
 * The gateway behind: a detached child, and a parent that waits until it is ready.
 *
 * The child tells over IPC that it is ready or why it cannot be; then the channel is closed and
 * the two have nothing more to do with one another.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ERROR_CODES, GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { ReadyReport } from './ready.ts'
import type { Settings } from './settings.ts'

/** Set in the child's environment, and taken out of it there. */
export const CHILD_MARK = 'OPENCLAW_DAEMON_CHILD'

/** What the child says, once. */
export type DaemonMessage =
  | { readonly type: 'ready'; readonly report: ReadyReport; readonly remarks: readonly string[] }
  | {
      readonly type: 'failed'
      readonly code: string
      readonly message: string
      readonly details: object
    }

/** A gateway that was started behind, and what it had to remark on its way, lines for people. */
export interface Behind {
  readonly report: ReadyReport
  readonly remarks: readonly string[]
}

/**
 * Starts the gateway of some settings behind, by this very program, and waits until it is ready.
 * @throws {GatewayError} the child's own reason; TIMEOUT: not ready in limits.daemonReadyMs, and
 * killed; INTERNAL: it ended without a word.
 */
export async function startBehind(settings: Settings, verbose: boolean): Promise<Behind> {
  const { stateDir, port, portSource } = settings
  const flags = [
    ...(portSource === '--port' ? [`--port=${port}`] : []),
    ...(verbose ? ['--verbose'] : []),
  ]
  const command = [process.argv[1] ?? '', 'gateway', ...flags]
  const path = join(stateDir, 'logs', 'daemon.log')
  const output = openOutput(stateDir, path)
  const from = statSync(path).size
  const child = spawn(process.execPath, [...process.execArgv, ...command], {
    detached: true,
    env: { ...process.env, [CHILD_MARK]: '1' },
    stdio: ['ignore', output, output, 'ipc'],
  })
  closeSync(output)
  const message = await firstWord(child).catch((error: unknown) => {
    throw withOutput(error, path, from)
  })
  if (child.connected) child.disconnect()
  child.unref()
  if (message.type === 'ready') return message
  const code = ERROR_CODES.find((known) => known === message.code) ?? 'INTERNAL'
  throw new GatewayError(code, message.message, { ...message.details })
}

/** Tells the parent, if this process is the child of one; then lets go of it. */
export function tellParent(message: DaemonMessage): void {
  if (process.send === undefined || !process.connected) return
  process.send(message, () => {
    if (process.connected) process.disconnect()
  })
}

/** Opens the file that takes what the child prints, which is nothing while all is well. */
function openOutput(stateDir: string, path: string): number {
  try {
    mkdirSync(join(stateDir, 'logs'), { recursive: true, mode: 0o700 })
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > limits.logFileBytesMax) {
      renameSync(path, `${path}.1`)
    }
    return openSync(path, 'a', 0o600)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new GatewayError('PERMISSION', `the state directory cannot be used: ${reason}`, {}, cause)
  }
}

function firstWord(child: ChildProcess): Promise<DaemonMessage> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      const message = `the gateway was not ready in ${limits.daemonReadyMs / 1_000} s and was ended`
      reject(new GatewayError('TIMEOUT', message))
    }, limits.daemonReadyMs)
    const settle = (run: () => void): void => {
      clearTimeout(timer)
      run()
    }
    child.once('message', (message) => {
      if (isDaemonMessage(message)) settle(() => resolve(message))
    })
    child.once('error', (error) => settle(() => reject(error)))
    // Not 'exit', which may come before the child's last message has been read.
    child.once('close', (code, signal) => {
      const text = `the gateway ended before it was ready (${signal ?? `exit code ${String(code)}`})`
      settle(() => reject(new GatewayError('INTERNAL', text)))
    })
  })
}

function isDaemonMessage(message: unknown): message is DaemonMessage {
  if (typeof message !== 'object' || message === null) return false
  const type: unknown = Reflect.get(message, 'type')
  return type === 'ready' || type === 'failed'
}

/** Adds to an error what the child printed before it ended. */
function withOutput(thrown: unknown, path: string, from: number): GatewayError {
  const error =
    thrown instanceof GatewayError ? thrown : new GatewayError('INTERNAL', String(thrown))
  const printed = readFileSync(path).subarray(from).toString('utf8').trim()
  if (printed === '') return error
  const tail = printed.slice(-limits.logLineCharsMax)
  return new GatewayError(error.code, `${error.message}\n${tail}`, { log: path }, thrown)
}
