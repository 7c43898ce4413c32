/**
 * Records in a bundle: bytes whose hashes can be made again, and the chain between them.
 *
 *   records frame   {records: [[position, previous hash, body], ...], links: [[position, hash], ...]}
 *
 * A record's hash is SHA-256(previous hash, position, format, body), as in the journal (seal.ts).
 * Where records were left out, a link tells the hash of the last of them, so that the next record
 * can be held to it. Names of streams stand in the manifest: a record holds its stream's number.
 */
import type { StoredRecord } from './contract.ts'
import { corruptBundle, type Frame, formatFault } from './bundle.ts'
import { unpackForeign } from './document.ts'
import { isEqual } from '../protocol/history/merkle.ts'
import { limits } from '../protocol/limits.ts'
import { memberOf } from '../protocol/members.ts'
import { isCount, sealRecord, ZERO_HASH } from './seal.ts'

/** The hash of a position whose record is not in the file. */
export interface BundleLink {
  readonly position: number
  readonly hash: Uint8Array
}

/** Records in order, and what bridges the gaps between them. */
export interface BundleChain {
  readonly records: readonly StoredRecord[]
  readonly links: readonly BundleLink[]
}

/** Lays records out in frames of a handy size; links go with the first. */
export function formatRecords({ records, links }: BundleChain): Frame[] {
  const frames: Frame[] = []
  let rows: unknown[] = []
  let bytes = 0
  const bridges = links.map(({ position, hash }) => [position, hash])
  const close = (): void => {
    frames.push({
      kind: 'records',
      document: { records: rows, links: frames.length === 0 ? bridges : [] },
    })
    rows = []
    bytes = 0
  }
  for (const { position, previousHash, body } of records) {
    if (bytes + body.length > limits.bundleFrameBytes && rows.length > 0) close()
    rows.push([position, previousHash, body])
    bytes += body.length
  }
  close()
  return frames
}

/**
 * Reads records back and recomputes their hashes; positions rise, versions are dense in each stream.
 * @throws {GatewayError} RECORD_FORMAT: of another shape, too many; STORE_CORRUPT: out of order, or
 * a stream without a name.
 */
export function parseRecords(
  documents: readonly unknown[],
  names: ReadonlyMap<number, string>,
): BundleChain {
  const records: StoredRecord[] = []
  const links: BundleLink[] = []
  const versions = new Map<string, number>()
  for (const document of documents) {
    for (const row of listOf(document, 'records')) {
      const record = parseRow(row, names)
      if (record.position <= (records.at(-1)?.position ?? 0)) {
        throw corruptBundle(`record #${record.position}`, 'out of order')
      }
      const before = versions.get(record.stream)
      if (before !== undefined && record.version !== before + 1) {
        throw corruptBundle(
          `record #${record.position}`,
          `version ${record.version} after ${before}`,
        )
      }
      versions.set(record.stream, record.version)
      records.push(record)
      if (records.length > limits.bundleRecordsMax) {
        throw formatFault('records', `more than ${limits.bundleRecordsMax}`)
      }
    }
    for (const row of listOf(document, 'links')) links.push(parseLink(row))
  }
  return { records, links }
}

function listOf(document: unknown, name: 'records' | 'links'): readonly unknown[] {
  const list = memberOf(document, name)
  if (Array.isArray(list) && list.length <= limits.bundleRecordsMax) return list
  throw formatFault(name, `expected a list of at most ${limits.bundleRecordsMax}`)
}

function parseRow(row: unknown, names: ReadonlyMap<number, string>): StoredRecord {
  const [position, previousHash, body]: unknown[] = Array.isArray(row) ? row : []
  if (!isCount(position) || !isHash(previousHash) || !(body instanceof Uint8Array)) {
    throw formatFault('records', 'expected [position, previous hash, body]')
  }
  const place = `record #${position}`
  if (body.length > limits.recordBytesMax) throw formatFault(place, 'larger than a record may be')
  const tuple = unpackForeign(place, body)
  if (!Array.isArray(tuple)) throw formatFault(place, 'no tuple')
  const [number, version, ...fields]: unknown[] = tuple
  if (!isCount(number) || !isCount(version)) throw formatFault(place, 'no stream, no version')
  const stream = names.get(number)
  if (stream === undefined) throw corruptBundle(place, `stream ${number} has no name`)
  const { hash } = sealRecord(position, previousHash, body)
  return { position, stream, version, fields, hash, previousHash, body }
}

function parseLink(row: unknown): BundleLink {
  const [position, hash]: unknown[] = Array.isArray(row) ? row : []
  if (isCount(position) && isHash(hash)) return { position, hash }
  throw formatFault('links', 'expected [position, hash]')
}

function isHash(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32
}

/** What the chain inside a bundle says. */
export interface ChainReport {
  readonly records: number
  readonly linked: number // follow the record before them in the file
  readonly bridged: number // follow a link
  readonly faults: readonly string[]
}

/** Holds each record to what stands before it: a record, or a link over those left out. */
export function checkChain({ records, links }: BundleChain): ChainReport {
  const byPosition = new Map(links.map(({ position, hash }) => [position, hash]))
  const faults: string[] = []
  let linked = 0
  let bridged = 0
  let last: StoredRecord | null = null
  for (const record of records) {
    const { position, previousHash } = record
    const isNext = last?.position === position - 1
    const before = isNext ? last?.hash : byPosition.get(position - 1)
    const isFirst = position === 1 && isEqual(previousHash, ZERO_HASH)
    last = record
    if (before === undefined && !isFirst) {
      faults.push(`#${position}: nothing tells the hash before it`)
    } else if (before !== undefined && !isEqual(before, previousHash)) {
      faults.push(`#${position}: does not follow #${position - 1}`)
    } else if (isNext) linked += 1
    else bridged += 1
  }
  return { records: records.length, linked, bridged, faults }
}
