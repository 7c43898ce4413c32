/**
 * Incidents as documents: the manifest and the notes of a bundle, and `incident.json` beside the
 * journal.
 *
 * Both may come from other machines and later versions: every field that is read is checked, what
 * is not known is passed over.
 */
import {
  array,
  boolean,
  enums,
  type Infer,
  integer,
  literal,
  min,
  nullable,
  optional,
  record,
  size,
  string,
  type Struct,
  tuple,
  type,
} from 'superstruct'
import { GatewayError } from '../errors.ts'
import { limits } from '../limits.ts'
import { shapeOf } from '../shape.ts'

/** How much of the bodies a bundle holds, least first. */
export const TIERS = ['skeleton', 'masked', 'full'] as const

export type Tier = (typeof TIERS)[number]

const count = () => min(integer(), 0)
const line = (charsMax: number = limits.incidentTitleCharsMax) => size(string(), 0, charsMax)
const range = type({ from: count(), to: count() })

const note = type({
  address: line(), // as typed
  position: count(),
  text: line(limits.incidentNoteCharsMax),
  author: line(),
  at: integer(), // ms since epoch
  command: line(limits.incidentNoteCharsMax), // that wrote it
})

/** What somebody remarked about a position. */
export type IncidentNote = Infer<typeof note>

const redaction = type({
  records: count(), // in the file
  leftOut: count(), // records of the range that are of other actors or compacted away
  bodies: count(), // in the file
  withheld: count(), // left out by the tier
  missing: count(), // not in the journal any more
  masked: record(string(), count()), // by detector
  pseudonyms: optional(count()), // people and rooms, where names are pseudonyms
})

/** What was done to the bodies, for whoever must judge whether a bundle may be passed on. */
export type Redaction = Infer<typeof redaction>

const manifest = type({
  schema: literal('openclaw-incident/1'),
  id: line(),
  title: line(),
  severity: count(),
  range,
  streams: size(
    array(tuple([min(integer(), 1), line(limits.streamNameBytesMax)])),
    0,
    limits.bundleRecordsMax,
  ),
  head: type({ position: count(), hash: size(string(), 64) }), // of the journal it is from
  tier: enums(TIERS),
  actors: nullable(array(line(limits.streamNameBytesMax))), // globs; null: all
  madeAt: integer(), // ms since epoch
  tool: line(), // version that wrote the file
  codes: array(line()), // identities of the machines that wrote the records
  /** Absent: kept. Under pseudonyms the records are no more the journal's, and hash otherwise. */
  names: optional(enums(['kept', 'pseudonyms'])),
  /** Absent: an incident. An archive holds what this policy let go of the journal, and no body. */
  archive: optional(type({ policy: line() })),
  redaction,
})

/** What a bundle says of itself. */
export type Manifest = Infer<typeof manifest>

const incident = type({
  schema: literal('openclaw-incident-notes/1'),
  id: size(string(), 1, 64),
  title: line(),
  severity: count(),
  author: line(),
  createdAt: integer(), // ms since epoch
  command: line(limits.incidentNoteCharsMax),
  ranges: size(
    array(type({ from: count(), to: count(), text: line() })),
    0,
    limits.incidentRangesMax,
  ),
  notes: size(array(note), 0, limits.bundleNotesMax),
  exports: array(
    type({ file: string(), sha256: string(), tier: enums(TIERS), at: integer(), bytes: count() }),
  ),
  imported: nullable(type({ from: string(), id: line(), sha256: string(), hasFile: boolean() })),
})

/** One incident, as it lies beside the journal. */
export type Incident = Infer<typeof incident>

/** Reads a manifest. @throws {GatewayError} RECORD_FORMAT */
export function parseManifest(value: unknown): Manifest {
  return check(manifest, value, 'manifest')
}

/** Reads the notes of a bundle. @throws {GatewayError} RECORD_FORMAT */
export function parseNotes(value: unknown): IncidentNote[] {
  return check(size(array(note), 0, limits.bundleNotesMax), value, 'notes')
}

/** Reads an `incident.json`. @throws {GatewayError} RECORD_FORMAT */
export function parseIncident(text: string): Incident {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new GatewayError('RECORD_FORMAT', 'incident.json: no JSON', {}, cause)
  }
  return check(incident, value, 'incident.json')
}

/** Checks a value that came from elsewhere. @throws {GatewayError} RECORD_FORMAT with its place. */
export function check<T>(struct: Struct<T>, value: unknown, place: string): T {
  const shape = shapeOf(struct, value)
  if (shape.ok) return shape.value
  const path = [place, ...shape.failure.path.map(String)].join('.')
  throw new GatewayError('RECORD_FORMAT', `${path}: expected ${shape.failure.type}`, {
    place: path,
  })
}

/** Tells the smallest stretch that holds all ranges of an incident; null where it has none. */
export function hullOf({ ranges }: Pick<Incident, 'ranges'>): { from: number; to: number } | null {
  if (ranges.length === 0) return null
  return {
    from: Math.max(1, Math.min(...ranges.map(({ from }) => from))),
    to: Math.max(...ranges.map(({ to }) => to)),
  }
}
