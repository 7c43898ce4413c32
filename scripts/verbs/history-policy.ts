/**
 * `openclaw history policy`, `prune` and `compact`: what is let go of history, when, and at once.
 */
import type { ArgsDef } from 'citty'
import { join } from 'node:path'
import { type Archive, type ArchivePlan, openArchive } from '../../actors/archive.ts'
import { readCodeIdentity } from '../../actors/code.ts'
import { openIncidents } from '../../actors/incidents.ts'
import {
  applyRetention,
  planRetention,
  type RetentionHow,
  type RetentionPlan,
  type RetentionWish,
} from '../../actors/retention.ts'
import { systemChance, systemClock } from '../../actors/services.ts'
import { POLICIES, PRESETS, type RetentionPolicy } from '../../machines/rules/retention.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote, type StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { checkConfig } from '../checks/config.ts'
import { findJournal } from '../history/place.ts'
import { withSource } from '../history/source.ts'
import { inItsPlace } from '../history/stopped.ts'
import { jsonArgs } from '../arguments.ts'
import { EXIT } from '../exit.ts'
import { columns, formatBytes, note, show, showJson } from '../output.ts'
import { readSettings, type Settings } from '../settings.ts'
import { defineVerb } from '../verb.ts'
import { readVersion } from '../version.ts'

const presetArg: { type: 'enum'; options: string[]; description: string } = {
  type: 'enum',
  options: [...PRESETS],
  description: 'as if this were history.preset',
}

const removingArgs = {
  ...jsonArgs,
  'dry-run': {
    type: 'boolean',
    description: 'only tell what would go, and what would be archived',
  },
  'without-archive': {
    type: 'boolean',
    description: 'remove records without archiving them first',
  },
  yes: { type: 'boolean', description: 'do it: it cannot be undone' },
} as const satisfies ArgsDef

/** Exit code 0: told. */
export const historyPolicy = defineVerb({
  name: 'history policy',
  description: 'Show what is let go of history and when; --dry-run: what would go',
  args: {
    ...jsonArgs,
    'dry-run': { type: 'boolean', description: 'look through the journal for what would go' },
    at: { type: 'string', valueHint: '+90d', description: 'as of then (default: now)' },
    preset: presetArg,
  },
  async run(args) {
    const settings = await readSettings({})
    const now = parseAt(args.at)
    const policy = await readPolicy(settings, args.preset)
    const looks = args['dry-run'] === true || args.at !== undefined
    const plan = looks ? await look(wishOf(settings, policy, now)) : null
    if (args.json) {
      showJson({ ok: true, schema: 'openclaw-policy/1', ...policy, asOf: now, plan: summary(plan) })
      return 0
    }
    showPolicy(policy)
    if (plan !== null) showPlan(plan, 'would go')
    return 0
  },
})

/** Exit code 0: done, or told by --dry-run; 14: told, --yes is missing; 10: nothing to do. */
export const historyPrune = defineVerb({
  name: 'history prune',
  description: 'Let go what the policy lets go, now, while no gateway runs',
  args: { ...removingArgs, preset: presetArg },
  async run(args) {
    const settings = await readSettings({})
    await findJournal(settings.stateDir)
    const policy = await readPolicy(settings, args.preset)
    const wish = wishOf(settings, policy, systemClock.now())
    const archives = policy.archives && args['without-archive'] !== true
    const how = howOf(archives ? openOurs(settings) : null)
    const does = args.yes === true && args['dry-run'] !== true
    const { plan, report } = does
      ? await inItsPlace(settings.stateDir, async (kernel) => {
          const found = await planRetention(kernel.store, kernel.work, wish)
          return { plan: found, report: await applyRetention(kernel, wish, found, how) }
        })
      : { plan: await look(wish), report: null }
    const isNothing = plan.refs.length + plan.streams.length === 0
    const archive = report === null ? await foresee(how.archive, plan.streams) : null
    if (args.json) {
      const schema = 'openclaw-prune/1'
      showJson({ ok: report !== null, schema, plan: summary(plan), archive, report })
    } else {
      showPlan(plan, report === null ? 'would go' : 'went')
      if (report === null) showForeseen(archive, plan.records)
      else showArchived(how.archive, report.archives)
      if (!does && !isNothing) note('Nothing was removed. Say --yes to do it.')
      if (report?.position != null) show(`recorded as #${report.position}`)
    }
    if (isNothing) return EXIT.nothing
    return does || args['dry-run'] === true ? 0 : EXIT.refused
  },
})

