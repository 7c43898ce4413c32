/**
 * `openclaw incident export|redact|verify`: one file that says what happened, and proves it.
 */
import type { ArgsDef } from 'citty'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { type BundleParts, openBundle, readBundle, writeBundle } from '../../../actors/bundle.ts'
import { cutBundle, redactBundle } from '../../../actors/bundle-export.ts'
import { checkProofs, proveRecords } from '../../../actors/bundle-proofs.ts'
import { verifyBundle } from '../../../actors/bundle-verify.ts'
import { readCodeIdentity } from '../../../actors/code.ts'
import { writePrivate } from '../../../actors/private-file.ts'
import { systemClock } from '../../../actors/services.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { type Tier, TIERS } from '../../../protocol/history/incident.ts'
import { quote } from '../../../protocol/ids.ts'
import { programName } from '../../exit.ts'
import { formatVerdict, formatWritten } from '../../history/incident-outcome.ts'
import {
  fileArg,
  keyUnless,
  namesArg,
  openOurs,
  type Subject,
  subjectArgs,
  withSubject,
} from '../../history/incident-subject.ts'
import { historyArgs } from '../../history/options.ts'
import { note, show, showJson } from '../../output.ts'
import { defineVerb } from '../../verb.ts'
import { readVersion } from '../../version.ts'

const tiers: string[] = [...TIERS]
const bodiesArg = {
  bodies: {
    type: 'enum',
    options: tiers,
    description: 'texts: skeleton (none), masked (no secrets, no personal data), full',
  },
} as const satisfies ArgsDef
const outArg = {
  out: { type: 'string', alias: 'o', valueHint: 'FILE', description: 'where to write it' },
} as const

/** Default tier: what may be sent to somebody who helps. */
export const incidentExport = defineVerb({
  name: 'incident export',
  description: 'Write an incident or a range into one file that needs nothing else',
  args: {
    ...subjectArgs,
    ...bodiesArg,
    ...namesArg,
    ...outArg,
    actors: { type: 'string', valueHint: 'GLOB,...', description: 'only these actors' },
    'with-code': { type: 'boolean', description: 'the code that wrote the records, too' },
    yes: { type: 'boolean', alias: 'y', description: 'export full texts without asking' },
  },
  async run(args) {
    const tier = TIERS.find((known) => known === args.bodies) ?? 'skeleton'
    return withSubject(args, async (subject) => {
      if (tier === 'full') await confirmFull(subject, args.yes === true)
      const parts = cutSubject(subject, tier, args)
      const file = args.out ?? (await placeFor(subject, tier))
      const written = writeOut(file, parts, args.json === true)
      await rememberExport(subject, { file, tier, ...written })
      return 0
    })
  },
})

/** Beside the incident, where only its owner may look; of a bare range, here. */
async function placeFor({ id }: Subject, tier: Tier): Promise<string> {
  if (id === 'range') return 'range.ocinc'
  return join((await openOurs()).directory(id), `${id}-${tier}.ocinc`)
}

interface Cutting {
  readonly actors?: string | undefined
  readonly names?: boolean | undefined
  readonly 'with-code'?: boolean | undefined
}

function cutSubject(subject: Subject, tier: Tier, args: Cutting): BundleParts {
  const { source, id, title, severity, notes, from, to } = subject
  if (source.reader === null) {
    const text = `${source.name} is an incident file: ${programName()} incident redact FILE -o OUT`
    throw new GatewayError('USAGE', text)
  }
  const { reader } = source
  return cutBundle(reader, {
    id,
    title,
    severity,
    notes,
    from,
    tier,
    to: Math.min(to, source.history.head()),
    actors: args.actors?.split(',').filter(Boolean) ?? null,
    code: readCodeIdentity(),
    tool: readVersion(),
    madeAt: systemClock.now(),
    proofsOf: (positions) => proveRecords(reader, positions),
    ...keyUnless(args.names),
    ...(args['with-code'] === true ? { codeOf: (id) => reader.code(id) } : {}),
  })
}

async function confirmFull({ id }: Subject, yes: boolean): Promise<void> {
  if (yes) return
  if (process.stdin.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr })
    const answer = await terminal.question(
      `Every text of this range goes into the file in clear. Type ${id} to go on: `,
    )
    terminal.close()
    if (answer.trim() === id) return
  }
  const text =
    'full: every text would go into the file in clear; add --yes, or take --bodies masked'
  throw new GatewayError('USAGE', `--bodies ${text}`)
}

interface Written {
  readonly bytes: number
  readonly sha256: string
}

function writeOut(file: string, parts: BundleParts, json: boolean): Written {
  const bytes = writeBundle(parts)
  const { digest, manifest } = readBundle(bytes) // What cannot be read is not handed out.
  writePrivate(file, bytes)
  if (json) showJson({ ok: true, file, bytes: bytes.length, sha256: digest, manifest })
  else {
    const [wrote, ...remarks] = formatWritten(file, bytes.length, manifest)
    show(wrote ?? '')
    for (const line of remarks) note(line)
  }
  return { bytes: bytes.length, sha256: digest }
}

async function rememberExport(
  { id }: Subject,
  row: Written & { file: string; tier: Tier },
): Promise<void> {
  if (id === 'range') return
  const incidents = await openOurs()
  incidents.update(id, (incident) => ({
    ...incident,
    exports: [...incident.exports, { ...row, at: systemClock.now() }],
  }))
}

export const incidentRedact = defineVerb({
  name: 'incident redact',
  description: 'Write an incident file anew with less of its texts, names as pseudonyms',
  args: { ...historyArgs, ...fileArg, ...bodiesArg, ...namesArg, ...outArg },
  run(args) {
    if (args.out === undefined) throw new GatewayError('USAGE', '--out is missing')
    const tier = TIERS.find((known) => known === args.bodies)
    if (tier === undefined || tier === 'full') {
      const text = `--bodies: expected skeleton | masked, got ${quote(args.bodies ?? '')}`
      throw new GatewayError('USAGE', text)
    }
    const { pseudonymKey } = keyUnless(args.names)
    const parts = redactBundle(openBundle(args.file), tier, pseudonymKey)
    writeOut(args.out, parts, args.json === true)
    return Promise.resolve(0)
  },
})

/** Exit code 0: all of it holds; 12: something does not. */
export const incidentVerify = defineVerb({
  name: 'incident verify',
  description: 'Check an incident file: digest, hashes, chain, names, states, bodies, proofs',
  args: { ...historyArgs, ...fileArg },
  run(args) {
    const report = verifyBundle(openBundle(args.file), { code: readCodeIdentity(), checkProofs })
    if (args.json) showJson(report)
    else for (const line of formatVerdict(report)) show(line)
    return Promise.resolve(report.ok ? 0 : 12)
  },
})
