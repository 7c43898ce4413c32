/**
 * Seals: the checksums around every stored value, and the hash chain of the records.
 *
 * LMDB keeps no page checksums, so a flipped bit or a swapped page would be served as truth
 * (D-R5). Each value therefore names, under its checksum, the key that it belongs to.
 *
 *   record      0  u8     format = 1
 *               1  u32    CRC-32 of (previous hash, position, format, body)
 *               5  32     previous hash
 *              37  ...    body: msgpack [streamNumber, version, ...fields]
 *
 *   tombstone   0  u8     format = 2: a record that was compacted away
 *               1  u32    CRC-32 of (previous hash, position, format, body)
 *               5  32     previous hash
 *              37  ...    body: 32 bytes hash of the removed record,
 *                         msgpack [streamNumber, version, ...kept]
 *
 *   any other   0  u8     format = 1
 *               1  u32    CRC-32 of (msgpack of the key, format, bytes)
 *               5  ...    bytes
 *
 * Integers are big-endian, the position under the checksum takes 8 bytes. The hash of a record is
 * SHA-256(previous hash, position, format, body); a tombstone carries that of its record on, so
 * the chain can be followed for ever. Step 6 of 8.
 */
import { crc32 } from 'node:zlib'
import { pack, unpack } from '../protocol/codec.ts'
import { sha256 } from '../protocol/digest.ts'
import { GatewayError } from '../protocol/errors.ts'

/** What a value is filed under: a position, a name, or a pair such as [streamNumber, version]. */
export type TableKey = number | string | (number | string)[]

/** The hash before the first record: 32 zero bytes. */
export const ZERO_HASH: Uint8Array = new Uint8Array(32)

const RECORD = 1
const TOMBSTONE = 2
const SEALED = 1
const HASH_BYTES = 32
const RECORD_HEADER_BYTES = 37 // format, checksum, previous hash
const SEAL_HEADER_BYTES = 5 // format, checksum
const PREFIX_BYTES = 41 // previous hash, position, format: what is digested before the body

/** A record ready to be written. */
export interface SealedRecord {
  readonly value: Uint8Array
  readonly hash: Uint8Array // 32 bytes
}

/** A record's value, its checksum passed. Views into the value, not copies. */
export interface UnsealedRecord {
  readonly pruned: boolean
  readonly previousHash: Uint8Array
  readonly hash: Uint8Array
  readonly streamNumber: number
  readonly version: number
  readonly fields: readonly unknown[] // of a tombstone: what was kept of its record
  readonly body: Uint8Array // as stored: of a tombstone, its own
}

// Digests run over one stretch of memory; this one is used again and again, and only grows.
let scratch = Buffer.allocUnsafeSlow(16 * 1024)

/** Lays out (previous hash, position, format, body) for digesting; valid until the next call. */
function digestInput(
  previousHash: Uint8Array,
  position: number,
  format: number,
  body: Uint8Array,
): Buffer {
  const length = PREFIX_BYTES + body.length
  if (length > scratch.length) scratch = Buffer.allocUnsafeSlow(length * 2)
  scratch.set(previousHash, 0)
  scratch.writeUInt32BE(Math.floor(position / 2 ** 32), 32)
  scratch.writeUInt32BE(position >>> 0, 36)
  scratch[40] = format
  scratch.set(body, PREFIX_BYTES)
  return scratch.subarray(0, length)
}

/** Encodes the body of a record: msgpack [streamNumber, version, ...fields]. */
export function packRecordBody(
  streamNumber: number,
  version: number,
  fields: readonly unknown[],
): Uint8Array {
  return pack([streamNumber, version, ...fields])
}

/** Seals a record body at its position, behind the hash of the record before it. */
export function sealRecord(
  position: number,
  previousHash: Uint8Array,
  body: Uint8Array,
): SealedRecord {
  const input = digestInput(previousHash, position, RECORD, body)
  return {
    value: frameRecord(RECORD, crc32(input), previousHash, body),
    hash: sha256(input),
  }
}

/** Seals what is left of a record that is compacted away: its links, its place, and what is kept. */
export function sealTombstone(
  position: number,
  record: UnsealedRecord,
  kept: readonly unknown[] = [],
): Uint8Array {
  const place = pack([record.streamNumber, record.version, ...kept])
  const body = Buffer.concat([record.hash, place])
  const input = digestInput(record.previousHash, position, TOMBSTONE, body)
  return frameRecord(TOMBSTONE, crc32(input), record.previousHash, body)
}

function frameRecord(
  format: number,
  checksum: number,
  previousHash: Uint8Array,
  body: Uint8Array,
): Buffer {
  const value = Buffer.allocUnsafe(RECORD_HEADER_BYTES + body.length)
  value[0] = format
  value.writeUInt32BE(checksum, 1)
  value.set(previousHash, 5)
  value.set(body, RECORD_HEADER_BYTES)
  return value
}

