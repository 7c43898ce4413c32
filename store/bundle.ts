/**
 * Bundles: the container of incident files (`.ocinc`). One file that needs nothing else.
 *
 *   0    8  magic 89 'O' 'C' 'I' 'N' 0d 0a 1a   (a copy as text breaks it, and that is seen)
 *   8    1  u8   format = 1
 *   9    2  u16  bytes of the header
 *  11    .  header: msgpack {schema}
 *   .    .  frames: one msgpack document each, brotli by itself
 *   .    .  index: msgpack [[kind, offset, bytes, bytes inflated], ...]
 *   .    4  u32  bytes of the index
 *   .   32  SHA-256 over everything before it
 *
 * Integers are big-endian. Frames lie one behind the other without gaps; those of a kind that is
 * not known are passed over, so that a later version may add some. Pure over bytes: what the
 * documents say is for others. Counts, sizes and depths are bounded before anything is inflated.
 */
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import { pack, sha256 } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { quote } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { memberOf } from '../protocol/members.ts'
import { unpackForeign } from './document.ts'

/** What a file of this kind says it is, in its header and its manifest. */
export const BUNDLE_SCHEMA = 'openclaw-incident/1'

/** The kinds of frame. Those of one kind are read in the order in which they were written. */
export const FRAME_KINDS = [
  'manifest',
  'bases',
  'records',
  'bodies',
  'notes',
  'code',
  'proofs',
] as const

export type FrameKind = (typeof FRAME_KINDS)[number]

/** One document on its way into a bundle. */
export interface Frame {
  readonly kind: FrameKind
  readonly document: unknown // msgpack: plain values and bytes
}

/** A bundle read back: its digest fits, its frames are inflated and decoded. */
export interface Container {
  readonly documents: (kind: FrameKind) => readonly unknown[]
  readonly skipped: readonly string[] // kinds that this version does not know
  readonly digest: Uint8Array // 32 bytes
}

const MAGIC = Buffer.from([0x89, 0x4f, 0x43, 0x49, 0x4e, 0x0d, 0x0a, 0x1a])
const FORMAT = 1
const HEAD_BYTES = 11 // magic, format, length of the header
const TAIL_BYTES = 36 // length of the index, digest
const QUALITY = 5 // Near zstd in size at its speed; Node 20 has no zstd.

/**
 * Writes a bundle.
 * @throws {GatewayError} PAYLOAD_TOO_LARGE: a frame or the whole passes its bound.
 */
export function formatBundle(frames: readonly Frame[]): Uint8Array {
  const header = pack({ schema: BUNDLE_SCHEMA })
  const head = Buffer.alloc(HEAD_BYTES)
  head.set(MAGIC)
  head.writeUInt8(FORMAT, 8)
  head.writeUInt16BE(header.length, 9)
  const parts: Uint8Array[] = [head, header]
  const index: [string, number, number, number][] = []
  let offset = HEAD_BYTES + header.length
  for (const { kind, document } of frames) {
    const raw = pack(document)
    checkSize(`frame ${kind}`, raw.length, limits.bundleFrameBytesMax)
    const packed = deflate(raw)
    index.push([kind, offset, packed.length, raw.length])
    parts.push(packed)
    offset += packed.length
  }
  const indexBytes = pack(index)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(indexBytes.length)
  const body = Buffer.concat([...parts, indexBytes, length])
  checkSize('file', body.length + 32, limits.bundleBytesMax)
  return Buffer.concat([body, sha256(body)])
}

function checkSize(what: string, bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return
  const message = `incident ${what}: expected at most ${bytesMax} bytes, got ${bytes}`
  throw new GatewayError('PAYLOAD_TOO_LARGE', message, { bytes, bytesMax })
}

function deflate(raw: Uint8Array): Uint8Array {
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = constants
  return brotliCompressSync(raw, {
    params: { [BROTLI_PARAM_QUALITY]: QUALITY, [BROTLI_PARAM_SIZE_HINT]: raw.length },
  })
}

interface Entry {
  readonly kind: string
  readonly offset: number
  readonly bytes: number
  readonly inflated: number
}

/**
 * Reads a bundle; nothing of it is believed before its digest fits.
 * @throws {GatewayError} RECORD_FORMAT: no bundle, a newer format, a document out of bounds;
 * STORE_CORRUPT: cut short or changed. Both with details.place.
 */
export function parseBundle(bytes: Uint8Array): Container {
  const { file, headEnd, digest } = checkBundle(bytes)
  const entries = parseIndex(file, headEnd)
  const documents = new Map<string, unknown[]>()
  const skipped: string[] = []
  for (const [number, entry] of entries.entries()) {
    if (!isKnown(entry.kind)) {
      skipped.push(entry.kind)
      continue
    }
    const place = `frame ${number} (${entry.kind})`
    const kept = documents.get(entry.kind) ?? []
    documents.set(entry.kind, kept)
    kept.push(unpackForeign(place, inflate(place, file, entry)))
  }
  return { documents: (kind) => documents.get(kind) ?? [], skipped, digest }
}

