/**
 * Bundles as history: an incident file opened, and one put together.
 *
 * The bridge between store/, which knows containers and hashes, and machines/history/, which knows
 * segments. A file may come from anybody: nothing of it is run, and what is read is checked first.
 */
import { readFileSync, statSync } from 'node:fs'
import { openSegment, type Segment } from '../machines/history/segment.ts'
import type { History } from '../machines/history/source.ts'
import { GatewayError } from '../protocol/errors.ts'
import { parseForeignParts, parseForeignRecord } from '../protocol/history/foreign.ts'
import {
  type IncidentNote,
  type Manifest,
  parseManifest,
  parseNotes,
} from '../protocol/history/incident.ts'
import { isId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { formatRecord, type JournalRecord } from '../protocol/record.ts'
import {
  corruptBundle,
  formatBundle,
  formatFault,
  type Frame,
  parseBundle,
} from '../store/bundle.ts'
import { type BundleChain, formatRecords, parseRecords } from '../store/bundle-records.ts'
import type { StoredRecord } from '../store/contract.ts'
import { packRecordBody, sealRecord } from '../store/seal.ts'

/** A body in a bundle. */
export interface BundleBody {
  readonly ref: string
  readonly salt: Uint8Array | null // null: its name proves nothing
  readonly bytes: Uint8Array
  readonly masked: boolean // something in it was overwritten
}

/** What proves that the records were in a journal; opaque here, read by whoever made it. */
export interface BundleProofs {
  readonly checkpoint: string // a signed head, as text
  readonly key: string // that signed it, as `history head` shows it
  readonly inclusion: readonly (readonly [number, Uint8Array])[] // position -> proof
}

/** All that a bundle holds. */
export interface BundleParts {
  readonly manifest: Manifest
  readonly segment: Segment
  readonly chain: BundleChain
  readonly bodies: ReadonlyMap<string, BundleBody>
  readonly notes: readonly IncidentNote[]
  readonly code: ReadonlyMap<string, Uint8Array> // identity -> archive
  readonly proofs: BundleProofs | null
}

/** A bundle that was read. */
export interface Bundle extends BundleParts {
  readonly history: History
  readonly body: (ref: string) => Uint8Array | null
  readonly skipped: readonly string[] // kinds of frame that this version does not know
  readonly digest: string // 64 hex digits, over the whole file
  readonly bytes: number
}

/**
 * Opens an incident file.
 * @throws {GatewayError} NOT_FOUND: no such file; RECORD_FORMAT, STORE_CORRUPT.
 */
export function openBundle(file: string): Bundle {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats?.isFile() !== true) throw new GatewayError('NOT_FOUND', `${file}: no such file`)
  if (stats.size > limits.bundleBytesMax) {
    throw formatFault('file', `expected at most ${limits.bundleBytesMax} bytes, got ${stats.size}`)
  }
  return readBundle(readFileSync(file))
}

/** Reads an incident file. @throws {GatewayError} RECORD_FORMAT, STORE_CORRUPT */
export function readBundle(bytes: Uint8Array): Bundle {
  const container = parseBundle(bytes)
  const [first, second] = container.documents('manifest')
  if (first === undefined || second !== undefined) throw formatFault('manifest', 'expected one')
  const manifest = parseManifest(first)
  const chain = parseRecords(container.documents('records'), new Map(manifest.streams))
  const segment = readSegment(manifest, chain, container.documents('bases'))
  const bodies = readBodies(container.documents('bodies'))
  return {
    manifest,
    segment,
    chain,
    bodies,
    notes: container.documents('notes').flatMap(parseNotes),
    code: readCode(container.documents('code')),
    proofs: readProofs(container.documents('proofs')),
    history: openSegment(segment),
    body: (ref) => bodies.get(ref)?.bytes ?? null,
    skipped: container.skipped,
    digest: Buffer.from(container.digest).toString('hex'),
    bytes: bytes.length,
  }
}

function readSegment(
  { range: { from, to } }: Manifest,
  chain: BundleChain,
  documents: readonly unknown[],
): Segment {
  if (documents.length !== 1) throw formatFault('bases', 'expected one')
  const { bases, open } = parseForeignParts(documents[0])
  const records = chain.records.map((stored) => parseForeignRecord(stored, stored.fields))
  for (const { position } of [records[0], records.at(-1)].filter((each) => each !== undefined)) {
    if (position < from || position > to)
      throw corruptBundle(`record #${position}`, 'outside the range')
  }
  const streams = new Set(bases.map(({ stream }) => stream))
  if (streams.size !== bases.length) throw corruptBundle('bases', 'two of one stream')
  return { from, to, bases, open, records }
}

