/**
 * Checks of the ground that the gateway stands on: Node, the state directory, the disk.
 */
import { readdir, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { judgeStateDir } from '../../actors/state-dir.ts'
import { limits } from '../../protocol/limits.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

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

/** Checks that the state directory is its owner's alone. */
export async function checkStateDir(stateDir: string): Promise<Finding> {
  const name = 'state directory'
  const found = await stat(stateDir).catch(() => null)
  if (found === null) return ok(name, `${stateDir} is not there yet; the first start makes it`)
  if (!found.isDirectory()) {
    return fail(name, `${stateDir} is no directory`, 'remove it, or set OPENCLAW_STATE_DIR')
  }
  const unsafe = await judgeStateDir(stateDir)
  if (unsafe !== null) return fail(name, unsafe.message, 'the gateway does not start like this')
  const open = await openPaths(stateDir)
  if (open.length === 0) return ok(name, stateDir)
  const more = open.length > SHOWN_MAX ? ` and ${open.length - SHOWN_MAX} more` : ''
  const says = `open to other users: ${open.slice(0, SHOWN_MAX).join(', ')}${more}`
  return warn(name, says, `chmod -R go-rwx ${stateDir}`)
}

/** Lists what others may use, the directory itself and two levels below it. */
async function openPaths(stateDir: string): Promise<string[]> {
  const paths = [stateDir, ...(await entries(stateDir))]
  for (const path of paths.slice(1)) paths.push(...(await entries(path)))
  const open: string[] = []
  for (const path of paths) {
    const found = await stat(path).catch(() => null)
    // A socket's modes are the lock's business: it tells everybody no more than a pid.
    if (found !== null && !found.isSocket() && (found.mode & OTHERS) !== 0) open.push(path)
  }
  return open
}

async function entries(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [])
  return names.map((name) => join(directory, name))
}

/** Checks that the disk has room: below the limits the gateway refuses work, then stops. */
export async function checkDisk(stateDir: string): Promise<Finding> {
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

function formatBytes(bytes: number): string {
  const gib = bytes / 2 ** 30
  return gib >= 1 ? `${gib.toFixed(1)} GiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`
}
