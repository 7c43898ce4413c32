/** Files that only their owner may read, beside the journal: written whole or not at all. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { GatewayError } from '../protocol/errors.ts'
import { memberOf } from '../protocol/members.ts'

/**
 * Writes a file, 0600. Without `flush` a power cut may still lose what was written.
 * @throws {GatewayError} PERMISSION: no such directory, no right, no room; nothing is left behind.
 */
export function writePrivate(
  path: string,
  data: string | Uint8Array,
  { flush }: { readonly flush: boolean } = { flush: true },
): void {
  const draft = `${path}.${process.pid}.tmp`
  try {
    rmSync(draft, { force: true })
    // In a directory of others a link may lie there: it is not followed.
    writeFileSync(draft, data, { mode: 0o600, flag: 'wx', flush })
    renameSync(draft, path)
  } catch (cause) {
    rmSync(draft, { force: true })
    throw notWritten(path, cause)
  }
}

/** Puts the names in a directory on the medium: of files that were made, renamed or removed. */
export function flushDirectory(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

const DRAFT = /\.(\d+)\.tmp$/

/** Tells whether a name is that of a draft: a file that is being written, or never was. */
export function isDraft(name: string): boolean {
  return DRAFT.test(name)
}

/** Tells whether a name is that of a draft whose process is no more: it never became a file. */
export function isDeadDraft(name: string): boolean {
  const pid = DRAFT.exec(name)?.[1]
  return pid !== undefined && !isAlive(Number(pid))
}

/** Removes from a directory the drafts of processes that are no more. */
export function sweepDrafts(directory: string): void {
  if (!existsSync(directory)) return
  for (const name of readdirSync(directory).filter(isDeadDraft)) {
    rmSync(join(directory, name), { force: true })
  }
}

/** Tells whether the process that a draft or a lock names is there, whoever's it is. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return memberOf(error, 'code') === 'EPERM'
  }
}

/** Makes the refusal for a file that cannot be written. */
export function notWritten(path: string, cause: unknown): GatewayError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new GatewayError('PERMISSION', `${path}: not written: ${reason}`, { path }, cause)
}
