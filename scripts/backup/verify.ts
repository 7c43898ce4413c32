/**
 * Verifies a backup: its files against the manifest, its journal in a child, its head against both.
 *
 * A manifest lies beside what it describes, so whoever changed the one could change the other:
 * only the signed head, held to a key or a head from elsewhere, proves more than a whole copy.
 */
import { join } from 'node:path'
import { checkFiles } from '../../actors/backup-files.ts'
import { BACKUP_JOURNAL, type BackupManifest, corruptBackup } from '../../protocol/backup.ts'
import { limits } from '../../protocol/limits.ts'
import { readFacts, removeLock } from '../../store/lmdb/backup.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { readManifest } from './place.ts'

/** A backup that is whole. */
export interface VerifiedBackup {
  readonly path: string
  readonly manifest: BackupManifest
  readonly unnamed: readonly string[] // files that the manifest does not name: never restored
}

/**
 * Verifies a backup.
 * @throws {GatewayError} STORE_CORRUPT, RECORD_FORMAT, PROOF_INVALID: it must not be restored.
 */
export async function verifyBackup(path: string): Promise<VerifiedBackup> {
  const manifest = readManifest(path)
  const unnamed = await checkFiles(path, manifest)
  const journal = join(path, 'journal')
  try {
    await verifyInChild(journal, { deep: true }, limits.backupVerifyMs)
  } finally {
    removeLock(journal)
  }
  const { origin, ...head } = await readFacts(journal)
  for (const [name, value] of Object.entries(head)) {
    const says: unknown = Reflect.get(manifest.head, name)
    if (says !== value) {
      throw corruptBackup(`the manifest says ${name} ${String(says)}, the journal ${String(value)}`)
    }
  }
  if (origin !== manifest.origin) throw corruptBackup('the journal begins with another record')
  return { path, manifest, unnamed: unnamed.filter((name) => name !== `${BACKUP_JOURNAL}-lock`) }
}
