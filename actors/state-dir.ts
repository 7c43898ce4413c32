/**
 * The state directory, before anything is read from it or written to it (S52, S53).
 *
 * It must be its user's alone: nobody else may own it, write in it, or put another in its place,
 * and what lies in it is no link to somewhere else. Modes that are too wide are narrowed; the rest
 * is refused. Systems without user ids are not judged. Nor may it lie on a file system of another
 * machine or of a program, where locks, mapped files and syncs do not hold what the journal needs.
 */
import type { Dirent } from 'node:fs'
import { chmod, mkdir, readdir, realpath, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GatewayError, messageOf } from '../protocol/errors.ts'

const OTHERS = 0o077
const OTHERS_WRITE = 0o022
const ALL_WRITE = 0o002
const STICKY = 0o1000 // In such a directory only owners rename and remove: /tmp.

// Whoever keeps the configuration elsewhere may link it; it is read, and never written through.
const LINK_ALLOWED = 'openclaw.json'
const MARKS = ['openclaw.json', 'journal']
const OURS = ['', 'journal', 'logs', 'config', 'archive'] // What the gateway writes into.

// As statfs(2) names them. FUSE is sshfs, mergerfs, rclone and the like.
const FOREIGN: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9p'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
])
const FORCED = 'OPENCLAW_FOREIGN_FS' // `allow`: whoever sets it has been told.

/** Names the file system that a type stands for, where no journal may lie; null: one may. */
export function judgeFileSystem(type: number): string | null {
  return FOREIGN.get(type >>> 0) ?? null
}

/**
 * Makes the directory where it is not there, narrows its modes, and refuses one that is not safe.
 * Resolves true where modes were narrowed.
 * @throws {GatewayError} PERMISSION with details.path; nothing was written.
 */
export async function openStateDir(stateDir: string, uid = process.getuid?.()): Promise<boolean> {
  await makeDirectory(stateDir)
  const fault = await judgeStateDir(stateDir, uid)
  if (fault !== null) throw fault
  const { mode } = await stat(stateDir)
  if (uid === undefined || (mode & OTHERS) === 0) return false
  const names = await readdir(stateDir)
  // Somebody's home or a shared place that was named by mistake keeps its modes.
  const isOurs = names.length === 0 || names.some((name) => MARKS.includes(name))
  if (isOurs) await chmod(stateDir, 0o700)
  else if ((mode & OTHERS_WRITE) !== 0) throw refusal(stateDir, 'others may write in it')
  return isOurs
}

/** Makes a directory of 0700. @throws {GatewayError} PERMISSION */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    const reason = messageOf(cause)
    const message = `the state directory cannot be used: ${reason}`
    throw new GatewayError('PERMISSION', message, { path }, cause)
  }
}

/** Tells why a state directory that exists is not safe to use; null: it is. */
export async function judgeStateDir(
  stateDir: string,
  uid = process.getuid?.(),
): Promise<GatewayError | null> {
  const real = await realpath(stateDir)
  const found = await stat(real)
  if (uid !== undefined && found.uid !== uid) {
    return refusal(real, `${real} belongs to user ${found.uid}, not to ${uid}`)
  }
  const parent = dirname(real)
  const { mode } = await stat(parent)
  if (uid !== undefined && (mode & ALL_WRITE) !== 0 && (mode & STICKY) === 0) {
    return refusal(parent, `everybody may put another directory in its place: chmod o-w ${parent}`)
  }
  for (const name of OURS) {
    const link = await findLink(join(real, name))
    if (link !== null) return refusal(link, `${link} is a link: put there what it leads to`)
  }
  const foreign = judgeFileSystem((await statfs(real)).type)
  if (foreign === null || process.env[FORCED] === 'allow') return null
  const why =
    `${real} lies on ${foreign}, where locks and syncs may not hold: ` +
    `take a local disk, or set ${FORCED}=allow and make backups`
  return refusal(real, why)
}

async function findLink(directory: string): Promise<string | null> {
  const entries: Dirent[] = await readdir(directory, { withFileTypes: true }).catch(() => [])
  const link = entries.find((entry) => entry.isSymbolicLink() && entry.name !== LINK_ALLOWED)
  return link === undefined ? null : join(directory, link.name)
}

function refusal(path: string, why: string): GatewayError {
  return new GatewayError('PERMISSION', `the state directory is not safe: ${why}`, { path })
}
