/**
 * Archives: files under `archive/` that records go into before retention takes them away.
 *
 *   batch ─► cut ─► written, flushed, renamed, its directory flushed ─► read back, held to the journal
 *        ─► only then the journal lets go
 *
 * `<from>-<to>-<head>.ocinc`, positions and the beginning of the journal's head hash: incident files
 * (store/bundle.ts), read by the same verbs. Nothing is ever written over: after a crash before the
 * removal the same records are archived once more under another name. They hold no bodies, so that
 * retention and erasure need not look into them.
 */
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { GatewayError } from '../protocol/errors.ts'
import { isEqual } from '../protocol/history/merkle.ts'
import type { StreamId } from '../protocol/ids.ts'
import { memberOf } from '../protocol/members.ts'
import { corruptBundle } from '../store/bundle.ts'
import type { StoreReader } from '../store/contract.ts'
import { batchStretches, cutArchive, type Stretch } from './archive-cut.ts'
import { type BundleParts, readBundle, writeBundle } from './bundle.ts'
import { flushDirectory, notWritten, writePrivate } from './private-file.ts'
import type { Clock } from './services.ts'
import { makeDirectory } from './state-dir.ts'

const DIRECTORY = 'archive'
const NAME = /^\d{9,}-\d{9,}-[0-9a-f]{12}(?:-\d+)?\.ocinc$/
const HEAD_CHARS = 12 // Of a hash: enough to tell journals apart.
const DIGITS = 9 // So that names sort as positions do.

/** What would be archived. */
export interface ArchivePlan {
  readonly directory: string
  readonly files: number
  readonly records: number // each actor's newest, which stays in the journal too, among them
}

/** What was archived. */
export interface Archived {
  readonly files: readonly string[] // names
  /** Up to which version each stream is archived: only below may its records go. */
  readonly through: ReadonlyMap<StreamId, number>
}

/** The archive of a state directory. */
export interface Archive {
  readonly directory: string
  /** Bytes of all its files, as of the opening or the last one written. */
  readonly bytes: () => number
  readonly plan: (store: StoreReader, streams: readonly StreamId[]) => ArchivePlan
  /**
   * Archives what is left of some streams. When it resolves, every file is on the medium.
   * @throws {GatewayError} STORE_LOW_SPACE, PERMISSION: not written; STORE_CORRUPT: not what the
   * journal has. Nothing of the journal may go then.
   */
  readonly keep: (
    store: StoreReader,
    streams: readonly StreamId[],
    policy: string,
  ) => Promise<Archived>
}

interface Maker {
  readonly code: string // identity of this code
  readonly tool: string // version that writes
  readonly clock: Pick<Clock, 'now'>
}

/** Opens the archive of a state directory; nothing is written before `keep`. */
export function openArchive(stateDir: string, { code, tool, clock }: Maker): Archive {
  const directory = join(stateDir, DIRECTORY)
  let bytes = archiveBytes(stateDir)
  return {
    directory,
    bytes: () => bytes,
    plan: (store, streams) => {
      const batches = batchStretches(store, streams)
      const records = batches.flat().reduce((sum, { from, to }) => sum + to - from + 1, 0)
      return { directory, files: batches.length, records }
    },
    keep: async (store, streams, policy) => {
      const batches = batchStretches(store, streams)
      if (batches.length > 0) await prepare(stateDir, directory)
      const files: string[] = []
      for (const batch of batches) {
        const told = { policy, code, tool, madeAt: clock.now() }
        files.push(write(directory, cutArchive(store, batch, told), store))
        await turn() // Others are served between two files.
      }
      bytes = archiveBytes(stateDir)
      return { files, through: throughOf(batches.flat()) }
    },
  }
}

/** Lists the archives of a state directory by name, oldest positions first. */
export function listArchives(stateDir: string): string[] {
  try {
    return readdirSync(join(stateDir, DIRECTORY))
      .filter((name) => NAME.test(name))
      .toSorted()
  } catch (error) {
    if (memberOf(error, 'code') === 'ENOENT') return [] // Nothing was ever archived.
    throw error
  }
}

/** Tells where an archive of a name lies. */
export function archivePath(stateDir: string, name: string): string {
  return join(stateDir, DIRECTORY, name)
}

/** Sums up the bytes of all files in the archive of a state directory. */
export function archiveBytes(stateDir: string): number {
  const directory = join(stateDir, DIRECTORY)
  try {
    return readdirSync(directory)
      .map((name) => lstatSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0)
      .reduce((sum, size) => sum + size, 0)
  } catch {
    return 0 // Not there, or not to be read: `keep` says which.
  }
}

async function prepare(stateDir: string, directory: string): Promise<void> {
  const found = lstatSync(directory, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return
  if (found !== undefined) {
    throw new GatewayError('PERMISSION', `${directory} is no directory`, { path: directory })
  }
  await makeDirectory(directory)
  flushDirectory(stateDir)
}

function write(directory: string, parts: BundleParts, store: StoreReader): string {
  const name = freeName(directory, parts)
  const path = join(directory, name)
  const bytes = writeBundle(parts)
  try {
    writePrivate(path, bytes)
    flushDirectory(directory)
    holdToJournal(name, readFileSync(path), { parts, store })
  } catch (thrown) {
    throw notArchived(path, thrown)
  }
  return name
}

function freeName(directory: string, { manifest: { range, head } }: BundleParts): string {
  const [from, to] = [range.from, range.to].map((each) => String(each).padStart(DIGITS, '0'))
  const stem = `${from}-${to}-${head.hash.slice(0, HEAD_CHARS)}`
  let name = `${stem}.ocinc`
  for (let count = 2; existsSync(join(directory, name)); count += 1) {
    name = `${stem}-${count}.ocinc`
  }
  return name
}

// What is in the file is what the journal has: hashes are made again from its bytes.
function holdToJournal(
  name: string,
  bytes: Uint8Array,
  { parts, store }: { readonly parts: BundleParts; readonly store: StoreReader },
): void {
  const { records } = readBundle(bytes).chain
  const differs = records.find(({ position, stream, hash }) => {
    const link = store.link(position)
    return link?.stream !== stream || !isEqual(link.hash, hash)
  })
  if (records.length === parts.chain.records.length && differs === undefined) return
  throw corruptBundle(name, `not what the journal has at #${differs?.position ?? 0}`)
}

function notArchived(path: string, thrown: unknown): unknown {
  const fault = thrown instanceof GatewayError ? thrown.cause : thrown
  const code = memberOf(fault, 'code')
  if (code !== 'ENOSPC' && code !== 'EDQUOT') {
    return thrown instanceof GatewayError ? thrown : notWritten(path, thrown)
  }
  const message = `${path}: not written: the disk is full; nothing of the journal was removed`
  return new GatewayError('STORE_LOW_SPACE', message, { path }, thrown)
}

function throughOf(stretches: readonly Stretch[]): Map<StreamId, number> {
  const through = new Map<StreamId, number>()
  for (const { stream, to } of stretches) {
    through.set(stream, Math.max(to, through.get(stream) ?? 0))
  }
  return through
}
