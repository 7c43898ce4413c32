/**
 * A copy of a journal beside its writer: one moment of it, compacted, on the medium.
 *
 * LMDB copies out of one read transaction, so the copy is a closed cut (K10) whatever is appended
 * meanwhile; for the time of it the pages of that moment are not used again (D-R12). Step 6 of 8.
 */
import { execFile } from 'node:child_process'
import { open } from 'node:fs/promises'
import { chmodSync, mkdirSync, rmSync, statSync, statfsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ERROR_CODES, GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { memberOf } from '../../protocol/members.ts'
import { ZERO_HASH } from '../seal.ts'
import { dataFile, lockFile, openEnvironment } from './environment.ts'
import { openLmdbReader } from './open.ts'

const CHILD = fileURLToPath(new URL('./backup-child.js', import.meta.url))

/** What a journal is at its head, in hex. */
export interface JournalFacts {
  readonly position: number
  readonly hash: string
  readonly root: string
  readonly epoch: number
  readonly signed: string | null
  readonly origin: string // hash of the first record
}

/**
 * Copies the journal of a directory into another one, which is made.
 * @throws {GatewayError} NOT_FOUND: no journal; STORE_LOW_SPACE: no room for it; STORE_FAILED: the
 * copy ended half-way. What lies in the target then is nothing.
 */
export async function copyJournal(directory: string, target: string): Promise<void> {
  const { copyTo, close } = openEnvironment(directory, 'read')
  try {
    mkdirSync(target, { recursive: true, mode: 0o700 })
    assertRoom(statSync(dataFile(directory)).size, target)
    await copyTo(dataFile(target))
    chmodSync(dataFile(target), 0o600)
    await flush(dataFile(target))
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause
    throw copyFault(cause)
  } finally {
    await close()
  }
}

/**
 * Copies a journal in a child process, so that damage which kills its reader kills no caller.
 * @throws {GatewayError} as copyJournal; STORE_CORRUPT with details.signal: reading it crashed.
 */
export async function copyInChild(directory: string, target: string): Promise<void> {
  const fault = await new Promise<GatewayError | null>((resolve) => {
    const settings = { timeout: limits.backupVerifyMs, killSignal: 'SIGKILL' } as const
    const args = [CHILD, directory, target]
    const child = execFile(process.execPath, args, settings, (error, output) => {
      resolve(error === null ? null : childFault(output, child.signalCode))
    })
  })
  if (fault !== null) throw fault
}

function childFault(output: string, signal: string | null): GatewayError {
  if (signal !== null) {
    return new GatewayError('STORE_CORRUPT', `backup: copying the journal ended in ${signal}`, {
      signal,
    })
  }
  try {
    const said: unknown = JSON.parse(output)
    const code = ERROR_CODES.find((known) => known === memberOf(said, 'code')) ?? 'STORE_FAILED'
    return new GatewayError(code, String(memberOf(said, 'message')))
  } catch (cause) {
    return copyFault(cause)
  }
}

/** Reads what a journal is that has passed its verification, and leaves no lock file beside it. */
export async function readFacts(directory: string): Promise<JournalFacts> {
  const reader = await openLmdbReader(directory)
  try {
    const { position, hash } = reader.head()
    return {
      position,
      hash: hex(hash),
      root: hex(reader.tree.root(position)),
      epoch: reader.epoch(),
      signed: reader.signedHead()?.text ?? null,
      origin: hex(reader.link(1)?.hash ?? ZERO_HASH),
    }
  } finally {
    await reader.close()
    removeLock(directory)
  }
}

/** Removes LMDB's lock file from a journal that nobody has open. */
export function removeLock(directory: string): void {
  rmSync(lockFile(directory), { force: true })
}

/** Refuses where a directory has no room for so many bytes. @throws {GatewayError} STORE_LOW_SPACE */
export function assertRoom(neededBytes: number, target: string): void {
  const { bavail, bsize } = statfsSync(target)
  const freeBytes = bavail * bsize
  if (freeBytes - neededBytes >= limits.spaceStopBytes) return
  throw new GatewayError(
    'STORE_LOW_SPACE',
    `backup: expected room for ${neededBytes} bytes and ${limits.spaceStopBytes} more, got ${freeBytes}`,
    { freeBytes, neededBytes },
  )
}

function copyFault(cause: unknown): GatewayError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const code = /no space|ENOSPC/i.test(reason) ? 'STORE_LOW_SPACE' : 'STORE_FAILED'
  return new GatewayError(code, `backup: the journal was not copied: ${reason}`, { reason }, cause)
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
