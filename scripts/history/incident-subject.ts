/**
 * What the incident verbs talk about: an incident by its id, or a range typed in its place, with
 * the history that it is about.
 */
import type { ArgsDef } from 'citty'
import { type Picture, pictureRows } from '../../machines/history/picture.ts'
import type { ReportSubject } from '../../machines/history/report.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { hullOf, type Incident } from '../../protocol/history/incident.ts'
import { type Incidents, openIncidents } from '../../actors/incidents.ts'
import { systemChance } from '../../actors/services.ts'
import { limits } from '../../protocol/limits.ts'
import { programName } from '../exit.ts'
import { readSettings } from '../settings.ts'
import { historyArgs, locateRange } from './options.ts'
import { type Source, withSource } from './source.ts'

/** The flags of verbs about an incident or a range. */
export const subjectArgs = {
  ...historyArgs,
  id: {
    type: 'positional',
    required: false,
    valueHint: 'ID',
    description: 'the incident (default: the newest)',
  },
  range: { type: 'string', valueHint: 'A..B', description: 'a range in place of an incident' },
} as const satisfies ArgsDef

/** That of verbs that write incident files for others. */
export const namesArg = {
  names: {
    type: 'boolean',
    description: 'keep names of people and rooms, and with them hashes and proofs of the journal',
  },
} as const satisfies ArgsDef

/** Draws the key of a file's pseudonyms, to be kept nowhere; none where names are to stay. */
export function keyUnless(names: boolean | undefined): { pseudonymKey?: Uint8Array } {
  return names === true ? {} : { pseudonymKey: systemChance.bytes(limits.pseudonymKeyBytes) }
}

/** That of verbs about an incident file. */
export const fileArg = {
  file: { type: 'positional', required: true, valueHint: 'FILE', description: 'incident file' },
} as const satisfies ArgsDef

/** How a verb names what it is about. */
export interface SubjectFlags {
  readonly id?: string | undefined
  readonly range?: string | undefined
  readonly journal?: string | undefined
  readonly utc?: boolean | undefined
  readonly date?: string | undefined
}

/** An incident on its source. */
export interface Subject {
  readonly source: Source
  readonly id: string
  readonly title: string
  readonly severity: number
  readonly from: number
  readonly to: number
  readonly notes: Incident['notes']
}

/** Opens the incident that is meant, or the range typed, for the time of a look. */
export async function withSubject<T>(
  flags: SubjectFlags,
  look: (subject: Subject) => T | Promise<T>,
): Promise<T> {
  const incident = flags.range === undefined ? await readIncident(flags.id) : null
  const journal = incident === null ? flags.journal : sourceOf(incident, flags.journal)
  return withSource(journal, (source) => look(subjectOf(source, incident, flags)))
}

/** Names what an incident speaks of: an imported one of positions in its own file. */
export function sourceOf(
  { id, imported }: Incident,
  journal: string | undefined,
): string | undefined {
  return journal ?? (imported?.hasFile === true ? id : undefined)
}

/** Opens the incidents of our state directory. */
export async function openOurs(): Promise<Incidents> {
  return openIncidents((await readSettings({})).stateDir)
}

/** Reads an incident of our state directory; the newest where none is named. */
export async function readIncident(id: string | undefined): Promise<Incident> {
  return (await openOurs()).read(id)
}

function subjectOf(source: Source, incident: Incident | null, flags: SubjectFlags): Subject {
  if (incident === null) {
    const { from, to } = locateRange(source, flags.range ?? '', flags)
    return { source, id: 'range', title: `#${from} to #${to}`, severity: 0, from, to, notes: [] }
  }
  const { id, title, severity, notes } = incident
  const hull = hullOf(incident)
  if (hull === null) {
    const add = `${programName()} incident add A..B --id ${id}`
    throw new GatewayError('NOT_FOUND', `${id} has no range yet: ${add}`)
  }
  return { source, id, title, severity, ...hull, notes }
}

/** Makes what a report is written from, for readers elsewhere; of many records the newest. */
export function reportSubject(subject: Subject): ReportSubject {
  const { source, id, title, severity, from, to, notes } = subject
  const picture: Picture = pictureRows(source.history, from, Math.min(to, source.history.head()))
  return { id, title, severity, from, to, notes, ...picture, program: 'openclaw' }
}

/** Writes the command line as it was typed, for who reads the note later. */
export function commandLine(): string {
  const words = process.argv
    .slice(2)
    .map((word) => (/^[\w@%+=:,./#~-]+$/.test(word) ? word : `'${word}'`))
  return ['openclaw', ...words].join(' ').slice(0, limits.incidentNoteCharsMax)
}
