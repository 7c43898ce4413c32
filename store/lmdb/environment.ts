/**
 * The LMDB environment: one file, ten tables, the few features of lmdb-js that we trust.
 *
 *   records      position -> record                streams      name -> number, number -> name
 *   index        [number, first version] -> run    bodies       ref -> body
 *   snapshots    [number, version] -> bytes        checkpoints  [name, position] -> bytes
 *   tree         [level, index] -> 32 bytes        heads        position -> checkpoint text
 *   code         identity -> archive
 *   meta         ['epoch', n] -> n · ['key', n] -> public key · 'indexedThrough' -> position
 *
 * A journal that an older version wrote lacks the newest tables: to a reader they are empty.
 *
 * Promises that a resolved put is on the medium and was not visible before (D-R1): overlapping
 * sync is off, and the environment is asked whether it agrees. Step 6 of 8.
 */
import type * as Lmdb from 'lmdb'
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { unpack } from '../../protocol/codec.ts'
import { GatewayError, messageOf } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { isObject, memberOf } from '../../protocol/members.ts'
import { corruptRecord, corruptValue, unseal, unsealRecord } from '../seal.ts'
import { lmdb } from './native.ts'
import type { TableKey, UnsealedRecord } from '../seal.ts'

/** The part of a range that is wanted: from start (included) to end (not), or backwards. */
export interface TableRange {
  start?: TableKey
  end?: TableKey
  reverse?: boolean
  limit?: number
}

/** A table: the part of lmdb-js that the store uses. */
export interface Table {
  /** The value's bytes, valid until the next get. */
  getBinaryFast(key: TableKey): Buffer | undefined
  getKeys(range: TableRange): Iterable<TableKey>
  /** Resolves true once on the medium, false where `noOverwrite` met a value. */
  put(key: TableKey, value: Uint8Array, options?: { noOverwrite: true }): Promise<unknown>
  remove(key: TableKey): Promise<unknown>
  /** Ends the read transaction that gets share within a turn; the next get sees what is newest. */
  resetReadTxn(): void
  getStats(): object
}

const TABLE_NAMES = [
  'records',
  'streams',
  'index',
  'bodies',
  'snapshots',
  'checkpoints',
  'tree',
  'heads',
  'code',
  'meta',
] as const

export type TableName = (typeof TABLE_NAMES)[number]

export type Tables = Readonly<Record<TableName, Table>>

/** An open environment. */
export interface Environment {
  readonly tables: Tables
  /** Copies one moment of all tables, compacted, into a file that is not there yet. */
  readonly copyTo: (path: string) => Promise<void>
  /** LMDB's table of those who read, as text. */
  readonly listReaders: () => string
  readonly freeDeadReaders: () => void
  /** Number of the newest transaction that was committed. */
  readonly transaction: () => number
  readonly close: () => Promise<void>
}

const READERS_MAX = 1_024

type Root = Lmdb.RootDatabase<Buffer, TableKey>

// Native flags, from LMDB's header and lmdb-js: what must never be set on a journal.
const OVERLAPPING_SYNC = 0x1000
const NO_SYNC = 0x10000
const READ_ONLY = 0x20000
const NO_META_SYNC = 0x40000
const WRITE_MAP = 0x80000
const MAP_ASYNC = 0x100000
const UNSAFE = OVERLAPPING_SYNC | NO_SYNC | NO_META_SYNC | WRITE_MAP | MAP_ASYNC

/** Path of a journal's data file. */
export function dataFile(directory: string): string {
  return join(directory, 'journal.mdb')
}

/** Path of a journal's lock file, made by LMDB. */
export function lockFile(directory: string): string {
  return join(directory, 'journal.mdb-lock')
}

/**
 * Opens the environment of a journal directory.
 * @throws {GatewayError} NOT_FOUND: nothing to read there; STORE_FAILED: the environment is not
 * durable, or this process has it open for reading only; STORE_CORRUPT: LMDB refuses the file;
 * UNAVAILABLE: too many read it.
 */
