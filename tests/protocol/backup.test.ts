/** Manifests of backups: what is one, and what is refused before any file is opened. Rules BK1–BK2. */
import * as assert from 'uvu/assert'
import {
  BACKUP_JOURNAL,
  type BackupManifest,
  formatManifest,
  isBackupPath,
  parseManifest,
} from '../../protocol/backup.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { refusal } from '../store/contract.ts'

const test = cases('backup manifest')

const sha256 = 'a'.repeat(64)
const journal = { path: BACKUP_JOURNAL, bytes: 4096, sha256 }
const good: Omit<BackupManifest, 'schema'> = {
  createdAt: '2026-11-25T10:15:00.000Z',
  version: '0.1.0',
  node: '20.19.0',
  code: 'fb91c50c3fa63778',
  origin: sha256,
  head: { position: 7, hash: sha256, root: sha256, epoch: 2, signed: null },
  keys: false,
  files: [journal, { path: 'incidents/inc-1/incident.json', bytes: 0, sha256 }],
}

test('BK1 a manifest reads as it was written', () => {
  assert.equal(parseManifest(formatManifest(good)), { schema: 'openclaw-backup/1', ...good })
})

test('BK1 what is no manifest is refused, and a newer one by its own code', async () => {
  const bad: readonly object[] = [
    { ...good, head: { ...good.head, position: -1 } },
    { ...good, head: { ...good.head, hash: 'short' } },
    { ...good, createdAt: 'yesterday' },
    { ...good, files: [] },
    { ...good, files: [{ ...journal, path: 'openclaw.json' }] },
    { ...good, files: [journal, journal] },
    { ...good, files: [{ ...journal, bytes: 1e300 }] },
    { ...good, code: 'x'.repeat(limits.backupWordCharsMax + 1) },
  ]
  for (const each of bad) {
    const text = JSON.stringify({ schema: 'openclaw-backup/1', ...each })
    await refusal(() => parseManifest(text), 'STORE_CORRUPT', text)
  }
  for (const text of ['', '{', 'null', '[]', '{"schema":"tar"}']) {
    await refusal(() => parseManifest(text), 'STORE_CORRUPT', text)
  }
  const newer = JSON.stringify({ ...good, schema: 'openclaw-backup/2' })
  await refusal(() => parseManifest(newer), 'RECORD_FORMAT')
})

test('BK2 a path leads nowhere but into the backup', async () => {
  const bad = [
    '',
    '/etc/passwd',
    '../openclaw.json',
    'config/../../x',
    'config/..',
    './x',
    'config//x',
    'config/',
    '.ssh/id',
    'a\\b',
    'a\nb',
    'a/b/c/d/e',
    'x'.repeat(300),
    'manifest.json',
  ]

  assert.equal(bad.filter(isBackupPath), [])
  for (const path of bad) {
    const text = formatManifest({ ...good, files: [journal, { ...journal, path }] })
    await refusal(() => parseManifest(text), 'STORE_CORRUPT', path)
  }
})

test.run()
