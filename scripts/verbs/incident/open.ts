/**
 * `openclaw incident open|import`: what somebody sent us, read without running any of it.
 */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Bundle, openBundle, readBundle } from '../../../actors/bundle.ts'
import { checkProofs } from '../../../actors/bundle-proofs.ts'
import { verifyBundle } from '../../../actors/bundle-verify.ts'
import { readCodeIdentity } from '../../../actors/code.ts'
import { writePrivate } from '../../../actors/private-file.ts'
import { systemClock } from '../../../actors/services.ts'
import { compareKinds } from '../../../machines/history/compatibility.ts'
import { pictureRows } from '../../../machines/history/picture.ts'
import { timelineLines } from '../../../machines/history/report.ts'
import { kinds } from '../../../machines/kinds.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { formatInstant } from '../../../protocol/history/address.ts'
import { programName } from '../../exit.ts'
import {
  formatSize,
  formatStandings,
  formatVerdict,
  showLines,
} from '../../history/incident-outcome.ts'
import { commandLine, fileArg, openOurs } from '../../history/incident-subject.ts'
import { historyArgs } from '../../history/options.ts'
import { columns, show, showJson } from '../../output.ts'
import { defineVerb } from '../../verb.ts'

const FIRST_LINES = 12

/** Exit code 0: it holds; 12: it opens, but something in it does not hold. */
export const incidentOpen = defineVerb({
  name: 'incident open',
  description: 'Look into an incident file: overview, compatibility, the first of its timeline',
  args: { ...historyArgs, ...fileArg },
  run(args) {
    const bundle = openBundle(args.file)
    const code = readCodeIdentity()
    const report = verifyBundle(bundle, { code, checkProofs })
    const standings = compareKinds(bundle.segment.records, kinds, code)
    if (args.json) {
      const { manifest, notes, skipped, digest, bytes } = bundle
      showJson({
        ok: report.ok,
        schema: 'openclaw-incident-open/1',
        bytes,
        sha256: digest,
        manifest,
        notes,
        skipped,
        machines: standings,
        verify: report,
      })
      return Promise.resolve(report.ok ? 0 : 12)
    }
    showOverview(bundle)
    for (const line of formatVerdict(report)) show(line)
    show('machines, as this version has them:')
    for (const line of formatStandings(standings)) show(line)
    showBeginning(bundle)
    showNext(args.file, bundle)
    return Promise.resolve(report.ok ? 0 : 12)
  },
})

function showOverview({ manifest, bytes, notes, code, skipped }: Bundle): void {
  const { id, title, severity, range, tier, madeAt, tool, redaction } = manifest
  const carried = code.size === 0 ? 'none' : `${code.size} archives; nothing of them is run`
  const rows = [
    ['incident', `${id}  ${title}`],
    ['severity', severity === 0 ? '-' : String(severity)],
    ['range', `#${range.from}..#${range.to}: ${redaction.records} records, ${notes.length} notes`],
    ['bodies', `${tier}: ${redaction.bodies}, ${redaction.withheld} withheld`],
    ['written', `${formatInstant(madeAt)} by version ${tool}, ${formatSize(bytes)}`],
    ['code', carried],
  ]
  if (skipped.length > 0) rows.push(['unknown', `frames passed over: ${skipped.join(', ')}`])
  for (const line of columns(rows)) show(line)
}

function showBeginning({ manifest, history, notes }: Bundle): void {
  const { id, title, severity, range } = manifest
  const { from, to } = range
  const picture = pictureRows(history, from, to)
  const lines = timelineLines({
    id,
    title,
    severity,
    from,
    to,
    notes,
    program: programName(),
    ...picture,
  })
  show('timeline:')
  showLines(lines.slice(0, FIRST_LINES))
  if (lines.length > FIRST_LINES) show(`  and ${lines.length - FIRST_LINES} lines more`)
}

function showNext(file: string, { manifest: { range } }: Bundle): void {
  const program = programName()
  show('next:')
  show(`  ${program} incident timeline --range '#${range.from}..#${range.to}' --journal ${file}`)
  show(`  ${program} state --journal ${file} --at '#${range.to}' --actor KIND:ID`)
  show(`  ${program} incident import ${file}`)
}

export const incidentImport = defineVerb({
  name: 'incident import',
  description: 'Keep a verified incident file, so that inc:ID and --journal ID find it',
  args: { ...historyArgs, ...fileArg },
  async run(args) {
    const bytes = await readFile(args.file).catch((cause: unknown) => {
      throw new GatewayError('NOT_FOUND', `${args.file}: no such file`, {}, cause)
    })
    const bundle = readBundle(bytes)
    const report = verifyBundle(bundle, { code: readCodeIdentity(), checkProofs })
    if (!report.ok) {
      const [fault = ''] = report.faults
      throw new GatewayError('STORE_CORRUPT', `${args.file}: not imported: ${fault}`)
    }
    const { id: from, title, severity, range } = bundle.manifest
    const incidents = await openOurs()
    const incident = incidents.create({
      schema: 'openclaw-incident-notes/1',
      title,
      severity,
      author: 'imported',
      createdAt: systemClock.now(),
      command: commandLine(),
      ranges: [{ ...range, text: `#${range.from}..#${range.to}` }],
      notes: [...bundle.notes],
      exports: [],
      imported: { from: basename(args.file), id: from, sha256: bundle.digest, hasFile: true },
    })
    writePrivate(incidents.bundle(incident.id), bytes)
    if (args.json) showJson({ ok: true, ...incident })
    else {
      show(incident.id)
      show(`look: ${programName()} incident timeline ${incident.id}`)
    }
    return 0
  },
})