export function openEnvironment(directory: string, access: 'read' | 'write'): Environment {
  const path = dataFile(directory)
  if (access === 'read' && !existsSync(path)) {
    throw new GatewayError('NOT_FOUND', `journal: none at ${path}`, { path })
  }
  const root = openRoot(path, access)
  try {
    if (access === 'write') {
      assertDurable(root)
      // The umask may cut LMDB's mode short (D-R11).
      chmodSync(path, 0o600)
      chmodSync(lockFile(directory), 0o600)
    }
    return {
      tables: mapTables((name) => openTable(root, name, access)),
      copyTo: (target) => root.backup(target, true),
      listReaders: () => String(callOf(root, 'readerList')),
      freeDeadReaders: () => void callOf(root, 'readerCheck'),
      transaction: () => Number(memberOf(root.getStats(), 'lastTxnId')),
      close: () => root.close(),
    }
  } catch (error) {
    void root.close()
    throw error
  }
}

// Both are missing in lmdb's types.
function callOf(root: object, name: 'readerList' | 'readerCheck'): unknown {
  const method = memberOf(root, name)
  return typeof method === 'function' ? Reflect.apply(method, root, []) : ''
}

// Tables that journals of version 0.1 do not have.
const LATER: ReadonlySet<TableName> = new Set<TableName>(['tree', 'heads', 'code'])

/** A table that is not there yet, as a reader sees it. */
const ABSENT: Table = {
  getBinaryFast: () => undefined,
  getKeys: () => [],
  put: () => Promise.reject(new Error('no table')),
  remove: () => Promise.reject(new Error('no table')),
  resetReadTxn: () => {},
  getStats: () => ({ entryCount: 0 }),
}

function openTable(root: Root, name: TableName, access: 'read' | 'write'): Table {
  const table = root.openDB<Buffer, TableKey>({ name, encoding: 'binary' })
  if (table) return table
  if (access === 'read' && LATER.has(name)) return ABSENT
  throw new GatewayError('STORE_CORRUPT', `journal: no table ${name}`, { database: name })
}

function mapTables(openTable: (name: TableName) => Table): Tables {
  return {
    records: openTable('records'),
    streams: openTable('streams'),
    index: openTable('index'),
    bodies: openTable('bodies'),
    snapshots: openTable('snapshots'),
    checkpoints: openTable('checkpoints'),
    tree: openTable('tree'),
    heads: openTable('heads'),
    code: openTable('code'),
    meta: openTable('meta'),
  }
}

function openRoot(path: string, access: 'read' | 'write'): Root {
  const options = {
    noSubdir: true,
    encoding: 'binary' as const,
    overlappingSync: false,
    readOnly: access === 'read',
    maxReaders: READERS_MAX, // Beyond the default of 126 even a plain get throws.
    maxDbs: TABLE_NAMES.length + 1,
    permissionsMode: 0o600, // Missing in lmdb's types.
  }
  try {
    return lmdb.open<Buffer, TableKey>(path, options)
  } catch (cause) {
    if (!isCrowd(cause)) {
      throw new GatewayError('STORE_CORRUPT', `journal: LMDB cannot open ${path}`, { path }, cause)
    }
    const message = `journal: ${READERS_MAX} readers have ${path} open: end some of them`
    throw new GatewayError('UNAVAILABLE', message, { path }, cause)
  }
}

// Not damage: whoever comes next finds no place in the table of readers.
function isCrowd(cause: unknown): boolean {
  return messageOf(cause).includes('MDB_READERS_FULL')
}

/** Asks lmdb-js and the native environment: an earlier open in this process fixes the flags. */
function assertDurable(root: object): void {
  const flags = nativeFlags(root)
  const durable = Reflect.get(root, 'overlappingSync') === false && (flags & UNSAFE) === 0
  if (durable && (flags & READ_ONLY) === 0) return
  throw new GatewayError(
    'STORE_FAILED',
    `journal: expected a durable environment open for writing, got flags 0x${flags.toString(16)}`,
    { flags },
  )
}

