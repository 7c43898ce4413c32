/**
 * The store in memory: the same promises but for durability, for tests and dry runs.
 *
 * Records, bodies and folds are kept sealed, as bytes, so that a value which the codec or the
 * checksum would change is found here too. Appends answer in a later turn, in the order of the
 * calls, never within the call. Step 6 of 8.
 */
import { GatewayError } from '../protocol/errors.ts'
import {
  checkBodies,
  checkBytes,
  checkName,
  checkPlace,
  checkStreamName,
  checkVersion,
  packBody,
  packDraft,
  rejected,
} from './draft.ts'
import { limits } from '../protocol/limits.ts'
import {
  ZERO_HASH,
  corruptRecord,
  seal,
  sealRecord,
  sealTombstone,
  unseal,
  unsealRecord,
} from './seal.ts'
import { MemoryProof } from './memory-proof.ts'
import { ERASED_BODY, parsePlainBody, prunedError, storedLink, storedRecord } from './shapes.ts'
import type { TableKey, UnsealedRecord } from './seal.ts'
import type {
  AppendDraft,
  Appended,
  BodyState,
  Head,
  KeepOf,
  SaltedBody,
  Store,
  StoredLink,
  StoredRecord,
  StoredSnapshot,
  StoreStats,
} from './contract.ts'

interface MemoryStream {
  readonly name: string
  readonly number: number
  readonly positions: number[] // of versions 1, 2, ...
  readonly snapshots: Map<number, Buffer> // version -> sealed bytes
}

/** Opens an empty store in memory. */
export function openMemory(): Store {
  const memory = new Memory()
  return {
    head: () => memory.head(),
    epoch: () => 1,
    read: (position) => memory.read(position),
    link: (position) => memory.link(position),
    range: (from, to) => memory.range(from, to),
    stream: (stream, fromVersion) => memory.stream(stream, fromVersion),
    version: (stream) => memory.version(stream),
    positionOf: (stream, version) => memory.positionOf(stream, version),
    versionAt: (stream, position) => memory.versionAt(stream, position),
    streams: (kind) => memory.streams(kind),
    body: (ref) => memory.salted(ref)?.bytes ?? null,
    salted: (ref) => memory.salted(ref),
    bodyState: (ref) => memory.bodyState(ref),
    refs: () => memory.refs(),
    snapshot: (stream, atVersion) => memory.snapshot(stream, atVersion),
    checkpoint: (name) => {
      const found = newest(memory.checkpoints.get(name), 'checkpoints', name, Infinity)
      return found === null ? null : { position: found.count, bytes: found.bytes }
    },
    append: (draft) => memory.append(draft),
    putSnapshot: (stream, version, bytes) => memory.putSnapshot(stream, version, bytes),
    putCheckpoint: (name, position, bytes) => memory.putCheckpoint(name, position, bytes),
    compact: (stream, version, keep) => memory.compact(stream, version, keep),
    erase: (refs) => memory.erase(refs),
    ...memory.proof.contract(),
    stats: () => memory.stats(),
    failed: new Promise(() => {}),
    close: () => memory.close(),
  }
}

class Memory {
  readonly checkpoints = new Map<string, Map<number, Buffer>>() // name -> position -> sealed
  readonly proof = new MemoryProof({
    link: (position) => this.link(position),
    head: () => this.#head.position,
    later: (work) => this.#later(work),
  })
  readonly #records: Buffer[] = [] // of positions 1, 2, ...
  readonly #streams: MemoryStream[] = [] // of numbers 1, 2, ...
  readonly #byName = new Map<string, MemoryStream>()
  readonly #bodies = new Map<string, Buffer>()
  #head: Head = { position: 0, hash: ZERO_HASH }
  #commits = 0
  #closed = false

  head(): Head {
    return this.#head
  }

