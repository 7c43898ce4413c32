/**
 * Opens a journal directory: as its writer, or to read beside it.
 *
 *   journal.mdb        the journal; 0600 in a directory of 0700
 *   journal.mdb-lock   LMDB's; never to be removed while anybody has the journal open
 *   anchor.json        what was once known to be in the journal (anchor.ts)
 *
 * A writer verifies the newest records in a child process first, because a damaged file can crash
 * whoever opens it (D-R6), then claims the next epoch, which fences older writers (S8). It never
 * makes an empty journal where one is known to have been. Step 6 of 8.
 */
import { chmodSync, existsSync, mkdirSync, statSync, statfsSync } from 'node:fs'
import { pack } from '../../protocol/codec.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { seal } from '../seal.ts'
import { AnchorKeeper, checkAnchor, readAnchor, rollback, writeAnchor } from './anchor.ts'
import { verifyTail } from './check.ts'
import {
  dataFile,
  lastPosition,
  listKeys,
  lockFile,
  newestEpoch,
  openEnvironment,
} from './environment.ts'
import { Journal } from './journal.ts'
import { commitFault, storeFailed } from './queue.ts'
import { ReaderWatch } from './readers.ts'
import { createReads, headAt, readEpoch, readHead } from './reader.ts'
import { StreamIndex } from './streams.ts'
import { watchFiles } from './watch.ts'
import type { Tree } from '../../protocol/history/merkle.ts'
import type { Head, Store, StoreReader, StoreStats, StoreTree } from '../contract.ts'
import type { Environment, Tables } from './environment.ts'
import type { JournalReads } from './reader.ts'

/** How to open a journal for writing. */
export interface OpenOptions {
  readonly directory: string
  /** The newest records, in a child process (default true); or one that is under way. */
  readonly verify?: boolean | Promise<void>
  readonly epochAbove?: number // the epoch to claim is at least the next one
  readonly freeBytes?: () => number // of the file system; tests hand in their own
  readonly monotonic?: () => number // ms; tests hand in their own
}

/**
 * Opens a journal as its writer, and makes it where there is none.
 * @throws {GatewayError} STORE_CORRUPT | STORE_ROLLBACK: the journal must not be written to;
 * STORE_FAILED: no durable environment; STORE_LOCKED: another process does not let go of the lock.
 * Nothing is changed but the epoch.
 */
export async function openLmdb(options: OpenOptions): Promise<Store> {
  const { directory } = options
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  chmodSync(directory, 0o700)
  const anchor = readAnchor(directory)
  if (existsSync(dataFile(directory))) {
    if (options.verify !== false) await verification(options)
  } else if (anchor !== null) {
    // Also where it knows of no record yet: it is written seconds after what it knows of.
    throw rollback('the journal file is gone', anchor.position, 0)
  }
  const environment = openEnvironment(directory, 'write')
  try {
    if (anchor !== null) checkAnchor(environment.tables, anchor)
    const epoch = await claimEpoch(environment.tables, options.epochAbove ?? 0)
    return await startStore(options, environment, epoch)
  } catch (error) {
    await environment.close()
    throw error
  }
}

function verification({ directory, verify }: OpenOptions): Promise<void> {
  return typeof verify === 'object' ? verify : verifyTail(directory)
}

/** Claims the next epoch on the medium. Two writers cannot claim the same one. */
async function claimEpoch(tables: Tables, above: number): Promise<number> {
  try {
    for (;;) {
      const epoch = Math.max(readEpoch(tables), above) + 1
      const key = ['epoch', epoch]
      const claimed = await tables.meta.put(key, seal(key, pack(epoch)), { noOverwrite: true })
      if (claimed !== true) continue
      const old = { start: ['epoch', 0], end: ['epoch', epoch - limits.epochsKept + 1] }
      const forgotten = listKeys(tables, 'meta', { ...old, limit: limits.commitOperationsMax })
      await Promise.all(forgotten.map((each) => tables.meta.remove(each)))
      return epoch
    }
  } catch (cause) {
    throw cause instanceof GatewayError ? cause : commitFault(cause)
  }
}

async function startStore(
  options: OpenOptions,
  environment: Environment,
  epoch: number,
): Promise<Store> {
  const { directory } = options
  const { tables, close } = environment
  await writeAnchor(directory, { ...readHead(tables), epoch })
  // An older writer may have passed its check just before our claim. Its last commit has landed by
  // now, or it will be met before our first one (journal.ts) and end this store unharmed.
  tables.records.resetReadTxn()
  const index = new StreamIndex(tables)
  index.refresh()
  const head = readHead(tables)
  const guard = (): void => {
    const fault = journal.fault()
    if (fault !== null) throw fault
  }
  const reads = createReads({ tables, index, head: () => journal.head(), guard, refresh: guard })
  const anchor = new AnchorKeeper(directory, () => ({ ...journal.head(), epoch }))
  const journal = new Journal({
    tables,
    index,
    epoch,
    head,
    newestSnapshot: reads.snapshot,
    freeBytes: options.freeBytes ?? (() => freeBytesOf(directory)),
    monotonic: options.monotonic ?? (() => performance.now()),
    onCommit: () => anchor.note(),
  })
  const stopWatch = watchFiles(
    [dataFile(directory), lockFile(directory)],
    limits.inodeCheckIntervalMs,
    (path) => journal.queue.fail(storeFailed(`${path} was replaced or removed`)),
  )
  const readers = new ReaderWatch(environment)
  return {
    ...reads,
    epoch: () => epoch,
    ...writesOf(journal),
    tree: treeOf(journal, reads, guard),
    stats: () => {
      guard()
      return {
        ...countAll(directory, tables, journal.head()),
        ...journal.queue.stats(),
        freeBytes: journal.freeBytes(),
        heldBy: readers.heldBy,
      }
    },
    close: async () => {
      stopWatch()
      readers.stop()
      await journal.close()
      // After a failure the environment is not touched again (D-R3); the process is to end.
      if (journal.queue.failure() !== null) return anchor.stop()
      await anchor.close()
      await close()
    },
  }
}

