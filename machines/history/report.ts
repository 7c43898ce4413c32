/**
 * Incident reports: what happened, written for people who were not there.
 *
 * Markdown and plain lines. Everything that is claimed names its position, and the command that
 * shows it; times are UTC.
 */
import { formatInstant } from '../../protocol/history/address.ts'
import type { IncidentNote } from '../../protocol/history/incident.ts'
import { isRefused, isWrong, type PictureRow } from './picture.ts'

/** What a report is about. */
export interface ReportSubject {
  readonly id: string
  readonly title: string
  readonly severity: number
  readonly from: number
  readonly to: number
  readonly leftOut: number // records before the first row
  readonly rows: readonly PictureRow[]
  readonly notes: readonly IncidentNote[]
  readonly program: string // how the command is called
}

/** Counts that tell how much was hit. */
export interface Impact {
  readonly records: number
  readonly actors: number
  readonly boots: number // epochs that began in the range
  readonly messagesIn: number
  readonly refused: number // messages that a rule kept out
  readonly ignored: number
  readonly effects: Readonly<Record<string, number>> // by outcome
}

/** Counts what happened in a range. */
export function impactOf(rows: readonly PictureRow[]): Impact {
  const effects: Record<string, number> = {}
  for (const { outcome } of rows.flatMap((row) => row.effects)) {
    effects[outcome] = (effects[outcome] ?? 0) + 1
  }
  const inbound = rows.filter(({ type }) => type === 'message.received')
  return {
    records: rows.length,
    actors: new Set(rows.map(({ stream }) => stream)).size,
    boots: rows.filter(({ type }) => type === 'gateway.booted').length,
    messagesIn: inbound.length,
    refused: inbound.filter(isRefused).length,
    ignored: rows.filter(({ ignored }) => ignored !== null).length,
    effects,
  }
}

/** One line of a timeline. */
export interface TimelineLine {
  readonly at: number // ms since epoch
  readonly position: number
  readonly what: string
  readonly command: string // that shows it
  readonly isNote: boolean
}

/** Writes rows and notes as lines in the order of their positions. */
export function timelineLines(subject: ReportSubject): TimelineLine[] {
  const notes = new Map<number, IncidentNote[]>()
  for (const note of subject.notes) {
    notes.set(note.position, [...(notes.get(note.position) ?? []), note])
  }
  const lines = subject.rows.flatMap((row): TimelineLine[] => [
    lineOf(row, subject.program),
    ...(notes.get(row.position) ?? []).map((note) => noteLine(note, row.at, subject.program)),
  ])
  const shown = new Set(subject.rows.map(({ position }) => position))
  const elsewhere = subject.notes.filter(({ position }) => !shown.has(position))
  return [...lines, ...elsewhere.map((note) => noteLine(note, note.at, subject.program))]
}

function lineOf(row: PictureRow, program: string): TimelineLine {
  const { position, at } = row
  const isBad = isWrong(row)
  const command = isBad
    ? `${program} why '#${position}'`
    : `${program} state --actor '${row.stream}' --at '#${position}'`
  return { at, position, what: whatOf(row), command, isNote: false }
}

function noteLine({ position, text, author }: IncidentNote, at: number, program: string) {
  const command = `${program} timeline '#${position}'`
  return { at, position, what: `note of ${author}: ${text}`, command, isNote: true }
}

/** Says in one line what a record did. */
function whatOf(row: PictureRow): string {
  const { stream, type, value, ignored, effects, sends } = row
  const outputs = [
    ...effects.map(({ name, outcome }) => `${name} ${outcome}`),
    ...sends.map(({ to }) => `to ${to}`),
  ]
  const end = ignored === null ? `⇒ ${value}` : `∅ ${ignored} in ${value}`
  const refused = isRefused(row) ? ['refused'] : []
  const told = [...refused, ...outputs].join(', ')
  return `${stream}  ${type} ${end}${told === '' ? '' : `  (${told})`}`
}

/** Writes a timeline as a Markdown table, in UTC. */
export function formatTimeline(subject: ReportSubject): string {
  const rows = timelineLines(subject).map(
    ({ at, position, what, command }) =>
      `| ${formatInstant(at)} | ${cell(what)} | #${position} | ${code(command)} |`,
  )
  const left = subject.leftOut > 0 ? [`${subject.leftOut} earlier records are left out.`, ''] : []
  return [
    ...left,
    '| time (UTC) | what | evidence | command that shows it |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n')
}

// A cell may hold what a stranger wrote: no pipe ends it, no bracket makes a link, no tag lives.
function cell(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[\\`*_{}[\]<>|#]/g, (character) => `\\${character}`)
}

function code(text: string): string {
  return `\`${text.replaceAll(/[`\s]+/g, ' ').replaceAll('|', String.raw`\|`)}\``
}

/** Writes the whole report. */
export function formatReport(subject: ReportSubject): string {
  const { id, title, severity, from, to, rows, notes, program } = subject
  const impact = impactOf(rows)
  const [first, last] = [rows[0], rows.at(-1)]
  const span =
    first === undefined || last === undefined
      ? 'no records'
      : `${formatInstant(first.at)} to ${formatInstant(last.at)}`
  return [
    `# ${id}: ${cell(title)}`,
    '',
    `Severity ${severity} · #${from} to #${to} · ${span}`,
    '',
    '## Impact',
    '',
    ...impactLines(impact),
    '',
    '## What was lost, failed, refused or ignored',
    '',
    ...wrongLines(rows, program),
    '',
    '## Timeline',
    '',
    formatTimeline(subject),
    '',
    '## Notes',
    '',
    ...(notes.length === 0 ? ['None.'] : notes.map(noteItem)),
    '',
    '## How to reproduce',
    '',
    '```',
    `${program} incident export --range '#${from}..#${to}' -o ${id}.ocinc`,
    `${program} incident open ${id}.ocinc`,
    `${program} replay ${id}.ocinc`,
    '```',
    '',
  ].join('\n')
}

function impactLines(impact: Impact): string[] {
  const { records, actors, boots, messagesIn, refused, ignored, effects } = impact
  const outcomes = Object.entries(effects).map(([outcome, count]) => `${count} ${outcome}`)
  return [
    `- records: ${records}, actors: ${actors}, boots: ${boots}`,
    `- messages that came in: ${messagesIn}, refused: ${refused}`,
    `- effects: ${outcomes.length === 0 ? 'none' : outcomes.join(', ')}`,
    `- events ignored: ${ignored}`,
  ]
}

function wrongLines(rows: readonly PictureRow[], program: string): string[] {
  const wrong = rows.filter(isWrong)
  if (wrong.length === 0) return ['Nothing.']
  return wrong.map(
    (row) =>
      `- #${row.position} ${cell(whatOf(row))} · ${code(`${program} why '#${row.position}'`)}`,
  )
}

function noteItem({ position, text, author, at }: IncidentNote): string {
  return `- #${position} ${cell(text)} (${cell(author)}, ${formatInstant(at)})`
}
