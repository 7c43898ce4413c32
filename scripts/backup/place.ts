/**
 * Where backups are: a directory of them, each in one of its own, named by time and head.
 *
 *   <directory>/openclaw-20261125T101500Z-1842/
 *   <directory>/.openclaw-backup.<pid>.tmp/         one that is being made
 *
 * By default the directory lies beside the state directory; it never lies inside it, since what
 * destroys the one would take the other along.
 */
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { isAlive, writePrivate } from '../../actors/private-file.ts'
import { type BackupManifest, MANIFEST_FILE, parseManifest } from '../../protocol/backup.ts'
import { GatewayError, toGatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { memberOf } from '../../protocol/members.ts'

const NAME = /^openclaw-\d{8}T\d{6}Z-\d+(?:-\d+)?$/
const DRAFT = /^\.openclaw-backup\.(\d+)\.tmp$/
const MEMORY = 'backup.json'

/** One backup in a list. */
export interface FoundBackup {
  readonly path: string
  readonly manifest: BackupManifest | null
  readonly fault: string | null // why it has none that can be read
}

/**
 * Finds the directory of backups; it need not be there.
 * @throws {GatewayError} USAGE: it lies inside the state directory, or is it.
 */
export function backupDirectory(stateDir: string, named: string | undefined): string {
  const directory = real(resolve(named ?? `${stateDir}-backups`))
  const inside = relative(real(stateDir), directory)
  if (inside.startsWith('..') || resolve(inside) === inside) return directory
  const message = `--out: ${directory} lies inside the state directory: what destroys it would take the backup along`
  throw new GatewayError('USAGE', message, { verb: 'backup create', path: directory })
}

// The real path of what is there, and what is to be made behind it.
function real(path: string): string {
  if (existsSync(path)) return realpathSync(path)
  const parent = dirname(path)
  return parent === path ? path : join(real(parent), basename(path))
}

/** Lists the backups of a directory, oldest first. */
export function listBackups(directory: string): FoundBackup[] {
  if (!existsSync(directory)) return []
  const names = readdirSync(directory).filter((name) => NAME.test(name))
  return names.sort().map((name) => inspect(join(directory, name)))
}

function inspect(path: string): FoundBackup {
  try {
    return { path, manifest: readManifest(path), fault: null }
  } catch (thrown) {
    return { path, manifest: null, fault: toGatewayError(thrown).message }
  }
}

/**
 * Finds a backup by its directory or its manifest.
 * @throws {GatewayError} NOT_FOUND: there is none.
 */
export function findBackup(named: string): string {
  const path = resolve(named)
  const directory = basename(path) === MANIFEST_FILE ? dirname(path) : path
  if (existsSync(join(directory, MANIFEST_FILE))) return realpathSync(directory)
  throw new GatewayError('NOT_FOUND', `no backup is at ${path}: ${MANIFEST_FILE} is missing`, {
    path,
  })
}

/** Reads the manifest of a backup. @throws {GatewayError} STORE_CORRUPT, RECORD_FORMAT */
export function readManifest(directory: string): BackupManifest {
  const path = join(directory, MANIFEST_FILE)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isFile() !== true || found.size > limits.backupManifestBytesMax) {
    const reason = found === undefined ? 'is missing' : 'is no manifest'
    throw new GatewayError('STORE_CORRUPT', `backup: ${path} ${reason}`, { path })
  }
  return parseManifest(readFileSync(path, 'utf8'))
}

/** Names a backup that is not there yet. */
export function nameBackup(directory: string, at: number, position: number): string {
  const name = `openclaw-${formatStamp(at)}-${position}`
  for (let copy = 1; ; copy += 1) {
    const path = join(directory, copy === 1 ? name : `${name}-${copy}`)
    if (!existsSync(path)) return path
  }
}

/** Writes a time as part of a name: 20261125T101500Z. */
export function formatStamp(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

/** Where a backup is made, before it gets its name. */
export function draftBackup(directory: string): string {
  return join(directory, `.openclaw-backup.${process.pid}.tmp`)
}

/** Lists drafts of processes that are no more. */
export function deadDrafts(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => !isAlive(Number(DRAFT.exec(name)?.[1] ?? process.pid)))
    .map((name) => join(directory, name))
}

/** Removes all but the newest backups of the same journal. Returns the paths removed. */
export function prune(directory: string, keep: number, origin: string): string[] {
  if (/^0+$/.test(origin)) return [] // An empty journal has no beginning to be known by.
  const same = listBackups(directory).filter(({ manifest }) => manifest?.origin === origin)
  const old = same.slice(0, Math.max(0, same.length - keep)).map(({ path }) => path)
  for (const path of old) rmSync(path, { recursive: true })
  return old
}

/** What a state directory remembers of its newest backup. */
export interface LastBackup {
  readonly at: number // ms since epoch
  readonly path: string
  readonly position: number
}

/** Remembers a backup, for `doctor`. */
export function rememberBackup(stateDir: string, last: LastBackup): void {
  writePrivate(join(stateDir, MEMORY), `${JSON.stringify(last)}\n`)
}

/** Reads what is remembered of the newest backup; null where nothing can be read. */
export function readLastBackup(stateDir: string): LastBackup | null {
  try {
    const value: unknown = JSON.parse(readFileSync(join(stateDir, MEMORY), 'utf8'))
    const [at, path] = [memberOf(value, 'at'), memberOf(value, 'path')]
    const position = memberOf(value, 'position')
    const isOne = typeof at === 'number' && typeof path === 'string'
    return isOne && typeof position === 'number' ? { at, path, position } : null
  } catch {
    return null
  }
}