// The writer has folded what it committed: it need not read it.
function treeOf(journal: Journal, { tree }: JournalReads, guard: () => void): StoreTree {
  const head = (): Tree => {
    guard()
    return journal.tree.head()
  }
  return { ...tree, head, ready: journal.tree.ready }
}

type Writes = Omit<Store, keyof StoreReader>

function writesOf(journal: Journal): Writes {
  return {
    append: (draft) => journal.append(draft),
    putSnapshot: (stream, version, bytes) => journal.putSnapshot(stream, version, bytes),
    putCheckpoint: (name, position, bytes) => journal.putCheckpoint(name, position, bytes),
    compact: (stream, version, keep) => journal.compact(stream, version, keep),
    putHead: (position, text) => journal.putHead(position, text),
    putKey: (publicKey) => journal.putKey(publicKey),
    putCode: (id, bytes) => journal.putCode(id, bytes),
    erase: (refs) => journal.erase(refs),
    failed: journal.queue.failed,
  }
}

/** How a reader takes what is damaged. */
export interface ReadOptions {
  /**
   * Hears of damage, once for each place, and lets reading go on before it: of a damaged end
   * what is whole is served, as if the journal ended there. Without it damage is thrown.
   */
  readonly damaged?: (fault: GatewayError) => void
}

/**
 * Opens a journal to read it beside its writer, or when there is none.
 * @throws {GatewayError} NOT_FOUND: no journal; STORE_CORRUPT | STORE_ROLLBACK.
 */
export async function openLmdbReader(
  directory: string,
  { damaged }: ReadOptions = {},
): Promise<StoreReader> {
  const attempt = damaged === undefined ? run : tolerating(damaged)
  const anchor = attempt(() => readAnchor(directory)) ?? null
  if (!existsSync(dataFile(directory)) && anchor !== null && anchor.position > 0) {
    throw rollback('the journal file is gone', anchor.position, 0)
  }
  const { tables, close } = openEnvironment(directory, 'read')
  try {
    if (anchor !== null) attempt(() => checkAnchor(tables, anchor))
    const index = new StreamIndex(tables)
    const refresh = oncePerTurn(() => attempt(() => index.refresh()))
    const head = oncePerTurn(
      damaged === undefined ? cachedHead(tables) : wholeHead(tables, index, refresh),
    )
    return {
      ...createReads({ tables, index, head, guard: () => {}, refresh }),
      epoch: () => newestEpoch(tables),
      stats: () => ({
        ...countAll(directory, tables, head()),
        freeBytes: freeBytesOf(directory),
        commits: 0,
        commitMsP99: 0,
        commitWaitsMs: 0,
        heldBy: null,
      }),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

// LMDB itself shows one state of the journal for a turn of the event loop; to look for its end before
// each of a hundred questions costs more than the questions.
function oncePerTurn<T>(look: () => T): () => T {
  let seen: { readonly value: T } | null = null
  return () => {
    if (seen !== null) return seen.value
    const value = look()
    seen = { value }
    setImmediate(() => {
      seen = null
    })
    return value
  }
}

type Attempt = <T>(work: () => T) => T | undefined

const run: Attempt = (work) => work()

function tolerating(damaged: (fault: GatewayError) => void): Attempt {
  const told = new Set<string>()
  return (work) => {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      if (!told.has(error.message)) damaged(error)
      told.add(error.message)
      return undefined
    }
  }
}

// The newest record up to which all are whole.
function wholeHead(tables: Tables, index: StreamIndex, refresh: () => void): () => Head {
  return () => {
    refresh()
    return headAt(tables, index.scanned())
  }
}

function cachedHead(tables: Tables): () => Head {
  let head = readHead(tables)
  return () => {
    if (lastPosition(tables) !== head.position) head = readHead(tables)
    return head
  }
}

function countAll(
  directory: string,
  tables: Tables,
  head: Head,
): Pick<StoreStats, 'records' | 'bodies' | 'snapshots' | 'fileBytes' | 'usedBytes'> {
  return {
    records: head.position,
    bodies: entryCount(tables.bodies.getStats()),
    snapshots: entryCount(tables.snapshots.getStats()),
    fileBytes: statSync(dataFile(directory)).size,
    usedBytes: usedBytes(tables),
  }
}

function entryCount(stats: object): number {
  return countOf(stats, 'entryCount')
}

function usedBytes(tables: Tables): number {
  let bytes = 0
  for (const table of Object.values(tables)) {
    const stats = table.getStats()
    const pages =
      countOf(stats, 'treeBranchPageCount') +
      countOf(stats, 'treeLeafPageCount') +
      countOf(stats, 'overflowPages')
    bytes += pages * countOf(stats, 'pageSize')
  }
  return bytes
}

function countOf(stats: object, name: string): number {
  const count: unknown = Reflect.get(stats, name)
  return typeof count === 'number' ? count : 0
}

function freeBytesOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}