  append(draft: AppendDraft): Promise<Appended> {
    return this.#later(() => {
      const known = this.#byName.get(draft.stream)
      if (known === undefined) checkStreamName(draft.stream)
      checkVersion(draft, known?.positions.length ?? 0)
      const body = packDraft(draft, known?.number ?? this.#streams.length + 1)
      checkBodies(draft.bodies ?? [])

      const position = this.#head.position + 1
      const { value, hash } = sealRecord(position, this.#head.hash, body)
      this.#head = { position, hash }
      this.#records.push(Buffer.from(value))
      for (const draftBody of draft.bodies ?? []) {
        this.#bodies.set(draftBody.ref, sealed(draftBody.ref, packBody(draftBody)))
      }
      const { positions } = known ?? this.#create(draft.stream)
      positions.push(position)
      return { position, version: positions.length }
    })
  }

  putSnapshot(stream: string, version: number, bytes: Uint8Array): Promise<void> {
    return this.#later(() => {
      const found = this.#byName.get(stream)
      checkPlace(`snapshot of ${stream}`, version, found?.positions.length ?? 0)
      checkBytes(`snapshot of ${stream}`, bytes)
      if (found === undefined) throw rejected(`snapshot: no stream ${stream}`)
      found.snapshots.set(version, sealed([found.number, version], bytes))
    })
  }

  putCheckpoint(name: string, position: number, bytes: Uint8Array): Promise<void> {
    return this.#later(() => {
      checkName(name)
      checkPlace(`checkpoint ${name}`, position, this.#head.position)
      checkBytes(`checkpoint ${name}`, bytes)
      const kept = this.checkpoints.get(name) ?? new Map<number, Buffer>()
      this.checkpoints.set(name, kept)
      kept.set(position, sealed([name, position], bytes))
      const older = [...kept.keys()].filter((at) => at < position).toSorted((a, b) => b - a)
      for (const at of older.slice(limits.checkpointsKept - 1)) kept.delete(at)
    })
  }

  compact(stream: string, version: number, keep?: KeepOf): Promise<{ removed: number }> {
    return this.#later(() => {
      const found = this.#byName.get(stream)
      const snapshot = this.snapshot(stream, version)
      if (found === undefined || snapshot === null) return { removed: 0 }
      let removed = 0
      for (const position of found.positions.slice(0, snapshot.version - 1)) {
        const record = this.#unsealed(position)
        if (record.pruned) continue
        const kept = keep?.(this.#stored(position, record)) ?? []
        this.#records[position - 1] = Buffer.from(sealTombstone(position, record, kept))
        removed += 1
      }
      return { removed }
    })
  }

  read(position: number): StoredRecord | null {
    this.#assertOpen()
    if (!Number.isSafeInteger(position) || position < 1) return null
    if (position > this.#records.length) return null
    const record = this.#unsealed(position)
    return record.pruned ? null : this.#stored(position, record)
  }

  link(position: number): StoredLink | null {
    this.#assertOpen()
    if (!Number.isSafeInteger(position) || position < 1) return null
    if (position > this.#records.length) return null
    const record = this.#unsealed(position)
    return storedLink(position, this.#nameOf(position, record), record)
  }

  *range(from: number, to = this.#head.position): Generator<StoredRecord> {
    const last = Math.min(to, this.#head.position)
    for (let position = Math.max(1, Math.ceil(from)); position <= last; position += 1) {
      const record = this.read(position)
      if (record !== null) yield record
    }
  }

  *stream(stream: string, fromVersion = 1): Generator<StoredRecord> {
    this.#assertOpen()
    const positions = [...(this.#byName.get(stream)?.positions ?? [])]
    for (const position of positions.slice(Math.max(1, Math.ceil(fromVersion)) - 1)) {
      const record = this.#unsealed(position)
      if (record.pruned) throw this.#pruned(stream, positions)
      yield this.#stored(position, record)
    }
  }

  version(stream: string): number {
    this.#assertOpen()
    return this.#byName.get(stream)?.positions.length ?? 0
  }

  positionOf(stream: string, version: number): number | null {
    this.#assertOpen()
    return this.#byName.get(stream)?.positions[version - 1] ?? null
  }

  versionAt(stream: string, position: number): number {
    this.#assertOpen()
    return this.#byName.get(stream)?.positions.filter((at) => at <= position).length ?? 0
  }

  streams(kind?: string): string[] {
    this.#assertOpen()
    const names = this.#streams.map(({ name }) => name)
    return kind === undefined ? names : names.filter((name) => name.startsWith(`${kind}:`))
  }

  salted(ref: string): SaltedBody | null {
    this.#assertOpen()
    const value = this.#bodies.get(ref)
    return value === undefined ? null : parsePlainBody(ref, unseal('bodies', ref, value))
  }

  bodyState(ref: string): BodyState {
    if (this.salted(ref) !== null) return 'there'
    return this.#bodies.has(ref) ? 'erased' : 'missing'
  }

  refs(): string[] {
    this.#assertOpen()
    return [...this.#bodies.keys()]
  }

  erase(refs: readonly string[]): Promise<{ erased: number }> {
    return this.#later(() => {
      const there = [...new Set(refs)].filter((ref) => this.bodyState(ref) === 'there')
      for (const ref of there) this.#bodies.set(ref, sealed(ref, ERASED_BODY))
      return { erased: there.length }
    })
  }

  snapshot(stream: string, atVersion = Infinity): StoredSnapshot | null {
    this.#assertOpen()
    const found = this.#byName.get(stream)
    if (found === undefined) return null
    const snapshot = newest(found.snapshots, 'snapshots', found.number, atVersion)
    return snapshot === null ? null : { version: snapshot.count, bytes: snapshot.bytes }
  }

  stats(): StoreStats {
    let fileBytes = 0
    for (const value of this.#records) fileBytes += value.length
    let snapshots = 0
    for (const stream of this.#streams) snapshots += stream.snapshots.size
    return {
      records: this.#records.length,
      bodies: this.#bodies.size,
      snapshots,
      fileBytes,
      usedBytes: fileBytes,
      freeBytes: Infinity,
      commits: this.#commits,
      commitMsP99: 0,
      commitWaitsMs: 0,
      heldBy: null,
    }
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  /** Does the work now, in the order of the calls, and answers in a later turn. */
  #later<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#assertOpen()
      const result = work()
      setImmediate(() => {
        this.#commits += 1
        resolve(result)
      })
    })
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError()
  }

  #create(name: string): MemoryStream {
    const number = this.#streams.length + 1
    const stream: MemoryStream = { name, number, positions: [], snapshots: new Map() }
    this.#streams.push(stream)
    this.#byName.set(name, stream)
    return stream
  }

  #unsealed(position: number): UnsealedRecord {
    const value = this.#records[position - 1]
    if (value === undefined) throw corruptRecord(position, 'missing')
    return unsealRecord(position, value)
  }

  #stored(position: number, record: UnsealedRecord): StoredRecord {
    return storedRecord(position, this.#nameOf(position, record), record)
  }

  #nameOf(position: number, { streamNumber }: UnsealedRecord): string {
    const stream = this.#streams[streamNumber - 1]?.name
    if (stream === undefined) throw corruptRecord(position, `unknown stream ${streamNumber}`)
    return stream
  }

  #pruned(stream: string, positions: readonly number[]): GatewayError {
    return prunedError(stream, positions.filter((at) => this.#unsealed(at).pruned).length)
  }
}

function sealed(key: TableKey, bytes: Uint8Array): Buffer {
  return Buffer.from(seal(key, bytes))
}

function newest(
  folds: ReadonlyMap<number, Buffer> | undefined,
  database: string,
  owner: string | number,
  atMost: number,
): { count: number; bytes: Uint8Array } | null {
  let found: number | null = null
  for (const count of folds?.keys() ?? []) {
    if (count <= atMost && count > (found ?? 0)) found = count
  }
  const value = found === null ? undefined : folds?.get(found)
  if (found === null || value === undefined) return null
  return { count: found, bytes: unseal(database, [owner, found], value) }
}

function closedError(): GatewayError {
  return new GatewayError('STORE_FAILED', 'store: closed', { reason: 'closed' })
}
