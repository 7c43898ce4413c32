/**
 * The writer: turns drafts into sealed records and hands them to the commit queue.
 *
 * Versions and sizes are judged when `append` is called, against what is already on its way, so a
 * stale or unacceptable draft is refused before it has a position. From then on a draft can only
 * be committed or bring the store down: positions and the hash chain have no gaps to fill. An
 * append answers when its commit is on the medium (S1). Step 6 of 8.
 */
import { pack } from '../../protocol/codec.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import {
  checkBodies,
  checkBytes,
  checkCodeId,
  checkHeadText,
  checkKey,
  checkName,
  checkPlace,
  checkStreamName,
  checkVersion,
  packBody,
  packDraft,
  rejected,
} from '../draft.ts'
import { seal, sealRecord } from '../seal.ts'
import { ERASED_BODY } from '../shapes.ts'
import { compactBelow } from './compact.ts'
import { listKeys } from './environment.ts'
import { readKeys } from './proof.ts'
import { CommitQueue, storeFailed } from './queue.ts'
import { bodyStateOf } from './reader.ts'
import { WriterTree } from './tree.ts'
import type { AppendDraft, Appended, Head, KeepOf, Store } from '../contract.ts'
import type { TableKey } from '../seal.ts'
import type { Table, Tables } from './environment.ts'
import type { CommitUnit } from './queue.ts'
import type { StreamIndex, StreamState, Write } from './streams.ts'

/** What the writer is opened over. */
export interface JournalParts {
  readonly tables: Tables
  readonly index: StreamIndex // refreshed
  readonly epoch: number // claimed by this writer
  readonly head: Head
  readonly newestSnapshot: Store['snapshot']
  readonly freeBytes: () => number // of the file system
  readonly monotonic: () => number // ms
  readonly onCommit: () => void // after each commit
}

type Settle = (fault: Error | null) => void

/** The writing half of the contract. */
export class Journal {
  readonly queue: CommitQueue
  readonly tree: WriterTree
  readonly #parts: JournalParts
  #committed: Head
  #newest: Head // of what has been handed to the queue
  #flush: Promise<void> | null = null
  #closed = false
  #free = Infinity
  #freeReadAt = -Infinity

  constructor(parts: JournalParts) {
    this.#parts = parts
    this.#committed = parts.head
    this.#newest = parts.head
    this.queue = new CommitQueue({
      check: () => this.#check(),
      refused: () => this.#refused(),
      committed: () => this.#afterCommit(),
    })
    const { tables, index, head } = parts
    const commit = (writes: readonly Write[]): Promise<void> => this.#commit(writes)
    this.tree = new WriterTree({ tables, index, size: head.position, commit })
  }

  /** The end of what is committed. */
  head(): Head {
    return this.#committed
  }

