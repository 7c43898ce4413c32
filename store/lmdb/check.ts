/**
 * Verifies a journal in a child process, so that damage which kills its reader kills no gateway.
 *
 * A zeroed page or a truncated file ends in SIGABRT or SIGBUS inside LMDB (D-R6); here that is one
 * more way for a journal to be corrupt. Step 6 of 8.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { VerifyOptions, VerifyReport } from './verify.ts'

const CHILD = fileURLToPath(new URL('./verify-child.js', import.meta.url))
const CODES: readonly ErrorCode[] = [
  'STORE_ROLLBACK',
  'NOT_FOUND',
  'RECORD_FORMAT',
  'PROOF_INVALID',
  'STORE_FAILED',
  'UNAVAILABLE',
]

// As Node, V8 and libc say it.
const STARVED =
  /\bOOM\b|out of memory|ENOMEM|Cannot allocate memory|virtual memory|bad_alloc|Last few GCs|temporarily unavailable|thread_create/i

// What damage does to its reader (D-R6). By any other signal somebody ended it: the kernel for its
// memory, or whoever stops the gateway.
const CRASHES: ReadonlySet<string> = new Set([
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGILL',
  'SIGSEGV',
  'SIGTRAP',
])

interface ChildEnd {
  readonly output: string
  readonly status: number | null
  readonly signal: string | null
  readonly timedOut: boolean
  readonly isStarved: boolean // by its words it lacked memory or threads: nothing is said of the journal
  readonly locked: boolean // it has reported, and waits for the lock for writing
}

/**
 * Verifies a journal in a child process; resolves with the report of a whole one.
 * @throws {GatewayError} STORE_CORRUPT with details.report, or details.signal where the child
 * crashed; STORE_ROLLBACK, NOT_FOUND, RECORD_FORMAT, PROOF_INVALID, STORE_FAILED and UNAVAILABLE with
 * details.report; TIMEOUT after `timeoutMs`.
 */
export async function verifyInChild(
  directory: string,
  options: VerifyOptions = {},
  timeoutMs: number = limits.storeOpenTimeoutMs,
): Promise<VerifyReport> {
  const end = await runChild(directory, options, timeoutMs)
  const { output, status, signal, timedOut, locked, isStarved } = end
  if (locked) throw await lockedBy(directory)
  if (timedOut) {
    throw new GatewayError('TIMEOUT', `verify: took longer than ${timeoutMs} ms`, { timeoutMs })
  }
  const report = parseReport(output)
  if (report === null && isStarved) throw starved()
  if (signal !== null && !CRASHES.has(signal)) {
    throw new GatewayError('UNAVAILABLE', `verify: its process was ended by ${signal}`, { signal })
  }
  if (signal !== null) {
    throw new GatewayError('STORE_CORRUPT', `verify: reading ended in ${signal}`, { signal })
  }
  if (report === null) {
    throw new GatewayError('STORE_CORRUPT', `verify: child ended with ${status}, without report`, {
      status,
    })
  }
  if (report.ok && status === 0) return report
  throw reportFault(report)
}

/**
 * Verifies the newest records in a child, and that no other process keeps the lock for writing, for
 * which LMDB waits without end; a journal that is not there yet is whole.
 * @throws {GatewayError} as verifyInChild, and STORE_LOCKED with details.pid.
 */
export async function verifyTail(directory: string): Promise<void> {
  if (!existsSync(join(directory, 'journal.mdb'))) return
  await verifyInChild(directory, { tail: true, lock: true })
}

function starved(): GatewayError {
  const message =
    'verify: the process that reads the journal had too little memory, or too few threads'
  return new GatewayError('UNAVAILABLE', message)
}

async function lockedBy(directory: string): Promise<GatewayError> {
  const { findOthers } = await import('./readers.ts') // This file is loaded before LMDB is.
  const pids = findOthers(directory)
  const who = pids.length === 0 ? 'another process' : `process ${pids.join(' or ')}`
  const message = `journal: ${who} holds its lock and does not let go`
  return new GatewayError('STORE_LOCKED', message, { pid: pids[0] ?? null, pids })
}

function runChild(directory: string, options: VerifyOptions, timeout: number): Promise<ChildEnd> {
  const args = [CHILD, directory, JSON.stringify(options)]
  const settings = { timeout, killSignal: 'SIGKILL' } as const
  return new Promise((resolve) => {
    let locked = false
    let timer: NodeJS.Timeout | undefined
    const child = execFile(process.execPath, args, settings, (_error, output, words) => {
      clearTimeout(timer)
      const { exitCode: status, signalCode: signal, killed } = child
      // Libuv aborts without a word where it gets no thread; LMDB's own aborts have theirs.
      const isMute = child.signalCode === 'SIGABRT' && words.trim() === ''
      const isStarved = isMute || STARVED.test(words)
      resolve({ output, status, signal, timedOut: killed && !locked, locked, isStarved })
    })
    if (options.lock !== true) return
    child.stdout?.once('data', () => {
      timer = setTimeout(() => {
        locked = true
        child.kill('SIGKILL')
      }, limits.storeLockMs)
    })
  })
}

function reportFault(report: VerifyReport): GatewayError {
  const fault = report.firstFault
  const code = CODES.find((known) => known === fault?.code) ?? 'STORE_CORRUPT'
  const place = fault?.position === undefined ? (fault?.database ?? 'journal') : fault.position
  const { position } = fault ?? {}
  const details = position === undefined ? { report } : { position, report }
  return new GatewayError(code, `verify: ${place}: ${fault?.reason ?? 'no reason'}`, details)
}

function parseReport(output: string): VerifyReport | null {
  try {
    const value: unknown = JSON.parse(output)
    return isReport(value) ? value : null
  } catch {
    return null
  }
}

function isReport(value: unknown): value is VerifyReport {
  return typeof value === 'object' && value !== null && 'ok' in value && 'faults' in value
}
