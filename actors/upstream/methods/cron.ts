/** Upstream's methods about jobs. Step 4 of 8. */
import type { cronMethods } from '../../../protocol/dialect/upstream/methods/cron.ts'
import type { UpstreamParams } from '../../../protocol/dialect/upstream/methods.ts'
import { canonical, sha256Hex } from '../../../protocol/codec.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { limits } from '../../../protocol/limits.ts'
import type { JobDraft, JobPatch } from '../../../protocol/methods/cron.ts'
import { DEFAULT_AGENT_ID, MAIN_SESSION_KEY } from '../../../protocol/session-key.ts'
import { type Job, ownSession } from '../../cron.ts'
import { formatJob, formatPreview, formatRun } from '../cron-rows.ts'
import type { Call, Handlers, UpstreamHouse } from '../house.ts'

export const cronHandlers: Handlers<typeof cronMethods> = {
  'cron.list': list,
  'cron.status': ({ cron }) => {
    const jobs = cron.list()
    const times = jobs.map(({ context }) => context.nextAt).filter((at) => at > 0)
    const nextWakeAtMs = times.length === 0 ? null : Math.min(...times)
    const storage = { storePath: 'journal', storage: 'journal' }
    return { enabled: true, triggersEnabled: false, ...storage, jobs: jobs.length, nextWakeAtMs }
  },
  'cron.get': (house, asked) => formatJob(find(house, idOf('cron.get', asked))),
  'cron.add': async (house, asked, call) => {
    const { name, wakeMode, schedule } = asked
    assertAgent(asked.agentId)
    assertPair(asked.sessionTarget, asked.payload.kind)
    const draft: JobDraft = {
      name,
      wakeMode,
      schedule: readSchedule(schedule),
      payload: readPayload(asked.payload),
      ...readTarget(asked.sessionTarget, asked.sessionKey),
      ...readSettled(asked),
    }
    const { job } = await house.cron.add(draft, citedOf(call))
    return { ...formatJob(job), deliveryPreview: formatPreview(job) }
  },
  'cron.update': update,
  'cron.remove': async (house, asked, call) => ({
    ok: true,
    removed: await house.cron.remove(idOf('cron.remove', asked), citedOf(call)),
  }),
  'cron.run': async (house, asked, call) => {
    const { state, context } = find(house, idOf('cron.run', asked))
    const { mode = 'force' } = asked
    // What is due runs by itself, so nothing that can be seen here is.
    if (mode === 'due') return { ok: true, ran: false, reason: 'not-due' }
    if (mode === 'if-enabled' && (!context.facts.enabled || state === 'spent')) {
      return { ok: true, ran: false, reason: 'disabled' }
    }
    const runId = await house.cron.run(context.jobId, citedOf(call))
    if (runId === null) return { ok: true, ran: false, reason: 'already-running' }
    return { ok: true, enqueued: true, runId, processInstanceId: house.bootId }
  },
  'cron.runs': readRuns,
}

function list(house: UpstreamHouse, asked: UpstreamParams<'cron.list'>): unknown {
  const { offset = 0, sortBy = 'nextRunAtMs', sortDir = 'asc' } = asked
  const jobs = house.cron.list().filter((job) => isAsked(job, asked))
  const sign = sortDir === 'asc' ? 1 : -1
  jobs.sort((a, b) => sign * compare(sortKey(a, sortBy), sortKey(b, sortBy)))
  const limit = asked.limit ?? Math.min(limits.cronListMax, Math.max(1, jobs.length))
  const page = jobs.slice(offset, offset + limit)
  const hasMore = offset + page.length < jobs.length
  const rows = page.map(formatJob)
  const marks = jobs.map(({ state, context }) => [state, context.jobId, context.updatedAt])
  const previews = page.map((job) => [job.context.jobId, formatPreview(job)])
  return {
    jobs: rows,
    snapshotRevision: `sha256:${sha256Hex(canonical(marks))}`,
    total: jobs.length,
    offset,
    limit,
    hasMore,
    nextOffset: hasMore ? offset + page.length : null,
    deliveryPreviews: Object.fromEntries(previews) as unknown,
  }
}

function isAsked(job: Job, asked: UpstreamParams<'cron.list'>): boolean {
  const { context, definition, state } = job
  const { includeDisabled = false, scheduleKind = 'all', lastRunStatus = 'all' } = asked
  const { query = '', trigger = 'all', agentId = DEFAULT_AGENT_ID } = asked
  const enabled = asked.enabled ?? (includeDisabled ? 'all' : 'enabled')
  const isOn = context.facts.enabled && state !== 'spent'
  const name = definition?.name.toLowerCase() ?? ''
  return (
    (enabled === 'all' || (enabled === 'enabled') === isOn) &&
    (scheduleKind === 'all' || context.facts.schedule.kind === scheduleKind) &&
    (lastRunStatus === 'all' || (context.run?.status ?? 'unknown') === lastRunStatus) &&
    trigger !== 'conditional' &&
    agentId === DEFAULT_AGENT_ID &&
    name.includes(query.toLowerCase())
  )
}

// What is never due again stands behind what is.
function sortKey({ context, definition }: Job, by: string): number | string {
  if (by === 'name') return definition?.name ?? ''
  if (by === 'updatedAtMs') return context.updatedAt
  return context.nextAt === 0 ? Number.MAX_SAFE_INTEGER : context.nextAt
}

