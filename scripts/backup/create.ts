/**
 * Makes a backup beside a gateway that runs, or of one that does not: copied out of one moment,
 * verified in a child, and given its name only when all of it is on the medium.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { copyPlain, digestPlain, listSideFiles } from '../../actors/backup-files.ts'
import { readCodeIdentity } from '../../actors/code.ts'
import { flushDirectory, writePrivate } from '../../actors/private-file.ts'
import { systemClock } from '../../actors/services.ts'
import {
  BACKUP_JOURNAL,
  type BackupFile,
  type BackupManifest,
  formatManifest,
  MANIFEST_FILE,
  parseManifest,
} from '../../protocol/backup.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { copyInChild, readFacts, removeLock } from '../../store/lmdb/backup.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { findJournal } from '../history/place.ts'
import type { Settings } from '../settings.ts'
import { readVersion } from '../version.ts'
import { deadDrafts, draftBackup, nameBackup, prune, rememberBackup } from './place.ts'

/** What to make. */
export interface BackupWish {
  readonly settings: Pick<Settings, 'stateDir' | 'configPath'>
  readonly directory: string // of backups
  readonly keys: boolean
  readonly keep: number | null // newest backups of this journal that stay; null: all
}

/** What was made. */
export interface MadeBackup {
  readonly path: string
  readonly manifest: BackupManifest
  readonly removed: readonly string[]
}

/**
 * Makes a backup.
 * @throws {GatewayError} NOT_FOUND: no journal; STORE_LOW_SPACE, PERMISSION: not written;
 * STORE_CORRUPT: what was copied is damaged. Nothing is left behind, older backups stay.
 */
export async function createBackup(wish: BackupWish): Promise<MadeBackup> {
  const { settings, directory, keep } = wish
  const source = await findJournal(settings.stateDir)
  makePrivate(directory)
  for (const draft of deadDrafts(directory)) rmSync(draft, { recursive: true, force: true })
  const draft = draftBackup(directory)
  try {
    const manifest = await fill(draft, source, wish)
    const at = Date.parse(manifest.createdAt)
    const path = nameBackup(directory, at, manifest.head.position)
    renameSync(draft, path)
    flushDirectory(directory)
    const removed = keep === null ? [] : prune(directory, keep, manifest.origin)
    rememberBackup(settings.stateDir, { at, path, position: manifest.head.position })
    return { path, manifest, removed }
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    throw error
  }
}

async function fill(draft: string, source: string, wish: BackupWish): Promise<BackupManifest> {
  const { stateDir, configPath } = wish.settings
  makePrivate(draft)
  const journal = join(draft, 'journal')
  await copyInChild(source, journal)
  await verifyInChild(journal, { deep: true }, limits.backupVerifyMs)
  removeLock(journal)
  const { origin, ...head } = await readFacts(journal)
  const files: BackupFile[] = [await digestPlain(join(draft, BACKUP_JOURNAL), BACKUP_JOURNAL)]
  for (const side of listSideFiles(stateDir, configPath, wish.keys)) {
    files.push(await copyPlain(side, join(draft, side.path), limits.backupSideFileBytesMax))
  }
  const text = formatManifest({
    createdAt: new Date(systemClock.now()).toISOString(),
    version: readVersion(),
    node: process.versions.node,
    code: readCodeIdentity(),
    origin,
    head,
    keys: wish.keys,
    files,
  })
  const manifest = parseManifest(text) // What we would not read, we do not write.
  writePrivate(join(draft, MANIFEST_FILE), text)
  for (const place of new Set(files.map(({ path }) => join(draft, path, '..')))) {
    flushDirectory(place)
  }
  flushDirectory(draft)
  return manifest
}

function makePrivate(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    // Of a medium that is read only, a recursive mkdir says that something is not there.
    const message = `backup: ${path} cannot be made: is its disk there, and can it be written to?`
    throw new GatewayError('PERMISSION', message, { path }, cause)
  }
}
