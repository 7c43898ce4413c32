/**
 * Cutting an incident file out of a journal, and taking more out of one that exists.
 *
 * Records go in whole, byte for byte: bodies are named by refs, so leaving them out or masking them
 * changes no record, no hash and no state (K1). Only pseudonyms do (bundle-rename.ts).
 */
import { cutSegment, type Segment, type SegmentBase } from '../machines/history/segment.ts'
import type { History } from '../machines/history/source.ts'
import { kinds } from '../machines/kinds.ts'
import { unpack } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { globOf } from '../protocol/history/filter.ts'
import {
  type IncidentNote,
  type Manifest,
  type Redaction,
  type Tier,
  TIERS,
} from '../protocol/history/incident.ts'
import { addCounts, maskBytes, type MaskCounts, maskText } from '../protocol/history/mask.ts'
import { refsIn } from '../protocol/history/refs.ts'
import { quote, type StreamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import { BUNDLE_SCHEMA } from '../store/bundle.ts'
import type { BundleLink } from '../store/bundle-records.ts'
import type { StoredRecord, StoreReader } from '../store/contract.ts'
import type { BundleBody, BundleParts, BundleProofs } from './bundle.ts'
import { renameBundle } from './bundle-rename.ts'
import { openHistory } from './history.ts'

/** What to cut, and what to say of it. */
export interface ExportOptions {
  readonly id: string
  readonly title: string
  readonly severity: number
  readonly notes: readonly IncidentNote[]
  readonly from: number
  readonly to: number
  readonly tier: Tier
  readonly actors: readonly string[] | null // globs over streams; null: all
  readonly code: string // identity of this code, whose states the bases are
  readonly tool: string // version that writes
  readonly madeAt: number // ms since epoch
  /** A key to forget: below the full tier names of people become pseudonyms. Default: they stay. */
  readonly pseudonymKey?: Uint8Array
  /** The stored code of an identity, where it is to be carried along. */
  readonly codeOf?: (id: string) => Uint8Array | null
  /** Proves that records are in the journal. */
  readonly proofsOf?: (positions: readonly number[]) => BundleProofs | null
}

/**
 * Cuts a bundle out of a journal.
 * @throws {GatewayError} NOT_FOUND: no record there; PAYLOAD_TOO_LARGE: too many records;
 * HISTORY_PRUNED, STORE_CORRUPT.
 */
export function cutBundle(reader: StoreReader, options: ExportOptions): BundleParts {
  const { from, to, tier, code, actors } = options
  const globs = actors?.map(globOf) ?? null
  const takes = (stream: string): boolean => globs?.some((glob) => glob.test(stream)) ?? true
  const records = takeRecords(reader, from, to, takes)
  const history = openHistory(reader)
  const cut = cutSegment(history, kinds, { from, to, code, takes, partly: true })
  const segment: Segment = { ...cut, bases: [...cut.bases, ...basesInside(history, cut)] }
  const raw = rawBodies(reader, segment.records)
  const { bodies, withheld, found } = lower(raw.bodies, tier)
  const notes = lowerNotes(options.notes, tier)
  const codes = [...new Set(segment.records.map((record) => record.code))]
  const parts: BundleParts = {
    manifest: manifestOf(reader, options, {
      codes,
      streams: namesOf(records),
      redaction: {
        records: records.length,
        leftOut: to - from + 1 - records.length,
        bodies: bodies.size,
        withheld,
        missing: raw.missing,
        masked: addCounts(found, notes.found),
      },
    }),
    segment,
    chain: { records, links: linksOf(reader, records, to) },
    bodies,
    notes: notes.notes,
    code: codeArchives(codes, options.codeOf),
    proofs: options.proofsOf?.(records.map(({ position }) => position)) ?? null,
  }
  return renamed(parts, options.pseudonymKey)
}

function renamed(parts: BundleParts, key: Uint8Array | undefined): BundleParts {
  const { tier, names } = parts.manifest
  const isDue = key !== undefined && tier !== 'full' && names !== 'pseudonyms'
  return isDue ? renameBundle(parts, kinds, key) : parts
}

// A stream whose first records were compacted away inside the range stands on the snapshot that
// they were compacted behind.
function basesInside(history: History, { records, bases }: Segment): SegmentBase[] {
  const versions = new Map<StreamId, { first: number; last: number }>()
  for (const { stream, version } of records) {
    versions.set(stream, { first: versions.get(stream)?.first ?? version, last: version })
  }
  for (const { stream } of bases) versions.delete(stream)
  return [...versions].flatMap(([stream, { first, last }]) => {
    const base = first === 1 ? null : history.base(stream, last)
    if (base === null || base.version < first - 1) return []
    return [{ ...base, stream, position: history.positionOf(stream, base.version) ?? 0 }]
  })
}

function takeRecords(
  reader: StoreReader,
  from: number,
  to: number,
  takes: (stream: string) => boolean,
): StoredRecord[] {
  const records: StoredRecord[] = []
  for (const record of reader.range(from, to)) {
    if (!takes(record.stream)) continue
    records.push(record)
    if (records.length <= limits.bundleRecordsMax) continue
    const most = `incident: expected at most ${limits.bundleRecordsMax} records; take a narrower range`
    throw new GatewayError('PAYLOAD_TOO_LARGE', most, { from, to })
  }
  if (records.length > 0) return records
  throw new GatewayError('NOT_FOUND', `incident: no record of these actors in #${from}..#${to}`)
}

/** Lists the streams of records with their numbers in the journal, in the order of their firsts. */
export function namesOf(records: readonly StoredRecord[]): [number, string][] {
  const names = new Map<string, number>()
  for (const { stream, body } of records) {
    if (names.has(stream)) continue
    const tuple = unpack(body)
    const number: unknown = Array.isArray(tuple) ? tuple[0] : undefined
    if (typeof number === 'number') names.set(stream, number)
  }
  return [...names].map(([stream, number]) => [number, stream])
}

/** Lists the hashes of the last record of each stretch that was left out, and of the end of the range. */
export function linksOf(
  reader: StoreReader,
  records: readonly StoredRecord[],
  to: number,
): readonly BundleLink[] {
  const links: BundleLink[] = []
  const tell = (position: number): void => {
    const link = position < 1 ? null : reader.link(position)
    if (link !== null) links.push({ position, hash: link.hash })
  }
  let last = 0
  for (const { position } of records) {
    if (position !== last + 1) tell(position - 1)
    last = position
  }
  if (last < to) tell(to)
  return links
}

function manifestOf(
  reader: StoreReader,
  options: ExportOptions,
  told: Pick<Manifest, 'codes' | 'streams' | 'redaction'>,
): Manifest {
  const { id, title, severity, from, to, tier, actors, madeAt, tool } = options
  const { position, hash } = reader.head()
  return {
    schema: BUNDLE_SCHEMA,
    id,
    title: tier === 'full' ? title : maskText(title).text,
    severity,
    range: { from, to },
    head: { position, hash: Buffer.from(hash).toString('hex') },
    tier,
    actors: actors === null ? null : [...actors],
    madeAt,
    tool,
    ...told,
  }
}

function codeArchives(
  codes: readonly string[],
  codeOf: ExportOptions['codeOf'],
): Map<string, Uint8Array> {
  const archives = new Map<string, Uint8Array>()
  for (const id of codes) {
    const archive = codeOf?.(id) ?? null
    if (archive !== null) archives.set(id, archive)
  }
  return archives
}

interface RawBodies {
  readonly bodies: readonly BundleBody[]
  readonly missing: number
}

function rawBodies(reader: StoreReader, records: readonly JournalRecord[]): RawBodies {
  const bodies: BundleBody[] = []
  let missing = 0
  for (const ref of refsOf(records)) {
    const found = reader.salted(ref)
    if (found === null) missing += 1
    else bodies.push({ ref, salt: found.salt, bytes: found.bytes, masked: false })
  }
  return { bodies, missing }
}

/** Lists the refs that records name, each once, in their order. */
export function refsOf(records: Iterable<JournalRecord>): Set<string> {
  const refs = new Set<string>()
  for (const { event, effects, sends } of records) refsIn([event, effects, sends], refs)
  return refs
}

interface Lowered {
  readonly bodies: ReadonlyMap<string, BundleBody>
  readonly withheld: number
  readonly found: MaskCounts
}

function lower(raw: Iterable<BundleBody>, tier: Tier): Lowered {
  const bodies = new Map<string, BundleBody>()
  let withheld = 0
  let found: MaskCounts = {}
  for (const body of raw) {
    if (tier === 'skeleton') withheld += 1
    else if (tier === 'full') bodies.set(body.ref, body)
    else {
      const masked = maskBytes(body.bytes)
      found = addCounts(found, masked.found)
      const isMasked = body.masked || Object.keys(masked.found).length > 0
      // A salt would let somebody try out what stood under the stars.
      bodies.set(body.ref, { ref: body.ref, salt: null, bytes: masked.bytes, masked: isMasked })
    }
  }
  return { bodies, withheld, found }
}

function lowerNotes(
  notes: readonly IncidentNote[],
  tier: Tier,
): { notes: IncidentNote[]; found: MaskCounts } {
  if (tier === 'full') return { notes: [...notes], found: {} }
  let found: MaskCounts = {}
  const masked = notes.map((note): IncidentNote => {
    const text = maskText(note.text)
    found = addCounts(found, text.found)
    return { ...note, text: text.text, command: maskText(note.command).text }
  })
  return { notes: masked, found }
}

/**
 * Takes bodies out of a bundle, or masks them. Records, states and proofs stay as they are, but
 * where a key is given: then names become pseudonyms as in an export.
 * @throws {GatewayError} USAGE: the tier asked for is no lower one.
 */
export function redactBundle(
  parts: BundleParts,
  tier: Tier,
  pseudonymKey?: Uint8Array,
): BundleParts {
  const { manifest } = parts
  if (TIERS.indexOf(tier) > TIERS.indexOf(manifest.tier)) {
    const text = `--bodies: ${quote(manifest.tier)} can only be lowered, got ${quote(tier)}`
    throw new GatewayError('USAGE', text)
  }
  const { bodies, withheld, found } = lower(parts.bodies.values(), tier)
  const notes = lowerNotes(parts.notes, tier)
  const before = manifest.redaction
  const redaction: Redaction = {
    ...before,
    bodies: bodies.size,
    withheld: before.withheld + withheld,
    masked: addCounts(before.masked, addCounts(found, notes.found)),
  }
  const title = tier === 'full' ? manifest.title : maskText(manifest.title).text
  const lowered = {
    ...parts,
    manifest: { ...manifest, tier, title, redaction },
    bodies,
    notes: notes.notes,
  }
  return renamed(lowered, pseudonymKey)
}