function compare(a: number | string, b: number | string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

async function update(
  house: UpstreamHouse,
  asked: UpstreamParams<'cron.update'>,
  call: Call,
): Promise<unknown> {
  const job = find(house, idOf('cron.update', asked))
  const { name, schedule, payload, wakeMode, sessionTarget, sessionKey, agentId } = asked.patch
  assertAgent(agentId)
  const kind = payload?.kind ?? job.definition?.payload.kind ?? 'systemEvent'
  const before = String(formatJob(job)['sessionTarget'])
  assertPair(sessionTarget ?? before, kind)
  const target = sessionTarget === undefined ? {} : readTarget(sessionTarget, sessionKey)
  const patch: JobPatch = {
    ...(name === undefined ? {} : { name }),
    ...(wakeMode === undefined ? {} : { wakeMode }),
    ...(schedule === undefined ? {} : { schedule: readSchedule(schedule) }),
    ...(payload === undefined ? {} : { payload: readPayload(payload) }),
    ...(sessionTarget === 'isolated' ? { sessionKey: ownSession(job.context.jobId) } : {}),
    ...target,
    ...readSettled(asked.patch),
  }
  return formatJob(await house.cron.update(job.context.jobId, patch, citedOf(call)))
}

function readRuns(house: UpstreamHouse, asked: UpstreamParams<'cron.runs'>): unknown {
  const { limit = limits.cronRunsPageDefault, offset = 0, sortDir = 'desc', scope } = asked
  const { status = 'all', statuses } = asked
  const isAll = scope === 'all' || (asked.id ?? asked.jobId) === undefined
  const jobs = isAll ? house.cron.list() : [find(house, idOf('cron.runs', asked))]
  const entries = jobs.flatMap((job) =>
    house.cron
      .ends(job.context.jobId, limits.cronRunRecordsMax)
      .filter((run) => status === 'all' || run.status === status)
      .filter((run) => statuses === undefined || statuses.includes(run.status))
      .map((run) => ({ job, run })),
  )
  const sign = sortDir === 'asc' ? 1 : -1
  entries.sort((a, b) => sign * (a.run.endedAt - b.run.endedAt))
  const page = entries.slice(offset, offset + limit)
  const hasMore = offset + page.length < entries.length
  return {
    entries: page.map(({ job, run }) => formatRun(house, job, run)),
    total: entries.length,
    offset,
    limit,
    hasMore,
    nextOffset: hasMore ? offset + page.length : null,
  }
}

type Asked = UpstreamParams<'cron.add'>

function readSchedule(asked: Asked['schedule']): JobDraft['schedule'] {
  if (asked.kind === 'every') return asked
  if (asked.kind === 'cron') {
    const { kind, expr, tz } = asked
    return { kind, expr, ...(tz === undefined ? {} : { tz }) }
  }
  const atMs = asked.atMs ?? readMoment(asked.at ?? '')
  return { kind: 'at', atMs }
}

// A time without a zone is UTC's, as upstream reads it.
function readMoment(text: string): number {
  if (/^\d{10,}$/.test(text)) return Number(text)
  const hasZone = /(?:Z|[+-]\d{2}:?\d{2})$/i.test(text)
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text)
  const at = Date.parse(hasZone || isDay ? text : `${text}Z`)
  if (Number.isFinite(at)) return at
  throw invalid('schedule.at must be an ISO 8601 time', 'schedule.at')
}

function readPayload(asked: Asked['payload']): JobDraft['payload'] {
  if (asked.kind === 'systemEvent') return asked
  const { kind, message, model, thinking } = asked
  return {
    kind,
    message,
    ...(typeof model === 'string' ? { model } : {}),
    ...(typeof thinking === 'string' ? { thinking } : {}),
  }
}

function readTarget(target: string, sessionKey: string | null | undefined): Partial<JobDraft> {
  if (target === 'isolated') return { fresh: true }
  if (target === 'main') return { sessionKey: sessionKey ?? MAIN_SESSION_KEY, fresh: false }
  return { sessionKey: target.slice('session:'.length), fresh: false }
}

function readSettled(asked: {
  readonly description?: string | undefined
  readonly enabled?: boolean | undefined
  readonly deleteAfterRun?: boolean | undefined
  readonly delivery?: Asked['delivery']
}): Partial<JobDraft> {
  const { description, enabled, deleteAfterRun, delivery } = asked
  const deliver =
    delivery !== undefined && 'to' in delivery
      ? { channel: delivery.channel, target: delivery.to }
      : null
  return {
    ...(description === undefined ? {} : { description }),
    ...(enabled === undefined ? {} : { enabled }),
    ...(deleteAfterRun === undefined ? {} : { deleteAfterRun }),
    ...(delivery === undefined ? {} : { deliver }),
  }
}

function assertAgent(agentId: string | null | undefined): void {
  if (agentId === undefined || agentId === null || agentId === DEFAULT_AGENT_ID) return
  throw invalid(`unknown agent id "${agentId}"`, 'agentId')
}

function assertPair(target: string, kind: string): void {
  const isMain = target === 'main'
  if (isMain === (kind === 'systemEvent')) return
  const text = isMain
    ? 'main cron jobs require payload.kind="systemEvent"'
    : 'isolated cron jobs require payload.kind="agentTurn"'
  throw invalid(text, 'payload.kind')
}

interface Named {
  readonly id?: string | undefined
  readonly jobId?: string | undefined
}

function idOf(method: string, { id, jobId = id }: Named): string {
  if (jobId === undefined) throw invalid(`invalid ${method} params: missing id`, 'id')
  return jobId
}

function find({ cron }: UpstreamHouse, jobId: string): Job {
  try {
    return cron.find(jobId)
  } catch {
    const details = { code: 'CRON_JOB_NOT_FOUND', jobId }
    throw new GatewayError('INVALID_REQUEST', `cron job not found: ${jobId}`, details)
  }
}

function citedOf({ caller, cause, correlationId }: Call) {
  return { by: caller.admission.deviceId, cause, correlationId }
}

function invalid(text: string, path: string): GatewayError {
  return new GatewayError('INVALID_REQUEST', text, { path })
}
