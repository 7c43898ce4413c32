/**
 * `openclaw incident new|note|add|drop`: what people write down about what went wrong.
 */
import { userInfo } from 'node:os'
import { systemClock } from '../../../actors/services.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import type { Incident } from '../../../protocol/history/incident.ts'
import { limits } from '../../../protocol/limits.ts'
import { wholeNumber } from '../../arguments.ts'
import { programName } from '../../exit.ts'
import {
  commandLine,
  openOurs,
  sourceOf,
  type SubjectFlags,
} from '../../history/incident-subject.ts'
import { historyArgs, locate, locateRange } from '../../history/options.ts'
import { withSource } from '../../history/source.ts'
import { note, show, showJson } from '../../output.ts'
import { defineVerb } from '../../verb.ts'

const idArg = {
  id: { type: 'string', valueHint: 'ID', description: 'the incident (default: the newest)' },
} as const
const SEVERITY_MAX = 5

/** Who writes: the account of the operating system. */
function author(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown' // An account without a name, as in some containers.
  }
}

function checkText(what: string, text: string, charsMax: number): string {
  if (text.trim() !== '' && text.length <= charsMax) return text
  throw new GatewayError('USAGE', `${what}: expected 1 to ${charsMax} characters`)
}

export const incidentNew = defineVerb({
  name: 'incident new',
  description: 'Open an incident: a title, and the range of records that it is about',
  args: {
    ...historyArgs,
    title: {
      type: 'positional',
      required: true,
      valueHint: 'TITLE',
      description: 'what went wrong',
    },
    range: { type: 'string', valueHint: 'A..B', description: 'the records that it is about' },
    sev: { type: 'string', valueHint: 'N', description: 'severity, 1 (worst) to 5 (default 3)' },
  },
  async run(args) {
    const title = checkText('TITLE', args.title, limits.incidentTitleCharsMax)
    const severity = wholeNumber('--sev', args.sev ?? '3', 1, SEVERITY_MAX)
    const ranges = args.range === undefined ? [] : [await rangeOf(args.range, args)]
    const incident = (await openOurs()).create({
      schema: 'openclaw-incident-notes/1',
      title,
      severity,
      author: author(),
      createdAt: systemClock.now(),
      command: commandLine(),
      ranges,
      notes: [],
      exports: [],
      imported: null,
    })
    if (args.json) showJson({ ok: true, ...incident })
    else {
      show(incident.id)
      const [range] = ranges
      const next = `${programName()} incident ${range === undefined ? 'add A..B' : 'timeline'}`
      note(range === undefined ? `It has no range yet: ${next}` : `Look: ${next}`)
    }
    return 0
  },
})

type HistoryFlags = Pick<SubjectFlags, 'journal' | 'utc' | 'date'>

async function rangeOf(text: string, flags: HistoryFlags): Promise<Incident['ranges'][number]> {
  const { from, to } = await withSource(flags.journal, (source) => locateRange(source, text, flags))
  if (to < 1) throw new GatewayError('NOT_FOUND', `range: no record in ${text}`)
  return { from: Math.max(1, from), to, text: text.slice(0, limits.incidentTitleCharsMax) }
}

export const incidentNote = defineVerb({
  name: 'incident note',
  description: 'Remark something about a position; works with a dead gateway',
  args: {
    ...historyArgs,
    ...idArg,
    address: {
      type: 'positional',
      required: true,
      valueHint: 'ADDRESS',
      description: 'what the note is about',
    },
    text: { type: 'positional', required: true, valueHint: 'TEXT', description: 'the note' },
  },
  async run(args) {
    const incidents = await openOurs()
    const incident = incidents.read(args.id)
    if (incident.notes.length >= limits.bundleNotesMax) {
      throw new GatewayError('USAGE', `${incident.id}: it has ${limits.bundleNotesMax} notes`)
    }
    const { position } = await withSource(sourceOf(incident, args.journal), (source) =>
      locate(source, args.address, args),
    )
    const written = {
      address: args.address.slice(0, limits.incidentTitleCharsMax),
      position,
      text: checkText('TEXT', args.text, limits.incidentNoteCharsMax),
      author: author(),
      at: systemClock.now(),
      command: commandLine(),
    }
    incidents.update(incident.id, (now) => ({ ...now, notes: [...now.notes, written] }))
    if (args.json) showJson({ ok: true, id: incident.id, note: written })
    else show(`${incident.id} #${position} ${written.text}`)
    return 0
  },
})

export const incidentAdd = defineVerb({
  name: 'incident add',
  description: 'Add records to an incident: positions or ranges',
  args: {
    ...historyArgs,
    ...idArg,
    words: {
      type: 'positional',
      required: true,
      valueHint: 'ADDRESS|RANGE...',
      description: 'what to add',
    },
  },
  async run(args) {
    const incidents = await openOurs()
    const incident = incidents.read(args.id)
    const journal = sourceOf(incident, args.journal)
    const added: Incident['ranges'] = []
    for (const text of args._) added.push(await rangeOf(text, { ...args, journal }))
    const { ranges } = incidents.update(incident.id, (now) => {
      const all = [...now.ranges, ...added]
      if (all.length <= limits.incidentRangesMax) return { ...now, ranges: all }
      const text = `${now.id}: more than ${limits.incidentRangesMax} ranges`
      throw new GatewayError('USAGE', text)
    })
    if (args.json) showJson({ ok: true, id: incident.id, ranges })
    else for (const { from, to } of added) show(`${incident.id} #${from}..#${to}`)
    return 0
  },
})

export const incidentDrop = defineVerb({
  name: 'incident drop',
  description: 'Remove an incident with its notes and its imported file',
  args: {
    ...historyArgs,
    id: { type: 'positional', required: true, valueHint: 'ID', description: 'the incident' },
    yes: { type: 'boolean', alias: 'y', description: 'do it' },
  },
  async run(args) {
    const incidents = await openOurs()
    const { id, title, notes } = incidents.read(args.id)
    if (!args.yes) {
      const what = `${id} "${title}" with ${notes.length} notes would be gone for good; add --yes`
      throw new GatewayError('USAGE', what)
    }
    incidents.drop(id)
    if (args.json) showJson({ ok: true, id, dropped: true })
    else show(`dropped ${id}`)
    return 0
  },
})