/**
 * Checks that bytes are a bundle of this format, and all of it; nothing is inflated.
 * @throws {GatewayError} RECORD_FORMAT: none, or a newer format; STORE_CORRUPT: cut short or changed.
 */
export function checkBundle(bytes: Uint8Array): {
  readonly file: Buffer
  readonly headEnd: number
  readonly digest: Uint8Array
} {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const headEnd = checkHead(file)
  const digest = file.subarray(file.length - 32)
  if (!digest.equals(sha256(file.subarray(0, file.length - 32)))) {
    throw corruptBundle('footer', 'the digest differs: the file was changed or cut short')
  }
  return { file, headEnd, digest }
}

function isKnown(kind: string): boolean {
  return FRAME_KINDS.some((known) => known === kind)
}

// Returns where the header ends.
function checkHead(file: Buffer): number {
  if (file.length > limits.bundleBytesMax) {
    throw formatFault('file', `expected at most ${limits.bundleBytesMax} bytes, got ${file.length}`)
  }
  if (!file.subarray(0, MAGIC.length).equals(MAGIC.subarray(0, file.length))) {
    throw formatFault('magic', 'this is no incident file')
  }
  if (file.length < HEAD_BYTES + TAIL_BYTES) throw corruptBundle('file', 'cut short')
  const format = file.readUInt8(8)
  if (format !== FORMAT) {
    throw formatFault('format', `this version reads format ${FORMAT}, the file has ${format}`)
  }
  const headEnd = HEAD_BYTES + file.readUInt16BE(9)
  if (headEnd + TAIL_BYTES > file.length) throw corruptBundle('header', 'cut short')
  return headEnd
}

function parseIndex(file: Buffer, headEnd: number): Entry[] {
  const header = unpackForeign('header', file.subarray(HEAD_BYTES, headEnd))
  const schema = memberOf(header, 'schema')
  if (schema !== BUNDLE_SCHEMA) {
    throw formatFault('header', `expected ${BUNDLE_SCHEMA}, got ${quote(schema)}`)
  }
  const indexEnd = file.length - TAIL_BYTES
  const indexStart = indexEnd - file.readUInt32BE(indexEnd)
  if (indexStart < headEnd) throw corruptBundle('index', 'longer than the file')
  const rows = unpackForeign('index', file.subarray(indexStart, indexEnd))
  if (!Array.isArray(rows) || rows.length > limits.bundleFramesMax) {
    throw formatFault('index', `expected at most ${limits.bundleFramesMax} frames`)
  }
  let next = headEnd
  let inflated = 0
  const entries = rows.map((row: unknown, number): Entry => {
    const entry = parseEntry(row, number)
    if (entry.offset !== next) throw corruptBundle(`frame ${number}`, 'not where the last one ends')
    next += entry.bytes
    inflated += entry.inflated
    if (inflated > limits.bundleInflatedBytesMax) {
      throw formatFault(
        `frame ${number}`,
        `more than ${limits.bundleInflatedBytesMax} bytes in all`,
      )
    }
    return entry
  })
  if (next !== indexStart) throw corruptBundle('index', 'frames and index do not meet')
  return entries
}

function parseEntry(row: unknown, number: number): Entry {
  const [kind, offset, bytes, inflated]: unknown[] = Array.isArray(row) ? row : []
  const isWhole = typeof kind === 'string' && isLength(offset) && isLength(bytes)
  if (!isWhole || !isLength(inflated)) throw formatFault(`frame ${number}`, 'no entry of an index')
  if (inflated > limits.bundleFrameBytesMax) {
    const bound = `expected at most ${limits.bundleFrameBytesMax} bytes inflated, got ${inflated}`
    throw formatFault(`frame ${number}`, bound)
  }
  return { kind, offset, bytes, inflated }
}

function isLength(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

// A bomb stops at the bound of its own entry: what inflates to more is not what was written.
function inflate(place: string, file: Buffer, { offset, bytes, inflated }: Entry): Uint8Array {
  const packed = file.subarray(offset, offset + bytes)
  let raw: Uint8Array
  try {
    raw = brotliDecompressSync(packed, { maxOutputLength: Math.max(1, inflated) })
  } catch (cause) {
    throw corruptBundle(place, 'does not inflate to what the index says', cause)
  }
  if (raw.length !== inflated) throw corruptBundle(place, 'does not inflate to what the index says')
  return raw
}

/** Makes the fault of a bundle that is not what was written. */
export function corruptBundle(place: string, reason: string, cause?: unknown): GatewayError {
  const details = { place, reason }
  return new GatewayError('STORE_CORRUPT', `incident file, ${place}: ${reason}`, details, cause)
}

/** Makes the fault of a bundle that this version cannot read. */
export function formatFault(place: string, reason: string): GatewayError {
  return new GatewayError('RECORD_FORMAT', `incident file, ${place}: ${reason}`, { place, reason })
}