function readBodies(documents: readonly unknown[]): Map<string, BundleBody> {
  const bodies = new Map<string, BundleBody>()
  for (const document of documents) {
    if (!Array.isArray(document)) throw formatFault('bodies', 'expected a list')
    for (const row of document) {
      const [ref, salt, bytes, masked]: unknown[] = Array.isArray(row) ? row : []
      const isSalt = salt === null || salt instanceof Uint8Array
      const isNamed = typeof ref === 'string' && isId(ref) && typeof masked === 'boolean'
      if (!isNamed || !isSalt || !(bytes instanceof Uint8Array)) {
        throw formatFault('bodies', 'expected [ref, salt, bytes, masked]')
      }
      bodies.set(ref, { ref, salt, bytes, masked })
      if (bodies.size > limits.bundleBodiesMax) throw formatFault('bodies', 'too many')
    }
  }
  return bodies
}

function readCode(documents: readonly unknown[]): Map<string, Uint8Array> {
  const code = new Map<string, Uint8Array>()
  for (const document of documents) {
    const [id, archive]: unknown[] = Array.isArray(document) ? document : []
    if (typeof id !== 'string' || !isId(id) || !(archive instanceof Uint8Array)) {
      throw formatFault('code', 'expected [identity, archive]')
    }
    code.set(id, archive)
  }
  return code
}

function readProofs(documents: readonly unknown[]): BundleProofs | null {
  const [document] = documents
  if (document === undefined) return null
  const [checkpoint, key, rows]: unknown[] = Array.isArray(document) ? document : []
  if (typeof checkpoint !== 'string' || typeof key !== 'string' || !Array.isArray(rows)) {
    throw formatFault('proofs', 'expected [checkpoint, key, inclusion]')
  }
  const inclusion = rows.map((row: unknown): readonly [number, Uint8Array] => {
    const [position, proof]: unknown[] = Array.isArray(row) ? row : []
    if (typeof position === 'number' && proof instanceof Uint8Array) return [position, proof]
    throw formatFault('proofs', 'expected [position, proof]')
  })
  return { checkpoint, key, inclusion }
}

/** Seals a record for a chain that is the file's own; `number` is its stream's in the file. */
export function sealAnew(
  record: JournalRecord,
  number: number,
  previousHash: Uint8Array,
): StoredRecord {
  const { position, stream, version } = record
  const fields = formatRecord(record)
  const body = packRecordBody(number, version, fields)
  const { hash } = sealRecord(position, previousHash, body)
  return { position, stream, version, fields, hash, previousHash, body }
}

/**
 * Writes a bundle: the same parts give the same file.
 * @throws {GatewayError} PAYLOAD_TOO_LARGE
 */
export function writeBundle(parts: BundleParts): Uint8Array {
  const { manifest, segment, chain, bodies, notes, code, proofs } = parts
  const { bases, open } = segment
  return formatBundle([
    { kind: 'manifest', document: manifest },
    { kind: 'bases', document: { bases, open } },
    ...formatRecords(chain),
    ...formatBodies(bodies),
    ...(notes.length === 0 ? [] : [{ kind: 'notes' as const, document: notes }]),
    ...[...code].map((entry) => ({ kind: 'code' as const, document: entry })),
    ...(proofs === null
      ? []
      : [{ kind: 'proofs' as const, document: [proofs.checkpoint, proofs.key, proofs.inclusion] }]),
  ])
}

function formatBodies(bodies: ReadonlyMap<string, BundleBody>): Frame[] {
  const frames: Frame[] = []
  let rows: unknown[] = []
  let bytes = 0
  const close = (): void => {
    if (rows.length > 0) frames.push({ kind: 'bodies', document: rows })
    rows = []
    bytes = 0
  }
  for (const body of bodies.values()) {
    if (bytes + body.bytes.length > limits.bundleFrameBytes) close()
    rows.push([body.ref, body.salt, body.bytes, body.masked])
    bytes += body.bytes.length
  }
  close()
  return frames
}