  /** Contract: Store.append. */
  append(draft: AppendDraft): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.queue.submit(this.#prepare(draft, resolve, reject))
    })
  }

  /** Contract: Store.putSnapshot. */
  async putSnapshot(stream: string, version: number, bytes: Uint8Array): Promise<void> {
    this.#assertWritable(limits.spaceRefuseBytes)
    const state = this.#parts.index.find(stream)
    checkPlace(`snapshot of ${stream}`, version, state?.version ?? 0)
    checkBytes(`snapshot of ${stream}`, bytes)
    if (state === null) throw rejected(`snapshot: no stream ${stream}`)
    await this.#commit([this.#sealed('snapshots', [state.number, version], bytes)])
  }

  /** Contract: Store.putCheckpoint. The newest limits.checkpointsKept of a name stay. */
  async putCheckpoint(name: string, position: number, bytes: Uint8Array): Promise<void> {
    this.#assertWritable(limits.spaceRefuseBytes)
    checkName(name)
    checkPlace(`checkpoint ${name}`, position, this.#committed.position)
    checkBytes(`checkpoint ${name}`, bytes)
    const { tables } = this.#parts
    const older = listKeys(tables, 'checkpoints', {
      start: [name, position - 1],
      end: [name],
      reverse: true,
    })
    const removals = older
      .slice(limits.checkpointsKept - 1)
      .map((key) => ({ table: tables.checkpoints, key, value: null, once: false }))
    await this.#commit([this.#sealed('checkpoints', [name, position], bytes), ...removals])
  }

  /** Contract: Store.compact. */
  async compact(stream: string, version: number, keep?: KeepOf): Promise<{ removed: number }> {
    this.#assertWritable(limits.spaceStopBytes)
    const { tables, index } = this.#parts
    const snapshot = this.#parts.newestSnapshot(stream, version)
    const state = index.find(stream)
    if (snapshot === null || state === null) return { removed: 0 }
    const commit = (writes: readonly Write[]): Promise<void> => this.#commit(writes)
    return compactBelow({ tables, index, commit, keep }, state, snapshot.version)
  }

  /** Contract: Store.putHead. */
  async putHead(position: number, text: string): Promise<void> {
    this.#assertWritable(limits.spaceRefuseBytes)
    checkPlace('head', position, this.#committed.position)
    checkHeadText(text)
    await this.#commit([this.#sealed('heads', position, Buffer.from(text))])
  }

  /** Contract: Store.putKey. */
  async putKey(publicKey: Uint8Array): Promise<void> {
    this.#assertWritable(limits.spaceRefuseBytes)
    checkKey(publicKey)
    const known = readKeys(this.#parts.tables)
    if (known.some((each) => Buffer.compare(each, publicKey) === 0)) return
    await this.#commit([this.#sealed('meta', ['key', known.length + 1], publicKey)])
  }

  /** Contract: Store.putCode. */
  async putCode(id: string, bytes: Uint8Array): Promise<void> {
    this.#assertWritable(limits.spaceRefuseBytes)
    checkCodeId(id)
    checkBytes(`code ${id}`, bytes)
    await this.#commit([this.#sealed('code', id, bytes)])
  }

  /** Contract: Store.erase. */
  async erase(refs: readonly string[]): Promise<{ erased: number }> {
    this.#assertWritable(limits.spaceStopBytes)
    const { tables } = this.#parts
    let erased = 0
    const left = [...new Set(refs)]
    while (left.length > 0) {
      const writes = left
        .splice(0, limits.eraseRefsPerCommit)
        .filter((ref) => bodyStateOf(tables, ref) === 'there')
        .map((ref) => this.#sealed('bodies', ref, ERASED_BODY))
      if (writes.length > 0) await this.#commit(writes)
      erased += writes.length
    }
    return { erased }
  }

  /** Refuses what comes from now on and waits for what is on its way. */
  async close(): Promise<void> {
    this.#closed = true
    this.tree.close()
    await this.#flush
    await this.queue.idle()
  }

  /** Free bytes of the file system, at most limits.spaceCheckIntervalMs old. */
  freeBytes(): number {
    const now = this.#parts.monotonic()
    if (now - this.#freeReadAt >= limits.spaceCheckIntervalMs) {
      this.#free = this.#parts.freeBytes()
      this.#freeReadAt = now
    }
    return this.#free
  }

  /** Why this store cannot be used any more, or null. */
  fault(): Error | null {
    return this.queue.failure() ?? (this.#closed ? storeFailed('closed') : null)
  }

  #assertWritable(floorBytes: number): void {
    const fault = this.fault()
    if (fault !== null) throw fault
    const free = this.freeBytes()
    if (free >= floorBytes) return
    throw new GatewayError(
      'STORE_LOW_SPACE',
      `store: expected ${floorBytes} bytes of free disk, got ${free}`,
      { freeBytes: free, neededBytes: floorBytes },
    )
  }

  /** Judges a draft and, once nothing can refuse it any more, gives it its place. */
  #prepare(
    draft: AppendDraft,
    resolve: (appended: Appended) => void,
    reject: (fault: Error) => void,
  ): CommitUnit {
    this.#assertWritable(limits.spaceStopBytes)
    const { index } = this.#parts
    const known = index.find(draft.stream)
    if (known === null) checkStreamName(draft.stream)
    checkVersion(draft, known?.pendingVersion ?? 0)
    const body = packDraft(draft, known?.number ?? index.nextNumber())
    if (draft.bodies !== undefined) checkBodies(draft.bodies)

    const position = this.#newest.position + 1
    const { value, hash } = sealRecord(position, this.#newest.hash, body)
    const head = { position, hash }
    this.#newest = head
    const writes: Write[] = [
      { table: this.#parts.tables.records, key: position, value, once: true },
    ]
    const state = known ?? this.#createStream(draft.stream, writes)
    const version = draft.expectedVersion + 1
    state.pendingVersion = version
    const bytes = value.length + this.#addBodies(draft, writes)
    const settle: Settle = (fault) => {
      if (fault !== null) return reject(fault)
      this.#committed = head
      index.add(state, version, position)
      this.tree.add(hash, state.name)
      resolve({ position, version })
    }
    return { writes, bytes, settle }
  }

  #createStream(name: string, writes: Write[]): StreamState {
    const { index, tables } = this.#parts
    const state = index.create(name)
    const { number } = state
    const table = tables.streams
    writes.push({ table, key: name, value: seal(name, pack(number)), once: true })
    writes.push({ table, key: number, value: seal(number, pack(name)), once: true })
    return state
  }

  // The same ref names the same bytes, so a body may be written again.
  #addBodies({ bodies }: AppendDraft, writes: Write[]): number {
    let bytes = 0
    for (const body of bodies ?? []) {
      writes.push(this.#sealed('bodies', body.ref, packBody(body)))
      bytes += body.bytes.length
    }
    return bytes
  }

  #sealed(name: keyof Tables, key: TableKey, bytes: Uint8Array): Write {
    const table: Table = this.#parts.tables[name]
    return { table, key, value: seal(key, bytes), once: false }
  }

  #commit(writes: readonly Write[], urgent = false): Promise<void> {
    const fault = this.fault()
    if (fault !== null) return Promise.reject(fault)
    let bytes = 0
    for (const { value } of writes) bytes += value?.length ?? 0
    return new Promise((resolve, reject) => {
      const settle: Settle = (fault) => (fault === null ? resolve() : reject(fault))
      this.queue.submit({ writes, bytes, settle }, urgent)
    })
  }

  #afterCommit(): void {
    this.#parts.onCommit()
    this.tree.settle()
    if (this.#flush !== null || this.#closed) return
    if (this.#parts.index.tailLength() <= limits.indexTailRecordsMax) return
    this.#flush = this.#flushIndex().catch((cause: unknown) => {
      // Runs that cannot be read leave a store that must not go on; closing may cut a flush short.
      if (!this.#closed) this.queue.fail(toError(cause))
    })
  }

  /**
   * Moves the tails into runs. `indexedThrough` comes last: a crash before it changes nothing.
   * Takes every second commit while it lasts, so that tails cannot grow faster than they shrink.
   */
  async #flushIndex(): Promise<void> {
    const { index } = this.#parts
    const through = this.#committed.position
    let chunk: Write[] = []
    for (const write of index.flushWrites(through)) {
      chunk.push(write)
      if (chunk.length < limits.commitOperationsMax) continue
      await this.#commit(chunk, true)
      chunk = []
    }
    chunk.push(this.#sealed('meta', 'indexedThrough', pack(through)))
    await this.#commit(chunk, true)
    index.settleFlush(through)
    this.#flush = null
  }

  /** Looks before each commit whether a newer writer has the journal (S8). */
  #check(): Error | null {
    try {
      this.#parts.tables.records.resetReadTxn()
      if (this.#isFenced()) return this.#fencedError()
      const next = this.#committed.position + 1
      if (this.#parts.tables.records.getBinaryFast(next) === undefined) return null
      return storeFailed(`position ${next} is taken`)
    } catch (cause) {
      return storeFailed('unreadable before a commit', cause)
    }
  }

  #refused(): Error {
    try {
      this.#parts.tables.meta.resetReadTxn()
      return this.#isFenced() ? this.#fencedError() : storeFailed('a put met another writer')
    } catch (cause) {
      return storeFailed('a put was refused', cause)
    }
  }

  // Epochs are claimed one by one (open.ts), so any newer writer has claimed the next.
  #isFenced(): boolean {
    return this.#parts.tables.meta.getBinaryFast(['epoch', this.#parts.epoch + 1]) !== undefined
  }

  #fencedError(): GatewayError {
    const { epoch } = this.#parts
    return new GatewayError('EPOCH_FENCED', `store: a writer newer than epoch ${epoch} is here`, {
      epoch,
    })
  }
}

function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : storeFailed('index flush failed', cause)
}
