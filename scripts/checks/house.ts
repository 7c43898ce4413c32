/**
 * Checks of the ground that the gateway stands on: Node, the state directory, the disk.
 */
import { access, chmod, constants, lstat, readdir, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { archiveBytes } from '../../actors/archive.ts'
import { judgeStateDir, makeDirectory } from '../../actors/state-dir.ts'
import { judgeSpace } from '../../actors/space.ts'
import { rootOf } from '../../actors/tools/files.ts'
import { limits } from '../../protocol/limits.ts'
import { memberOf } from '../../protocol/members.ts'
import { formatBytes } from '../output.ts'
import { type CheckContext, fail, type Finding, ok, warn } from './finding.ts'
import { withReader } from './journal.ts'

const NODE_MINIMUM = [20, 19] as const // `engines` of package.json
const OTHERS = 0o077 // Bits of group and others.
const SHOWN_MAX = 3

/** Checks that this Node is one that the gateway runs on. */
export function checkNode(version: string = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [least, leastMinor] = NODE_MINIMUM
  if (major > least || (major === least && minor >= leastMinor)) return ok('node', version)
  return fail('node', `${version} is too old`, `install Node ${least}.${leastMinor} or newer`)
}

/** Checks that the state directory is its owner's alone, and that its owner can write there. */
export async function checkStateDir(stateDir: string): Promise<Finding> {
  const name = 'state directory'
  const found = await stat(stateDir).catch(() => null)
  if (found === null) return ok(name, `${stateDir} is not there yet; the first start makes it`)
  if (!found.isDirectory()) {
    return fail(name, `${stateDir} is no directory`, 'remove it, or set OPENCLAW_STATE_DIR')
  }
  const unsafe = await judgeStateDir(stateDir)
  if (unsafe !== null) return fail(name, unsafe.message, 'the gateway does not start like this')
  for (const part of ['', 'journal', 'logs', 'keys', 'config', 'archive']) {
    const path = join(stateDir, part)
    const isClosed = await access(path, constants.W_OK | constants.X_OK).then(
      () => false,
      (error: unknown) => memberOf(error, 'code') !== 'ENOENT',
    )
    if (isClosed) return fail(name, `${path} cannot be written to`, `chmod u+rwx ${path}`)
  }
  return ok(name, stateDir)
}

/** Makes the state directory and its directory for the log, where they are missing. */
export async function makeStateDir(stateDir: string): Promise<string[]> {
  const missing: string[] = []
  for (const path of [stateDir, join(stateDir, 'logs')]) {
    if ((await stat(path).catch(() => null)) !== null) continue
    await makeDirectory(path)
    missing.push(`made ${path}`)
  }
  return missing
}

/** Checks that nothing in the state directory is open to other users. */
export async function checkModes(stateDir: string): Promise<Finding> {
  const name = 'file modes'
  const open = await openPaths(stateDir)
  if (open.length === 0) return ok(name, 'closed to other users')
  const more = open.length > SHOWN_MAX ? ` and ${open.length - SHOWN_MAX} more` : ''
  const says = `open to other users: ${open.slice(0, SHOWN_MAX).join(', ')}${more}`
  return warn(name, says, `openclaw doctor --fix, or chmod -R go-rwx ${stateDir}`)
}

/** Takes group's and others' rights away. */
export async function fixModes(stateDir: string): Promise<string[]> {
  const open = await openPaths(stateDir)
  for (const path of open) await chmod(path, (await lstat(path)).mode & ~OTHERS & 0o7777)
  return open.map((path) => `closed ${path} to others`)
}

/** Lists what others may use, the directory itself and two levels below it. */
async function openPaths(stateDir: string): Promise<string[]> {
  const paths = [stateDir, ...(await entries(stateDir))]
  for (const path of paths.slice(1)) paths.push(...(await entries(path)))
  const open: string[] = []
  for (const path of paths) {
    const found = await lstat(path).catch(() => null)
    // A link has no modes of its own, and what it leads to is not ours to change; a socket's modes
    // are the lock's business: it tells everybody no more than a pid.
    if (found?.isSymbolicLink() === true || found?.isSocket() === true) continue
    if (found !== null && (found.mode & OTHERS) !== 0) open.push(path)
  }
  return open
}

async function entries(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [])
  return names.map((name) => join(directory, name))
}

/** Checks that disk and budget have room: without, the gateway refuses work, then stops. */
export async function checkDisk(context: CheckContext): Promise<Finding[]> {
  const disk = await checkFree(context.settings.stateDir)
  const maxBytes = (await context.config())?.store.maxBytes ?? null
  if (maxBytes === null) return [disk]
  const stats = await withReader(context, (reader) => reader.stats())
  if (stats === null) return [disk]
  const usedBytes = stats.usedBytes + archiveBytes(context.settings.stateDir)
  return [disk, judgeBudget(usedBytes, maxBytes)]
}

function judgeBudget(usedBytes: number, maxBytes: number): Finding {
  const name = 'budget'
  const { level, says } = judgeSpace({ usedBytes, freeBytes: Infinity }, maxBytes)
  const todo = 'raise store.maxBytes, or see: openclaw history policy --dry-run'
  if (level === 'ample') return ok(name, says)
  return level === 'low' ? warn(name, says, todo) : fail(name, `${says}: new work is refused`, todo)
}

async function checkFree(stateDir: string): Promise<Finding> {
  const name = 'disk'
  const { bavail, bsize } = await statfs(await existing(stateDir))
  const free = bavail * bsize
  const says = `${formatBytes(free)} free for ${stateDir}`
  if (free < limits.spaceStopBytes) return fail(name, says, 'make room: nothing can be written')
  if (free >= limits.spaceRefuseBytes) return ok(name, says)
  const least = formatBytes(limits.spaceRefuseBytes)
  return warn(name, says, `make room: below ${least} new work is refused`)
}

async function existing(path: string): Promise<string> {
  const found = await stat(path).catch(() => null)
  return found === null && dirname(path) !== path ? existing(dirname(path)) : path
}

/** Checks that the folder in which tools work is there: they do not make it. */
export async function checkWorkspace(workspace: string | null): Promise<readonly Finding[]> {
  if (workspace === null) return []
  const folder = rootOf(workspace)
  const found = await stat(folder).catch(() => null)
  if (found?.isDirectory() === true) return [ok('workspace', folder)]
  const says = `agents.defaults.workspace: ${folder} is no folder: read, write and exec fail`
  return [warn('workspace', says, `mkdir -p ${folder}`)]
}
