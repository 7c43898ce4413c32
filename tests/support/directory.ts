/**
 * A directory of its own for each test, gone when the test is over.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GatewayError } from '../../protocol/errors.ts'

/** Runs a test with a fresh directory and removes it, whatever came out. */
export async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'openclaw-test-'))
  try {
    await run(directory)
  } catch (thrown) {
    // uvu takes `details` of what a test throws for text, and loses the test where it is none.
    if (!(thrown instanceof GatewayError)) throw thrown
    throw new Error(`${thrown.code}: ${thrown.message}`, { cause: thrown })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Tells why no file system can be mounted; null: one can. */
export function whyNoSmallDisk(): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'openclaw-test-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', directory])
  if (status === 0) spawnSync('umount', ['-l', directory])
  rmSync(directory, { recursive: true, force: true })
  return status === 0 ? null : 'needs the right to mount'
}

/**
 * Mounts a small file system of its own at a directory for the time of a run; cases that call it are
 * skipped by `whyNoSmallDisk`.
 */
export async function withSmallDisk(
  directory: string,
  mib: number,
  run: (disk: { readonly readOnly: () => void }) => Promise<void>,
): Promise<void> {
  const options = ['-t', 'tmpfs', '-o', `size=${mib}m,mode=0700`, 'tmpfs', directory]
  const { status, stderr } = spawnSync('mount', options, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`mount: ${stderr}`)
  try {
    await run({
      readOnly: () => void spawnSync('mount', ['-o', 'remount,ro', directory]),
    })
  } finally {
    spawnSync('umount', ['-l', directory])
  }
}
