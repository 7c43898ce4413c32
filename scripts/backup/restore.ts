/**
 * Restores a backup while no gateway runs: verified first, made ready beside the journal that is
 * there, and put in its place by one decision (actors/swap.ts). The old journal is moved aside.
 *
 *   lock → verify → stage: copy, next epoch, `journal.restored`, open work settled, keys carried,
 *   head signed → configuration and keys where there are none → swap → configuration, if asked for
 *
 * A restore that ends before the swap is decided leaves everything as it was.
 */
import { existsSync, linkSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { assertSame, copyPlain, digestPlain } from '../../actors/backup-files.ts'
import { loadOpenWork } from '../../actors/projector.ts'
import {
  type Carried,
  listCarried,
  listRevoked,
  recordCarried,
  recordRevoked,
  type Settled,
  settleRestored,
} from '../../actors/restored.ts'
import { systemChance, systemClock } from '../../actors/services.ts'
import { openStateDir } from '../../actors/state-dir.ts'
import { decideSwap, dropStaged, settleSwap, stagedJournal } from '../../actors/swap.ts'
import type { OpenWork } from '../../machines/projections/open-work.ts'
import { BACKUP_JOURNAL, type BackupFile, type BackupManifest } from '../../protocol/backup.ts'
import { toGatewayError } from '../../protocol/errors.ts'
import { GATEWAY, type StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import type { Store } from '../../store/contract.ts'
import { readAnchor } from '../../store/lmdb/anchor.ts'
import { assertRoom } from '../../store/lmdb/backup.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { openLmdb, openLmdbReader } from '../../store/lmdb/open.ts'
import { overKernel, quietServices, whileStopped } from '../history/stopped.ts'
import { formatStamp } from './place.ts'
import { type VerifiedBackup, verifyBackup } from './verify.ts'

const CONFIG_FILE = 'openclaw.json'

/** What to restore, and where. */
export interface RestoreWish {
  readonly path: string
  readonly stateDir: string
  readonly configPath: string
  readonly yes: boolean // a journal that is not empty may be moved aside
  readonly config: boolean // the configuration of the backup takes the place of the one that is there
  readonly by: string
}

/** What is known of the journal that is there. */
export interface Replaced {
  readonly head: number // 0: there is none, or it is empty
  readonly epoch: number
  readonly fault: string | null // why it cannot be read
}

/** The same with its open work, null where it cannot be read. */
interface Known {
  readonly replaced: Replaced
  readonly work: OpenWork | null
  readonly revoked: readonly StreamId[] // grants that it says were taken back
}

/** A file that was there, and another in the backup. */
export interface Kept {
  readonly path: string // as the backup names it
  readonly beside: string | null // where the one of the backup, or, replaced, the old one is now
  readonly replaced: boolean
}

/** What came of a restore; `done` is false where it only says what it would do. */
export interface RestoreReport {
  readonly done: boolean
  readonly manifest: BackupManifest
  readonly replaced: Replaced
  readonly aside: string | null // name of the old journal's directory
  readonly epoch: number // the new one; 0 where nothing was done
  readonly head: number
  readonly settled: Settled | null
  readonly carried: { readonly keys: number; readonly inbound: number } | null // null: unreadable
  readonly placed: readonly string[] // files put where there were none
  readonly kept: readonly Kept[] // files that were there already
}

/**
 * Restores a backup.
 * @throws {GatewayError} ALREADY_RUNNING: a gateway runs; STORE_CORRUPT, RECORD_FORMAT: the backup
 * is damaged, or a newer version's; PERMISSION, STORE_LOW_SPACE: nothing was changed.
 */
export async function restoreBackup(wish: RestoreWish): Promise<RestoreReport> {
  const { stateDir, path } = wish
  await openStateDir(stateDir)
  return whileStopped(stateDir, async () => {
    try {
      const verified = await verifyBackup(path)
      const known = await lookAt(join(stateDir, 'journal'))
      if (known.replaced.head > 0 && !wish.yes) return refuse(verified, known)
      return await restore(wish, verified, known)
    } finally {
      dropStaged(stateDir)
    }
  })
}

/** Looks at the journal that will be replaced; damaged ones are looked at in a child only. */
async function lookAt(directory: string): Promise<Known> {
  const anchor = attempt(() => readAnchor(directory))
  const { position = 0, epoch = 0 } = anchor ?? {}
  if (!existsSync(join(directory, 'journal.mdb'))) {
    return { replaced: { head: position, epoch, fault: null }, work: null, revoked: [] }
  }
  try {
    await verifyInChild(directory, { deep: true }, limits.backupVerifyMs)
    const reader = await openLmdbReader(directory)
    try {
      const { position: head } = reader.head()
      const replaced = { head, epoch: reader.epoch(), fault: null }
      return { replaced, work: loadOpenWork(reader), revoked: listRevoked(reader) }
    } finally {
      await reader.close()
    }
  } catch (thrown) {
    // It may hold records all the same, so it counts as one that is not empty.
    const fault = toGatewayError(thrown).message
    return { replaced: { head: Math.max(1, position), epoch, fault }, work: null, revoked: [] }
  }
}

function attempt<T>(work: () => T): T | null {
  try {
    return work()
  } catch {
    return null
  }
}

function refuse({ manifest }: VerifiedBackup, { replaced }: Known): RestoreReport {
  const nothing = { aside: null, epoch: 0, head: 0, settled: null, carried: null }
  return { done: false, manifest, replaced, ...nothing, placed: [], kept: [] }
}

async function restore(
  wish: RestoreWish,
  { path, manifest }: VerifiedBackup,
  known: Known,
): Promise<RestoreReport> {
  const { stateDir } = wish
  const staged = stagedJournal(stateDir)
  dropStaged(stateDir)
  const [journal] = manifest.files.filter((file) => file.path === BACKUP_JOURNAL)
  if (journal !== undefined) {
    assertRoom(journal.bytes, stateDir)
    const from = { path: BACKUP_JOURNAL, source: join(path, BACKUP_JOURNAL) }
    assertSame(journal, await copyPlain(from, join(staged, 'journal.mdb'), journal.bytes))
  }
  const { placed, kept: beside } = await placeFiles(wish, path, manifest)
  const reborn = await beginAnew(wish, manifest, known)
  const name = `journal.before-restore-${formatStamp(systemClock.now())}`
  decideSwap(stateDir, name)
  settleSwap(stateDir)
  const kept = wish.config ? beside.map((each) => replaceConfig(wish.configPath, each)) : beside
  const aside = existsSync(join(stateDir, name)) ? name : null
  return { done: true, manifest, replaced: known.replaced, aside, ...reborn, placed, kept }
}

/**
 * Puts files of the backup where there are none. What is there stays, and the configuration of the
 * backup is put beside it. A key is never doubled.
 */
async function placeFiles(
  wish: RestoreWish,
  path: string,
  { files }: BackupManifest,
): Promise<{ placed: string[]; kept: Kept[] }> {
  const placed: string[] = []
  const kept: Kept[] = []
  for (const file of files.filter((each) => each.path !== BACKUP_JOURNAL)) {
    const isConfig = file.path === CONFIG_FILE
    const target = isConfig ? wish.configPath : join(wish.stateDir, file.path)
    const source = { path: file.path, source: join(path, file.path) }
    const copyTo = async (to: string): Promise<void> =>
      assertSame(file, await copyPlain(source, to, limits.backupSideFileBytesMax))
    if (!existsSync(target)) {
      await copyTo(target)
      placed.push(file.path)
    } else if (!(await isSame(target, file))) {
      // Named by the moment: two restores leave two files.
      const beside = isConfig ? `${target}.restored-${formatStamp(systemClock.now())}` : null
      if (beside !== null) await copyTo(beside)
      kept.push({ path: file.path, beside, replaced: false })
    }
  }
  return { placed, kept }
}

/** Lets the configuration that was put beside the other change places with it. */
function replaceConfig(target: string, kept: Kept): Kept {
  if (kept.path !== CONFIG_FILE || kept.beside === null) return kept
  const old = `${target}.before-restore-${formatStamp(systemClock.now())}`
  linkSync(target, old) // Both names, until one rename decides: there is a configuration throughout.
  renameSync(kept.beside, target)
  return { ...kept, beside: old, replaced: true }
}

async function isSame(target: string, { path, bytes, sha256 }: BackupFile): Promise<boolean> {
  const found = await digestPlain(target, path, bytes).catch(() => null)
  return found?.sha256 === sha256
}

type Reborn = Pick<RestoreReport, 'epoch' | 'head' | 'settled' | 'carried'>

/** Opens the staged journal in an epoch above both, and records there what it is now. */
async function beginAnew(
  { stateDir, by }: RestoreWish,
  { head }: BackupManifest,
  { replaced, work: before, revoked }: Known,
): Promise<Reborn> {
  const epochAbove = Math.max(replaced.epoch, head.epoch)
  const store = await openLmdb({ directory: stagedJournal(stateDir), verify: false, epochAbove })
  try {
    const carried = await live(store, stateDir, {
      event: {
        type: 'journal.restored',
        backupHead: head.position,
        backupHash: head.hash,
        replacedHead: replaced.head,
        by,
      },
      before,
      revoked,
    })
    return { epoch: store.epoch(), head: store.head().position, ...carried }
  } finally {
    await store.close()
  }
}

async function live(
  store: Store,
  stateDir: string,
  {
    event,
    before,
    revoked,
  }: Pick<Known, 'revoked'> & {
    readonly event: JournalEvent
    readonly before: OpenWork | null
  },
): Promise<Pick<Reborn, 'settled' | 'carried'>> {
  const correlationId = systemChance.hex(limits.correlationIdBytes)
  const alive = setInterval(() => {}, limits.restoreSettleMs) // The clock's timers keep nobody.
  try {
    return await overKernel(store, stateDir, async (kernel) => {
      await kernel.registry.deliver(GATEWAY, { event, cause: 'sys:restore', correlationId })
      const carried: Carried | null = before === null ? null : listCarried(before, kernel.work)
      if (carried !== null) await recordCarried(kernel, carried, correlationId)
      await recordRevoked(kernel, revoked, correlationId)
      const settled = await settleRestored(kernel, quietServices)
      const counts =
        carried === null ? null : { keys: carried.keys.length, inbound: carried.inbound.length }
      return { settled, carried: counts }
    })
  } finally {
    clearInterval(alive)
  }
}