function nativeFlags(root: object): number {
  const addon = memberOf(lmdb, 'nativeAddon')
  const env = memberOf(root, 'env')
  const getEnvFlags = memberOf(addon, 'getEnvFlags')
  if (typeof getEnvFlags !== 'function' || !isObject(env)) return UNSAFE
  const flags: unknown = Reflect.apply(getEnvFlags, addon, [env['address']])
  return typeof flags === 'number' ? flags : UNSAFE
}

/**
 * Reads one value of any table but `records`, or null where there is none.
 * @throws {GatewayError} STORE_CORRUPT with details.database and details.key.
 */
export function readValue(tables: Tables, name: TableName, key: TableKey): Uint8Array | null {
  let value: Buffer | null
  try {
    value = copyOf(tables[name].getBinaryFast(key))
  } catch (cause) {
    throw corruptValue(name, key, 'page unreadable', cause)
  }
  return value === null ? null : unseal(name, key, value)
}

/** Reads and decodes one value of any table but `records`; null where there is none. */
export function readDecoded(tables: Tables, name: TableName, key: TableKey): unknown {
  const bytes = readValue(tables, name, key)
  return bytes === null ? null : unpack(bytes)
}

/**
 * Reads the value at a position, or null where there is none.
 * @throws {GatewayError} STORE_CORRUPT | RECORD_FORMAT with details.position.
 */
export function readRecord(tables: Tables, position: number): UnsealedRecord | null {
  let value: Buffer | null
  try {
    value = copyOf(tables.records.getBinaryFast(position))
  } catch (cause) {
    throw corruptRecord(position, 'page unreadable', cause)
  }
  return value === null ? null : unsealRecord(position, value)
}

// LMDB's bytes are overwritten by the next get, or with their page; ours must stay. lmdb-js sets
// `length` on a larger buffer, so the view must be cut before it is copied.
function copyOf(value: Buffer | undefined): Buffer | null {
  return value === undefined ? null : Buffer.from(value.subarray(0, value.length))
}

/**
 * Lists keys of a table, at most `range.limit`; all are read before the first is returned.
 * @throws {GatewayError} STORE_CORRUPT with details.database.
 */
export function listKeys(tables: Tables, name: TableName, range: TableRange): TableKey[] {
  try {
    return [...tables[name].getKeys(range)]
  } catch (cause) {
    throw corruptValue(name, 'keys', 'page unreadable', cause)
  }
}

/**
 * Walks the keys of a table, or of a part of it, in batches, each read in a transaction of its own,
 * so that no snapshot is held for long (S10).
 * @throws {GatewayError} STORE_CORRUPT with details.database.
 */
export function* walkKeys(
  tables: Tables,
  name: TableName,
  part: Pick<TableRange, 'start' | 'end'> = {},
): Generator<TableKey> {
  const limit = limits.readTransactionRecordsMax
  let keys = listKeys(tables, name, { ...part, limit })
  while (keys.length > 0) {
    yield* keys
    const start = keys.at(-1)
    if (start === undefined || keys.length < limit) return
    tables[name].resetReadTxn()
    // The last key of this batch comes first in the next one, where it is dropped.
    keys = listKeys(tables, name, { ...part, start, limit: limit + 1 }).slice(1)
  }
}

/** Reads the newest position, 0 for an empty journal. */
export function lastPosition(tables: Tables): number {
  const [key] = listKeys(tables, 'records', { reverse: true, limit: 1 })
  if (key === undefined) return 0
  if (typeof key === 'number') return key
  throw corruptValue('records', key, 'key is no position')
}

/** Reads the newest writer's epoch, 0 before the first. */
export function newestEpoch(tables: Tables): number {
  const [key] = listKeys(tables, 'meta', {
    start: ['epoch', Number.MAX_SAFE_INTEGER],
    end: ['epoch'],
    reverse: true,
    limit: 1,
  })
  const epoch: unknown = Array.isArray(key) ? key[1] : 0
  return typeof epoch === 'number' ? epoch : 0
}

/** Reads how far the index runs reach: all records up to this position are in runs. */
export function indexedThrough(tables: Tables): number {
  const position = readDecoded(tables, 'meta', 'indexedThrough')
  return typeof position === 'number' ? position : 0
}
