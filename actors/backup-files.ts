/**
 * Files of a backup: gathered from a state directory, copied with their digests, held to a manifest.
 *
 * No symbolic link is followed but that of the configuration, which its owner may keep elsewhere.
 * A size is compared before a byte is read, and a digest before a byte is believed.
 */
import { createHash } from 'node:crypto'
import { constants, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  BACKUP_JOURNAL,
  type BackupFile,
  type BackupManifest,
  corruptBackup,
  isBackupPath,
  MANIFEST_FILE,
} from '../protocol/backup.ts'
import { GatewayError, messageOf } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { isDraft } from './private-file.ts'

const CHUNK_BYTES = 1024 * 1024
const DEPTH_MAX = 3 // Directories in directories: incidents/<id>/.

/** A file beside the journal, and where it lies in a backup. */
export interface SideFile {
  readonly path: string // in the backup, and in a state directory
  readonly source: string
}

/** Lists what belongs into a backup beside the journal. Links and odd names are left out. */
export function listSideFiles(
  stateDir: string,
  configPath: string,
  keys: boolean,
): readonly SideFile[] {
  const config = statSync(configPath, { throwIfNoEntry: false })
  const own = ['config', 'incidents', 'archive', ...(keys ? ['keys'] : [])].flatMap((name) =>
    filesBelow(stateDir, name, DEPTH_MAX),
  )
  const single = keys ? ['client.json'] : []
  const paths = [...own, ...single].filter((path) => isFile(join(stateDir, path)))
  return [
    ...(config?.isFile() === true ? [{ path: 'openclaw.json', source: configPath }] : []),
    ...paths
      .filter((path) => isBackupPath(path) && !isDraft(path))
      .map((path) => ({ path, source: join(stateDir, path) })),
  ]
}

function filesBelow(root: string, path: string, depth: number): string[] {
  const found = lstatSync(join(root, path), { throwIfNoEntry: false })
  if (found?.isDirectory() !== true) return found?.isFile() === true ? [path] : []
  if (depth === 0) return []
  return readdirSync(join(root, path)).flatMap((name) =>
    filesBelow(root, `${path}/${name}`, depth - 1),
  )
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true
}

/**
 * Copies a file, 0600, flushed, and digests it on the way. The target must not be there.
 * @throws {GatewayError} STORE_CORRUPT: no plain file, or larger than `bytesMax`; PERMISSION,
 * STORE_LOW_SPACE: not written.
 */
export async function copyPlain(
  { path, source }: SideFile,
  target: string,
  bytesMax: number,
): Promise<BackupFile> {
  const isLinkAllowed = path === 'openclaw.json'
  const from = await openPlain(source, path, isLinkAllowed)
  try {
    if ((await from.stat()).size > bytesMax) throw corruptBackup(`${path} is too large`)
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
    const to = await open(target, 'wx', 0o600)
    try {
      const digested = await digest(from, (chunk) => to.write(chunk))
      await to.sync()
      return { path, ...digested }
    } finally {
      await to.close()
    }
  } catch (cause) {
    throw notCopied(path, cause)
  } finally {
    await from.close()
  }
}

function notCopied(path: string, cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause
  const reason = messageOf(cause)
  const code = /ENOSPC/.test(reason) ? 'STORE_LOW_SPACE' : 'PERMISSION'
  return new GatewayError(code, `backup: ${path} was not written: ${reason}`, { path }, cause)
}

/**
 * Holds the files of a backup to its manifest. Resolves with the paths that it does not name.
 * @throws {GatewayError} STORE_CORRUPT: a file is missing, a link, of another size or content.
 */
export async function checkFiles(directory: string, manifest: BackupManifest): Promise<string[]> {
  for (const file of manifest.files) {
    const { path, bytes } = file
    if (path !== BACKUP_JOURNAL && bytes > limits.backupSideFileBytesMax) {
      throw corruptBackup(`${path} is too large`)
    }
    assertNoLinks(directory, path)
    assertSame(file, await digestPlain(join(directory, path), path, bytes))
  }
  const named = new Set([...manifest.files.map(({ path }) => path), MANIFEST_FILE])
  const all = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return all.filter((path) => !named.has(path) && isFile(join(directory, path)))
}

/** Holds what was read of a file to what was promised. @throws {GatewayError} STORE_CORRUPT */
export function assertSame(promised: BackupFile, found: Omit<BackupFile, 'path'>): void {
  const { path, bytes, sha256 } = promised
  if (found.bytes !== bytes) {
    throw corruptBackup(`${path} has ${found.bytes} bytes, the manifest says ${bytes}`)
  }
  if (found.sha256 !== sha256) throw corruptBackup(`${path} is not the file that was backed up`)
}

function assertNoLinks(directory: string, path: string): void {
  const parts = path.split('/')
  for (let length = 1; length < parts.length; length += 1) {
    const part = parts.slice(0, length).join('/')
    const found = lstatSync(join(directory, part), { throwIfNoEntry: false })
    if (found?.isDirectory() !== true) throw corruptBackup(`${part} is no directory`)
  }
}

/**
 * Digests a plain file of a backup; one that has not the size that is expected is not read.
 * @throws {GatewayError} STORE_CORRUPT: it is missing, or a link.
 */
export async function digestPlain(
  source: string,
  path: string,
  bytes: number | null = null,
): Promise<BackupFile> {
  const file = await openPlain(source, path, false)
  try {
    const { size } = await file.stat()
    if (bytes !== null && size !== bytes) return { path, bytes: size, sha256: '' }
    return { path, ...(await digest(file, () => Promise.resolve())) }
  } finally {
    await file.close()
  }
}

async function openPlain(path: string, name: string, isLinkAllowed: boolean): Promise<FileHandle> {
  const noLink = isLinkAllowed ? 0 : constants.O_NOFOLLOW
  let file: FileHandle
  try {
    // A pipe that nobody writes to must not be waited for.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | noLink)
  } catch (cause) {
    const reason = messageOf(cause)
    throw corruptBackup(`${name} cannot be read: ${reason}`, cause)
  }
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw corruptBackup(`${name} is no plain file`)
}

async function digest(
  file: FileHandle,
  also: (chunk: Buffer) => Promise<unknown>,
): Promise<Omit<BackupFile, 'path'>> {
  const hash = createHash('sha256')
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  for (let bytes = 0; ;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, bytes)
    if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') }
    bytes += bytesRead
    hash.update(chunk.subarray(0, bytesRead))
    await also(chunk.subarray(0, bytesRead))
  }
}
