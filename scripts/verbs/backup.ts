/**
 * `openclaw backup`: copies of the journal, the configuration and, where asked for, the keys.
 */
import type { BackupManifest } from '../../protocol/backup.ts'
import type { FoundBackup } from '../backup/place.ts'
import type { Kept, RestoreReport } from '../backup/restore.ts'
import { jsonArgs, wholeNumber } from '../arguments.ts'
import { EXIT } from '../exit.ts'
import { columns, formatBytes, note, show, showJson } from '../output.ts'
import { readSettings } from '../settings.ts'
import { defineVerb } from '../verb.ts'

const KEEP_MAX = 10_000

const outArgs = {
  out: {
    type: 'string',
    valueHint: 'DIR',
    description: 'directory of backups (default: beside the state directory, named -backups)',
  },
} as const

const pathArg = {
  type: 'positional',
  required: true,
  valueHint: 'PATH',
  description: 'the backup or its manifest',
} as const

/** Exit code 0: made and verified; 12: the journal is damaged, nothing was made. */
export const backupCreate = defineVerb({
  name: 'backup create',
  description: 'Copy the journal, also beside a gateway that runs, and verify the copy',
  args: {
    ...jsonArgs,
    ...outArgs,
    keep: { type: 'string', valueHint: 'N', description: 'remove all but the newest N' },
    keys: { type: 'boolean', description: 'also the keys: whoever has the copy is this gateway' },
  },
  async run(args) {
    const settings = await readSettings({})
    const keep = args.keep === undefined ? null : wholeNumber('--keep', args.keep, 1, KEEP_MAX)
    const { backupDirectory } = await import('../backup/place.ts')
    const directory = backupDirectory(settings.stateDir, args.out)
    const { createBackup } = await import('../backup/create.ts')
    const made = await createBackup({ settings, directory, keep, keys: args.keys === true })
    const { path, manifest, removed } = made
    if (args.json) {
      const { head, files, keys } = manifest
      showJson({ ok: true, schema: 'openclaw-backup-made/1', path, head, files, keys, removed })
      return 0
    }
    show(path)
    show(`${manifest.head.position} records, ${formatBytes(bytesOf(manifest.files))}, verified`)
    for (const old of removed) show(`removed ${old}`)
    if (!manifest.keys) note('Without the keys: --keys takes them along.')
    return 0
  },
})

/** Exit code 0: whole; 12: not; 10: no backup there. */
export const backupVerify = defineVerb({
  name: 'backup verify',
  description: 'Check a backup: every file, every record, every signed head',
  args: {
    ...jsonArgs,
    path: pathArg,
  },
  async run(args) {
    const { findBackup } = await import('../backup/place.ts')
    const { verifyBackup } = await import('../backup/verify.ts')
    const { path, manifest, unnamed } = await verifyBackup(findBackup(args.path))
    const { head, createdAt } = manifest
    if (args.json) {
      const schema = 'openclaw-backup-verified/1'
      showJson({ ok: true, schema, path, createdAt, head, unnamed })
      return 0
    }
    show(
      `${path} is whole: ${head.position} records of ${createdAt}, head ${head.hash.slice(0, 16)}`,
    )
    for (const name of unnamed) note(`${name} is not in the manifest; it would not be restored`)
    return 0
  },
})

/** Exit code 0: there are some; 10: none. */
export const backupList = defineVerb({
  name: 'backup list',
  description: 'List the backups',
  args: { ...jsonArgs, ...outArgs },
  async run(args) {
    const { stateDir } = await readSettings({})
    const { backupDirectory, listBackups } = await import('../backup/place.ts')
    const directory = backupDirectory(stateDir, args.out)
    const backups = listBackups(directory)
    if (args.json) showJson({ ok: true, directory, backups: backups.map(rowOf) })
    else showBackups(backups, directory)
    return backups.length === 0 ? EXIT.nothing : 0
  },
})

function rowOf({ path, manifest, fault }: FoundBackup): object {
  if (manifest === null) return { path, fault }
  const { createdAt, head, keys, version, files } = manifest
  const { position, hash } = head
  return { path, createdAt, position, hash, bytes: bytesOf(files), keys, version }
}

function showBackups(backups: readonly FoundBackup[], directory: string): void {
  if (backups.length === 0) note(`no backups in ${directory}`)
  const rows = backups.map(({ path, manifest, fault }) =>
    manifest === null
      ? [path, fault ?? '']
      : [
          path,
          manifest.createdAt,
          `#${manifest.head.position}`,
          formatBytes(bytesOf(manifest.files)),
        ],
  )
  for (const line of columns(rows)) show(line)
}

function bytesOf(files: BackupManifest['files']): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Exit code 0: restored; 14: a journal is there, --yes is missing; 12: the backup is damaged. */
export const backupRestore = defineVerb({
  name: 'backup restore',
  description:
    'Put a backup in the place of the journal, which is moved aside. What may have been sent ' +
    'since the backup is not sent again: it becomes uncertain',
  args: {
    ...jsonArgs,
    path: pathArg,
    yes: { type: 'boolean', description: 'also where a journal is there' },
    config: {
      type: 'boolean',
      description: 'also its configuration, where another is there; that one is kept beside it',
    },
  },
  async run(args) {
    const { stateDir, configPath } = await readSettings({})
    const { findBackup } = await import('../backup/place.ts')
    const path = findBackup(args.path)
    const { restoreBackup } = await import('../backup/restore.ts')
    const [yes, config] = [args.yes === true, args.config === true]
    const wish = { path, stateDir, configPath, yes, config, by: 'operator' }
    const report = await restoreBackup(wish)
    if (args.json) {
      const { done: ok, manifest, ...rest } = report
      showJson({ ok, schema: 'openclaw-restore/1', path, backup: manifest.head, ...rest })
    } else if (report.done) tell(report)
    else refuse(report)
    return report.done ? 0 : EXIT.refused
  },
})

function refuse({ manifest, replaced }: RestoreReport): void {
  const there = replaced.fault === null ? `${replaced.head} records` : replaced.fault
  show(`would replace the journal that is there (${there})`)
  show(`by ${manifest.head.position} records of ${manifest.createdAt}`)
  note('Nothing was changed. Say --yes to do it; the journal that is there is moved aside.')
}

function tell({ manifest, aside, replaced, epoch, settled, carried, kept }: RestoreReport): void {
  show(`restored ${manifest.head.position} records of ${manifest.createdAt}, in epoch ${epoch}`)
  if (aside !== null) show(`the journal that was here is now ${aside}`)
  if (settled !== null) {
    const { uncertain, aborted, lost } = settled
    show(`${uncertain} deliveries uncertain, ${aborted} runs aborted, ${lost} effects lost`)
  }
  if (carried !== null) {
    show(`${carried.keys} idempotency keys and ${carried.inbound} messages carried over`)
  } else if (replaced.head > 0) {
    note('The journal that was here cannot be read: keys used after the backup are forgotten.')
  }
  for (const each of kept) note(keptSays(each))
  note('Devices that witnessed later heads will say that this journal does not extend them.')
}

function keptSays({ path, beside, replaced }: Kept): string {
  if (replaced) return `${path} is that of the backup now; the one that was here is ${beside}.`
  const stays = `${path} was here already and stays as it is`
  if (beside === null) return `${stays}.`
  return `${stays}; that of the backup is ${beside}. With --config it takes its place.`
}