/**
 * Opens the value stored at a position. The value must not be changed afterwards.
 * @throws {GatewayError} STORE_CORRUPT: checksum or shape is wrong; RECORD_FORMAT: a format of a
 * newer version. Both with details.position.
 */
export function unsealRecord(position: number, value: Buffer): UnsealedRecord {
  if (value.length < RECORD_HEADER_BYTES) throw corruptRecord(position, 'value cut short')
  const format = value.readUInt8(0)
  const previousHash = value.subarray(5, RECORD_HEADER_BYTES)
  const body = value.subarray(RECORD_HEADER_BYTES)
  const input = digestInput(previousHash, position, format, body)
  if (crc32(input) !== value.readUInt32BE(1)) throw corruptRecord(position, 'checksum differs')
  if (format === RECORD) return new Unsealed(position, previousHash, body)
  if (format === TOMBSTONE) {
    const place = unpackBody(position, body.subarray(HASH_BYTES))
    return { pruned: true, previousHash, hash: body.subarray(0, HASH_BYTES), body, ...place }
  }
  throw new GatewayError('RECORD_FORMAT', `record #${position}: unknown format ${format}`, {
    position,
  })
}

// A class, since an object with a getter of its own lives until the next full collection. Most
// readers never ask for the hash, and it takes longer than all the rest of a short record.
class Unsealed implements UnsealedRecord {
  readonly pruned = false
  readonly previousHash: Uint8Array
  readonly streamNumber: number
  readonly version: number
  readonly fields: readonly unknown[]
  readonly body: Uint8Array
  #position: number
  #hash: Uint8Array | null = null

  constructor(position: number, previousHash: Uint8Array, body: Uint8Array) {
    const { streamNumber, version, fields } = unpackBody(position, body)
    this.previousHash = previousHash
    this.streamNumber = streamNumber
    this.version = version
    this.fields = fields
    this.body = body
    this.#position = position
  }

  get hash(): Uint8Array {
    this.#hash ??= sha256(digestInput(this.previousHash, this.#position, RECORD, this.body))
    return this.#hash
  }
}

function unpackBody(
  position: number,
  body: Uint8Array,
): Pick<UnsealedRecord, 'streamNumber' | 'version' | 'fields'> {
  const tuple = unpack(body)
  if (!Array.isArray(tuple)) throw corruptRecord(position, 'body is no tuple')
  const [streamNumber, version, ...fields]: unknown[] = tuple
  if (!isCount(streamNumber) || !isCount(version)) {
    throw corruptRecord(position, 'no stream number or version')
  }
  return { streamNumber, version, fields }
}

/** Tells whether a decoded value counts something from 1: a position, a version, a number. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

/** Makes the fault of a damaged record. */
export function corruptRecord(position: number, reason: string, cause?: unknown): GatewayError {
  return new GatewayError(
    'STORE_CORRUPT',
    `record #${position}: ${reason}`,
    { position, reason },
    cause,
  )
}

/** Seals the bytes filed under a key of any table but `records`. */
export function seal(key: TableKey, bytes: Uint8Array): Uint8Array {
  const value = Buffer.allocUnsafe(SEAL_HEADER_BYTES + bytes.length)
  value[0] = SEALED
  value.writeUInt32BE(sealChecksum(key, SEALED, bytes), 1)
  value.set(bytes, SEAL_HEADER_BYTES)
  return value
}

/**
 * Opens a sealed value; the bytes are a view into it.
 * @throws {GatewayError} STORE_CORRUPT with details.database and details.key.
 */
export function unseal(database: string, key: TableKey, value: Buffer): Uint8Array {
  if (value.length < SEAL_HEADER_BYTES) throw corruptValue(database, key, 'value cut short')
  const bytes = value.subarray(SEAL_HEADER_BYTES)
  const format = value.readUInt8(0)
  if (sealChecksum(key, format, bytes) !== value.readUInt32BE(1)) {
    throw corruptValue(database, key, 'checksum differs')
  }
  if (format !== SEALED) throw corruptValue(database, key, `unknown format ${format}`)
  return bytes
}

function sealChecksum(key: TableKey, format: number, bytes: Uint8Array): number {
  return crc32(bytes, crc32(Buffer.of(format), crc32(pack(key))))
}

/** Makes the fault of a damaged value outside `records`. */
export function corruptValue(
  database: string,
  key: TableKey,
  reason: string,
  cause?: unknown,
): GatewayError {
  return new GatewayError(
    'STORE_CORRUPT',
    `${database} ${JSON.stringify(key)}: ${reason}`,
    { database, key, reason },
    cause,
  )
}