/** Exit code 0: done, or told by --dry-run; 14: --yes is missing; 10: no such actor. */
export const historyCompact = defineVerb({
  name: 'history compact',
  description: 'Put tombstones in the place of the records of one actor, behind a snapshot of now',
  args: {
    ...removingArgs,
    actor: { type: 'positional', required: true, valueHint: 'KIND:ID', description: 'as run:5f…' },
  },
  async run(args) {
    const settings = await readSettings({})
    const { stateDir } = settings
    await findJournal(stateDir)
    const stream = args.actor as StreamId
    const wish = { policy: POLICIES.forever, now: systemClock.now(), held: [] }
    const version = await withSource(undefined, ({ history }) => history.version(stream))
    if (version === 0) {
      throw new GatewayError('NOT_FOUND', `no actor ${quote(stream)} is in the journal`)
    }
    const plan = { refs: [], bytes: 0, streams: [stream], records: 0, pinned: 0 }
    const how = howOf(args['without-archive'] === true ? null : openOurs(settings), 'asked')
    const does = args.yes === true && args['dry-run'] !== true
    const report = does
      ? await inItsPlace(stateDir, (kernel) => applyRetention(kernel, wish, plan, how))
      : null
    const archive = report === null ? await foresee(how.archive, [stream]) : null
    const records = report?.records ?? version - 1
    if (args.json) {
      const schema = 'openclaw-compact/1'
      showJson({ ok: does, schema, stream, records, archive, archives: report?.archives ?? [] })
    } else if (report === null) {
      show(`would remove at most ${records} records of ${stream}`)
      showForeseen(archive, records)
      note('Nothing was removed. Say --yes to do it.')
    } else {
      show(`removed ${records} records of ${stream}; recorded as #${report.position}`)
      showArchived(how.archive, report.archives)
    }
    return does || args['dry-run'] === true ? 0 : EXIT.refused
  },
})

function openOurs({ stateDir }: Settings): Archive {
  const maker = { code: readCodeIdentity(), tool: readVersion(), clock: systemClock }
  return openArchive(stateDir, maker)
}

function howOf(archive: Archive | null, policy?: string): RetentionHow {
  const correlationId = systemChance.hex(limits.correlationIdBytes)
  return { by: 'operator', correlationId, archive, ...(policy === undefined ? {} : { policy }) }
}

/** Finds what would be archived; null where nothing is. */
function foresee(
  archive: Archive | null,
  streams: readonly StreamId[],
): Promise<ArchivePlan | null> {
  return withSource(undefined, ({ reader }) =>
    archive === null || reader === null ? null : archive.plan(reader, streams),
  )
}

function showForeseen(archive: ArchivePlan | null, records: number): void {
  if (archive !== null && archive.files > 0) {
    const { files, directory } = archive
    show(`would archive ${archive.records} records first: ${files} files in ${directory}`)
  } else if (records > 0) show('would archive none of them: they go for good')
}

function showArchived(archive: Archive | null, files: readonly string[]): void {
  for (const name of files) show(`archived in ${join(archive?.directory ?? '', name)}`)
}

/** Finds what would go, beside whoever writes. @throws {GatewayError} NOT_FOUND: no journal. */
function look(wish: RetentionWish): Promise<RetentionPlan> {
  return withSource(undefined, ({ reader, openWork, name }) => {
    if (reader !== null) return planRetention(reader, openWork(), wish)
    throw new GatewayError('NOT_FOUND', `no journal is at ${name}`)
  })
}

function parseAt(text: string | undefined): number {
  const now = systemClock.now()
  if (text === undefined) return now
  const [, count, unit] = /^\+(\d{1,5})([dwmy])$/.exec(text) ?? []
  const days: Readonly<Record<string, number>> = { d: 1, w: 7, m: 30, y: 365 }
  if (count !== undefined && unit !== undefined) {
    return now + Number(count) * (days[unit] ?? 0) * 24 * 3_600_000
  }
  const message = `--at: expected a span to come such as +90d, +4w, +1y, got ${quote(text)}`
  throw new GatewayError('USAGE', message, { verb: 'history policy' })
}

async function readPolicy(
  settings: Settings,
  preset: string | undefined,
): Promise<RetentionPolicy> {
  const named = PRESETS.find((known) => known === preset)
  if (named !== undefined) return POLICIES[named]
  const { config, findings } = await checkConfig(settings.configPath, process.env)
  if (config !== null) return POLICIES[config.history.preset]
  const says = findings[0]?.says ?? 'unreadable'
  throw new GatewayError('CONFIG_INVALID', `the configuration is none: ${says}`)
}

function wishOf({ stateDir }: Settings, policy: RetentionPolicy, now: number): RetentionWish {
  const held = openIncidents(stateDir)
    .list()
    .flatMap(({ ranges }) => ranges)
  return { policy, now, held }
}

function summary(plan: RetentionPlan | null): object | null {
  if (plan === null) return null
  const { refs, bytes, streams, records, pinned } = plan
  return { bodies: refs.length, bytes, streams: streams.length, records, pinned }
}

function showPolicy({ preset, textsMs, endedMs, archives, notYet }: RetentionPolicy): void {
  const age = (ms: number | null): string =>
    ms === null ? 'stay for ever' : `go after ${ms / (24 * 3_600_000)} days`
  const rows = [
    ['preset', preset],
    ['texts', age(textsMs)],
    ['records of actors that have ended', age(endedMs)],
    ['all other records', 'stay for ever'],
    ['what goes of records', archives ? 'is archived first' : 'is archived nowhere'],
  ]
  for (const line of columns(rows)) show(line)
  for (const missing of notYet) note(`Not yet: ${missing}.`)
}

function showPlan({ refs, bytes, streams, records, pinned }: RetentionPlan, verb: string): void {
  const rows = [
    [`texts that ${verb}`, `${refs.length} (${formatBytes(bytes)})`],
    [`records that ${verb}`, `${records} of ${streams.length} actors`],
    ['pinned: open work, incidents', String(pinned)],
  ]
  for (const line of columns(rows)) show(line)
}
