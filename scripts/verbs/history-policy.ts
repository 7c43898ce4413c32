/**
 * `openclaw history policy`, `prune` and `compact`: what is let go of history, when, and at once.
 */
import { openIncidents } from '../../actors/incidents.ts'
import {
  applyRetention,
  planRetention,
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

const presetArg: { type: 'enum'; options: string[]; description: string } = {
  type: 'enum',
  options: [...PRESETS],
  description: 'as if this were history.preset',
}

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

/** Exit code 0: done; 14: told, --yes is missing; 10: there was nothing to do. */
export const historyPrune = defineVerb({
  name: 'history prune',
  description: 'Let go what the policy lets go, now, while no gateway runs',
  args: {
    ...jsonArgs,
    preset: presetArg,
    yes: { type: 'boolean', description: 'do it: it cannot be undone' },
  },
  async run(args) {
    const settings = await readSettings({})
    await findJournal(settings.stateDir)
    const policy = await readPolicy(settings, args.preset)
    const wish = wishOf(settings, policy, systemClock.now())
    const how = { by: 'operator', correlationId: systemChance.hex(limits.correlationIdBytes) }
    const { plan, report } =
      args.yes === true
        ? await inItsPlace(settings.stateDir, async (kernel) => {
            const found = await planRetention(kernel.store, kernel.work, wish)
            return { plan: found, report: await applyRetention(kernel, wish, found, how) }
          })
        : { plan: await look(wish), report: null }
    const isNothing = plan.refs.length + plan.streams.length === 0
    if (args.json) {
      const schema = 'openclaw-prune/1'
      showJson({ ok: report !== null, schema, plan: summary(plan), report })
    } else {
      showPlan(plan, report === null ? 'would go' : 'went')
      if (report === null && !isNothing) note('Nothing was removed. Say --yes to do it.')
      if (report?.position != null) show(`recorded as #${report.position}`)
    }
    if (isNothing) return EXIT.nothing
    return report === null ? EXIT.refused : 0
  },
})

/** Exit code 0: done; 14: --yes is missing; 10: no such actor, or nothing to remove. */
export const historyCompact = defineVerb({
  name: 'history compact',
  description: 'Put tombstones in the place of the records of one actor, behind a snapshot of now',
  args: {
    ...jsonArgs,
    actor: { type: 'positional', required: true, valueHint: 'KIND:ID', description: 'as run:5f…' },
    yes: { type: 'boolean', description: 'do it: it cannot be undone' },
  },
  async run(args) {
    const { stateDir } = await readSettings({})
    await findJournal(stateDir)
    const stream = args.actor as StreamId
    const correlationId = systemChance.hex(limits.correlationIdBytes)
    const wish = { policy: POLICIES.forever, now: systemClock.now(), held: [] }
    const version = await withSource(undefined, ({ history }) => history.version(stream))
    if (version === 0) {
      throw new GatewayError('NOT_FOUND', `no actor ${quote(stream)} is in the journal`)
    }
    const plan = { refs: [], bytes: 0, streams: [stream], records: 0, pinned: 0 }
    const how = { by: 'operator', correlationId, policy: 'asked' }
    const { position, records } =
      args.yes === true
        ? await inItsPlace(stateDir, (kernel) => applyRetention(kernel, wish, plan, how))
        : { position: null, records: version - 1 }
    if (args.json)
      showJson({ ok: position !== null, schema: 'openclaw-compact/1', stream, records })
    else if (position === null) {
      show(`would remove at most ${records} records of ${stream}`)
      note('Nothing was removed. Say --yes to do it.')
    } else show(`removed ${records} records of ${stream}; recorded as #${position}`)
    return position === null ? EXIT.refused : 0
  },
})

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

function showPolicy({ preset, textsMs, endedMs, notYet }: RetentionPolicy): void {
  const age = (ms: number | null): string =>
    ms === null ? 'stay for ever' : `go after ${ms / (24 * 3_600_000)} days`
  const rows = [
    ['preset', preset],
    ['texts', age(textsMs)],
    ['records of actors that have ended', age(endedMs)],
    ['all other records', 'stay for ever'],
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
