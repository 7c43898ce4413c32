/** `cron.*`: what is said to a session at set times. Step 4 of 8. */
import { limits } from '../../protocol/limits.ts'
import { readTextOrMark } from '../bodies.ts'
import type { Origin } from '../caller.ts'
import type { Job } from '../cron.ts'
import type { Handler, MethodHouse } from './house.ts'

/** Lists jobs, those that are off only when asked for: `{ jobs, nextAt }`. */
export const cronList: Handler<'cron.list'> = ({ cron }, { disabled = false }) => {
  const jobs = cron.list().filter(({ context }) => disabled || context.facts.enabled)
  const times = jobs.map(({ context }) => context.nextAt).filter((at) => at > 0)
  return { jobs: jobs.map(formatJob), nextAt: times.length === 0 ? null : Math.min(...times) }
}

/** Adds a job; `{ job, position }`, with the next time at which it is due. */
export const cronAdd: Handler<'cron.add'> = async ({ cron }, draft, origin) => {
  const { job, position } = await cron.add(draft, citedOf(origin))
  return { job: formatJob(job), position }
}

/** Changes a job; `{ job }`. */
export const cronUpdate: Handler<'cron.update'> = async ({ cron }, { jobId, patch }, origin) => ({
  job: formatJob(await cron.update(jobId, patch, citedOf(origin))),
})

/** Removes a job; a run in hand goes on. `{ jobId, removed }` */
export const cronRemove: Handler<'cron.remove'> = async ({ cron }, { jobId }, origin) => ({
  jobId,
  removed: await cron.remove(jobId, citedOf(origin)),
})

/** Runs a job now; `{ jobId, started, runKey }`: false where it runs already. */
export const cronRun: Handler<'cron.run'> = async ({ cron }, { jobId }, origin) => {
  const runKey = await cron.run(jobId, citedOf(origin))
  return { jobId, started: runKey !== null, runKey }
}

/** Lists runs of a job that have ended, newest first: `{ jobId, runs, total }`. */
export const cronRuns: Handler<'cron.runs'> = (house, { jobId, limit, offset = 0 }) => {
  const { context } = house.cron.find(jobId)
  const count = limit ?? limits.cronRunsPageDefault
  const runs = house.cron.ends(jobId, offset + count).slice(offset)
  return {
    jobId,
    runs: runs.map(({ replyRef, ...run }) => ({ ...run, text: textOf(house, replyRef) })),
    total: context.runs,
  }
}

function textOf({ store }: MethodHouse, ref: string): string | null {
  return ref === '' ? null : readTextOrMark(store, ref)
}

function citedOf({ caller, cause, correlationId }: Origin) {
  return { by: caller.admission.deviceId, cause, correlationId }
}

function formatJob({ state, context, definition }: Job): unknown {
  const { jobId, facts, nextAt, zone, offsetMinutes, run, runs, errors, fault } = context
  const { ref: _, schedule, ...settled } = facts
  return {
    jobId,
    state,
    name: definition?.name ?? '[erased]',
    description: definition?.description ?? '',
    payload: definition?.payload ?? null,
    schedule,
    ...settled,
    nextAt: nextAt === 0 ? null : nextAt,
    ...(zone === '' ? {} : { zone, offsetMinutes }),
    running: state === 'running',
    lastRun: run === null || run.endedAt === 0 ? null : lastOf(run),
    runs,
    errors,
    fault: fault === '' ? null : fault,
    createdAt: context.createdAt,
    updatedAt: context.updatedAt,
  }
}

function lastOf({
  runKey,
  startedAt,
  endedAt,
  status,
  runId,
  fault,
}: NonNullable<Job['context']['run']>) {
  return { runKey, startedAt, endedAt, status, runId, fault }
}
