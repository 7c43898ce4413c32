/**
 * Reading what proves a journal: its tree, its signed heads and their keys, its code.
 *
 * Serves the writer and any other process alike, also over a journal whose version had none of
 * this: its roots are computed from its records. Step 6 of 8.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { leafHash } from '../../protocol/history/merkle.ts'
import { limits } from '../../protocol/limits.ts'
import { corruptRecord, corruptValue } from '../seal.ts'
import { createTree } from '../tree.ts'
import { listKeys, readRecord, readValue, walkKeys } from './environment.ts'
import type { SignedHead, StoreReader } from '../contract.ts'
import type { TreeSource } from '../tree.ts'
import type { Tables } from './environment.ts'
import type { ReadSource } from './reader.ts'

const decoder = new TextDecoder()

/** The part of the contract that reads proofs. */
export type ProofReads = Pick<
  StoreReader,
  'tree' | 'signedHead' | 'signedHeads' | 'keys' | 'code' | 'codes'
>

/** Makes the functions that read proofs. */
export function readProof(source: ReadSource): ProofReads {
  const { tables, guard } = source
  const head = (): number => {
    guard()
    return source.head().position
  }
  return {
    tree: { ...createTree(treeSource(source), head), ready: Promise.resolve() },
    signedHead: (atMost = Number.MAX_SAFE_INTEGER) => {
      guard()
      return newestHead(tables, atMost)
    },
    signedHeads: () => {
      guard()
      return readHeads(source)
    },
    keys: () => {
      guard()
      return readKeys(tables)
    },
    code: (id) => {
      guard()
      return readValue(tables, 'code', id)
    },
    codes: () => {
      guard()
      return listKeys(tables, 'code', {}).map(String)
    },
  }
}

/** Reads leaves from records and tiles from their table. */
export function treeSource({ tables, index }: Pick<ReadSource, 'tables' | 'index'>): TreeSource {
  return {
    leaf: (position) => {
      if (position % limits.readTransactionRecordsMax === 0) tables.records.resetReadTxn()
      const record = readRecord(tables, position)
      if (record === null) throw corruptRecord(position, 'missing')
      const name = index.name(record.streamNumber)
      if (name === null) throw corruptRecord(position, `unknown stream ${record.streamNumber}`)
      return leafHash(record.hash, name)
    },
    tile: (level, at) => readTile(tables, level, at),
  }
}

// Derived: what is damaged is computed, and told by `verify --deep`.
function readTile(tables: Tables, level: number, index: number): Uint8Array | null {
  try {
    return readValue(tables, 'tree', [level, index])
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'STORE_CORRUPT') return null
    throw error
  }
}

/** Counts the tiles of 256 leaves that are kept; there are no gaps before the last. */
export function tilesKept(tables: Tables): number {
  const [key] = listKeys(tables, 'tree', {
    start: [1, Number.MAX_SAFE_INTEGER],
    end: [1],
    reverse: true,
    limit: 1,
  })
  const index: unknown = Array.isArray(key) ? key[1] : -1
  return typeof index === 'number' ? index + 1 : 0
}

/**
 * Reads one signed head.
 * @throws {GatewayError} STORE_CORRUPT with details.key.
 */
export function readHeadAt(tables: Tables, position: number): SignedHead | null {
  const bytes = readValue(tables, 'heads', position)
  return bytes === null ? null : { position, text: decoder.decode(bytes) }
}

function newestHead(tables: Tables, atMost: number): SignedHead | null {
  const [key] = listKeys(tables, 'heads', { start: atMost, reverse: true, limit: 1 })
  return typeof key === 'number' ? readHeadAt(tables, key) : null
}

function* readHeads({ tables, guard }: ReadSource): Generator<SignedHead> {
  for (const key of walkKeys(tables, 'heads')) {
    guard()
    const found = typeof key === 'number' ? readHeadAt(tables, key) : null
    if (found !== null) yield found
  }
}

/** Reads the public keys of a journal, oldest first. */
export function readKeys(tables: Tables): Uint8Array[] {
  return listKeys(tables, 'meta', { start: ['key'], end: ['key', Number.MAX_SAFE_INTEGER] }).map(
    (key) => {
      const bytes = readValue(tables, 'meta', key)
      if (bytes !== null && bytes.length === 32) return bytes
      throw corruptValue('meta', key, 'no public key')
    },
  )
}
