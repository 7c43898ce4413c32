/**
 * `openclaw incident ls|show|timeline|report`: what is known of what went wrong.
 */
import { basename } from 'node:path'
import { systemClock } from '../../../actors/services.ts'
import { renderTimelineHtml } from '../../../machines/history/picture-html.ts'
import { renderTimelineMermaid } from '../../../machines/history/picture-mermaid.ts'
import {
  formatReport,
  formatTimeline,
  impactOf,
  type ReportSubject,
  timelineLines,
} from '../../../machines/history/report.ts'
import { formatInstant } from '../../../protocol/history/address.ts'
import { hullOf, type Incident } from '../../../protocol/history/incident.ts'
import { putOut } from '../../history/drawing.ts'
import { showLines } from '../../history/incident-outcome.ts'
import {
  openOurs,
  readIncident,
  reportSubject,
  subjectArgs,
  withSubject,
} from '../../history/incident-subject.ts'
import { formatWhen, historyArgs } from '../../history/options.ts'
import { columns, note, show, showJson } from '../../output.ts'
import { defineVerb } from '../../verb.ts'

const outArg = {
  type: 'string',
  alias: 'o',
  valueHint: 'FILE',
  description: 'write it to a file',
} as const
const formats: string[] = ['text', 'md', 'html', 'mermaid']

export const incidentList = defineVerb({
  name: 'incident ls',
  description: 'List the incidents',
  args: historyArgs,
  async run(args) {
    const incidents = (await openOurs()).list()
    if (args.json) showJson({ ok: true, incidents })
    else if (incidents.length === 0) note('no incidents yet')
    else {
      const rows = incidents.map((incident) => [
        incident.id,
        `sev ${incident.severity}`,
        formatWhen(incident.createdAt, args),
        rangeText(incident),
        `notes ${incident.notes.length}`,
        incident.imported === null ? incident.title : `${incident.title} (imported)`,
      ])
      for (const line of columns(rows)) show(line)
    }
    return 0
  },
})

function rangeText(incident: Incident): string {
  const hull = hullOf(incident)
  return hull === null ? 'no range' : `#${hull.from}..#${hull.to}`
}

export const incidentShow = defineVerb({
  name: 'incident show',
  description: 'Show an incident with its notes and what was exported',
  args: subjectArgs,
  async run(args) {
    const incident = await readIncident(args.id)
    if (args.json) {
      showJson({ ok: true, ...incident })
      return 0
    }
    const { id, title, severity, author, createdAt, notes, exports, imported } = incident
    const rows = [
      ['incident', `${id}  ${title}`],
      ['severity', String(severity)],
      ['opened', `${formatInstant(createdAt)} by ${author}`],
      ['range', rangeText(incident)],
    ]
    if (imported !== null) rows.push(['imported', `${imported.id} from ${imported.from}`])
    for (const line of columns(rows)) show(line)
    for (const { position, text, author: by, at } of notes)
      show(`note      #${position} ${text}  (${by}, ${formatInstant(at)})`)
    for (const { file, tier, bytes, at } of exports)
      show(`exported  ${file}  ${tier}, ${bytes} bytes, ${formatInstant(at)}`)
    return 0
  },
})

export const incidentTimeline = defineVerb({
  name: 'incident timeline',
  description: 'Tell what happened, one line for each record and note, times in UTC',
  args: {
    ...subjectArgs,
    md: { type: 'boolean', description: 'the same as --format md' },
    format: {
      type: 'enum',
      options: formats,
      description: 'lines, a Markdown table, one HTML file, or a sequence diagram',
    },
    out: outArg,
  },
  async run(args) {
    return withSubject(args, (subject) => {
      const report = reportSubject(subject)
      const drawn = draw(report, args.md ? 'md' : (args.format ?? 'text'), subject.source.name)
      if (args.json) {
        const { leftOut } = report
        showJson({ ok: true, id: subject.id, leftOut, lines: timelineLines(report) })
      } else if (drawn !== null) putOut(drawn, args.out)
      else {
        if (report.leftOut > 0) note(`${report.leftOut} earlier records are left out`)
        showLines(timelineLines(report))
      }
      return report.rows.length === 0 ? 10 : 0
    })
  },
})

// Null: plain lines.
function draw(report: ReportSubject, format: string, source: string): string | null {
  const { id, title, rows, leftOut } = report
  if (format === 'md') return formatTimeline(report)
  if (format === 'mermaid') return renderTimelineMermaid(rows)
  if (format !== 'html') return null
  const meta = { title: `${id}: ${title}`, source: basename(source), leftOut }
  return renderTimelineHtml(rows, { ...meta, madeAt: systemClock.now() })
}

export const incidentReport = defineVerb({
  name: 'incident report',
  description: 'Write a report in Markdown: impact, what was lost, timeline, how to reproduce',
  args: {
    ...subjectArgs,
    out: outArg,
  },
  async run(args) {
    return withSubject(args, (subject) => {
      const report = reportSubject(subject)
      const markdown = formatReport(report)
      if (args.json) {
        showJson({ ok: true, id: subject.id, impact: impactOf(report.rows), markdown })
      } else putOut(markdown, args.out)
      return 0
    })
  },
})
