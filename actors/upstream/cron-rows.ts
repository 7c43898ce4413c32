/** Jobs as upstream's clients show them, and its notices of them. */
import { sha256Hex } from '../../protocol/codec.ts'
import { streamName } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { MAIN_SESSION_KEY } from '../../protocol/session-key.ts'
import { readTextOrMark } from '../bodies.ts'
import { type Job, type JobRunEnd, ownSession } from '../cron.ts'
import type { MethodHouse } from '../methods/house.ts'
import type { Feed, Teller } from './feed.ts'

const NOT_SENT = 'not-requested' // Its delivery is told of by events of its own.

/** One job. */
export function formatJob({ state, context, definition }: Job): Record<string, unknown> {
  const { jobId: id, facts, createdAt, updatedAt, nextAt } = context
  const { enabled, wakeMode, deleteAfterRun, route } = facts
  const next = nextAt === 0 ? {} : { nextRunAtMs: nextAt }
  const description = definition?.description ?? ''
  const delivery =
    route === null
      ? {}
      : { delivery: { mode: 'announce', channel: route.channel, to: route.target } }
  return {
    id,
    name: definition?.name ?? '[erased]',
    ...(description === '' ? {} : { description }),
    enabled: enabled && state !== 'spent',
    ...(deleteAfterRun ? { deleteAfterRun } : {}),
    createdAtMs: createdAt,
    updatedAtMs: Math.max(updatedAt, context.run?.endedAt ?? 0),
    schedule: scheduleOf(facts.schedule),
    sessionTarget: targetOf(id, facts.sessionKey),
    wakeMode,
    payload: definition?.payload ?? { kind: 'systemEvent', text: '[erased]' },
    ...delivery,
    state: { ...next, ...stateOf(state, context) },
    configRevision: `sha256:${sha256Hex(JSON.stringify(facts))}`,
    ...next,
    effectiveAgentId: 'main',
  }
}

/** Where its answers go, in words. */
export function formatPreview({ context: { facts } }: Job): { label: string; detail: string } {
  if (facts.route === null) return { label: 'not requested', detail: 'not requested' }
  const { channel, target } = facts.route
  return { label: `${channel} → ${target}`, detail: 'explicit' }
}

function scheduleOf(schedule: Job['context']['facts']['schedule']): unknown {
  if (schedule.kind === 'at') return { kind: 'at', at: new Date(schedule.atMs).toISOString() }
  if (schedule.kind === 'every') return schedule
  const { kind, expr, tz } = schedule
  return { kind, expr, ...(tz === null ? {} : { tz }) }
}

function targetOf(jobId: string, sessionKey: string): string {
  if (sessionKey === MAIN_SESSION_KEY) return 'main'
  return sessionKey === ownSession(jobId) ? 'isolated' : `session:${sessionKey}`
}

function stateOf(state: Job['state'], { run, errors, skipped, fault }: Job['context']): object {
  const why = fault === '' ? {} : { lastError: fault }
  if (run === null) return why
  if (state === 'running') return { ...why, runningAtMs: run.startedAt }
  const { status, startedAt, endedAt } = run
  return {
    ...why,
    lastRunAtMs: startedAt,
    lastRunStatus: status,
    lastStatus: status,
    ...(run.fault === '' ? {} : { lastError: run.fault }),
    lastDurationMs: Math.max(0, endedAt - startedAt),
    lastDeliveryStatus: NOT_SENT,
    consecutiveErrors: errors,
    consecutiveSkipped: skipped,
  }
}

/** One run that has ended, as `cron.runs` and the event tell it. */
export function formatRun({ store }: MethodHouse, { context, definition }: Job, run: JobRunEnd) {
  const { status, fault, replyRef, startedAt, endedAt, runKey } = run
  return {
    ts: endedAt,
    jobId: context.jobId,
    action: 'finished',
    status,
    completionStatus: status === 'ok' ? 'succeeded' : 'failed',
    ...(fault === '' ? {} : { error: fault }),
    ...(replyRef === '' ? {} : { summary: readTextOrMark(store, replyRef) }),
    ...(runKey === '' ? {} : { runId: runKey }),
    sessionKey: context.facts.sessionKey,
    runAtMs: startedAt,
    durationMs: Math.max(0, endedAt - startedAt),
    ...(context.nextAt === 0 ? {} : { nextRunAtMs: context.nextAt }),
    deliveryStatus: NOT_SENT,
    jobName: definition?.name ?? '[erased]',
  }
}

/**
 * Makes the teller of jobs. What changes a job is told when its next time is known, a moment later:
 * clients show it with the rest.
 */
export function cronTeller(house: MethodHouse): Teller {
  return (record, feed) => {
    if (!record.stream.startsWith('cron:') || record.value === 'planning') return
    const job = house.cron.look(streamName(record.stream))
    const { type } = record.event
    if (type === 'job.due' || type === 'job.called') {
      return announce(feed, job, { action: 'started', runAtMs: record.at })
    }
    if (type === 'job.removed') return announce(feed, job, { action: 'removed' })
    if (record.value === 'running') return
    tellSettled(house, feed, { job, record })
  }
}

function tellSettled(
  house: MethodHouse,
  feed: Feed,
  { job, record }: { readonly job: Job; readonly record: JournalRecord },
): void {
  const { reason, run } = job.context
  if (reason !== 'finished' || run === null || record.event.type === 'job.updated') {
    return announce(feed, job, { action: reason === 'added' ? 'added' : 'updated' })
  }
  const { status, ...ended } = run
  if (status === 'skipped') return announce(feed, job, { action: 'finished', status })
  const { ts: _, ...told } = formatRun(house, job, { ...ended, status })
  announce(feed, job, told)
  if (job.state === 'removed') announce(feed, job, { action: 'removed' })
}

function announce(feed: Feed, job: Job, more: object): void {
  const { jobId, nextAt } = job.context
  const next = nextAt === 0 ? {} : { nextRunAtMs: nextAt }
  feed.announce('cron', { jobId, job: formatJob(job), ...next, ...more })
}
