/**
 * One job: something that is said to a session at set times.
 *
 *   new ──job.created──► planning ──effect.done (a time)──► waiting ──job.due──► running
 *                         ▲ ▲   └──effect.done (no time)──► spent        ▲         │
 *                         │ └───────job.due, too old────────┘            │         │
 *                         └────────────────────────effect.done, failed───┼─────────┘
 *   disabled, waiting, spent ──job.called──────────────────────────────────┘
 *   any ──job.updated──► planning or disabled ; any ──job.removed──► removed
 *
 * What people expect of times that went by while the gateway was down: a job that repeats runs once
 * when it is back, however many times were missed, unless the missed one is more than a day ago;
 * then it waits for its next. A job for one time runs late rather than never. A job never runs twice
 * at the same time, and each due time at most once: what it says carries a mark of job and time, so
 * an effect that was lost with its process is tried again and finds what it did.
 *
 * There is no clock here and no calendar: the next time is an effect, and its outcome is a fact, with
 * the zone and the offset that held. Name and text of a job are a body.
 */
import { produce } from 'immer'
import { assign, setup } from 'xstate'
import { limits } from '../protocol/limits.ts'
import {
  collected,
  type CronPlanParams,
  type CronRunParams,
  type EffectDone,
  type EffectFailed,
  type EffectLost,
} from './effects.ts'
import { isCurrent } from './rules/attempt.ts'
import type { Wait } from './waits.ts'

/** When a job is due. */
export type Schedule =
  | { kind: 'every'; everyMs: number; anchorMs: number }
  | { kind: 'cron'; expr: string; tz: string | null }
  | { kind: 'at'; atMs: number }

/** Where what a run answers goes; null: nowhere but into its session. */
export type JobRoute = { channel: string; target: string } | null

/** What is settled about a job. */
export interface JobFacts {
  ref: string // of name, description and payload, as JSON
  schedule: Schedule
  sessionKey: string
  fresh: boolean // whether each run begins the session anew
  route: JobRoute
  wakeMode: string
  enabled: boolean
  deleteAfterRun: boolean
}

/** How a run ended. */
export type JobOutcome = {
  runKey: string
  status: 'ok' | 'error'
  runId: string // ours; '' where none began
  fault: string
  replyRef: string // of what was answered; '' where nothing was
  startedAt: number
}

type Planned = EffectDone<{ nextAt: number | null; zone: string; offsetMinutes: number }>

export type CronEvent =
  | { type: 'job.created'; jobId: string; facts: JobFacts; by: string; at: number }
  | { type: 'job.updated'; facts: JobFacts; by: string; at: number }
  | { type: 'job.removed'; by: string; at: number }
  | { type: 'job.due'; dueAt: number; at: number }
  | { type: 'job.called'; by: string; at: number }
  | Planned
  | EffectDone<JobOutcome>
  | EffectFailed
  | EffectLost

/** The run in hand, or the last one. */
export interface JobRun {
  runKey: string
  startedAt: number
  endedAt: number // 0 while it runs
  status: 'ok' | 'error' | 'skipped'
  runId: string
  fault: string
  replyRef: string
}

export interface CronContext {
  jobId: string
  facts: JobFacts
  attempt: number // of the effect in hand
  reason: 'added' | 'updated' | 'finished' // what the plan in hand follows
  nextAt: number // 0 where there is none
  zone: string
  offsetMinutes: number
  dueAt: number // of the last due run
  run: JobRun | null
  runs: number // that have ended
  errors: number // in a row
  skipped: number // in a row
  fault: string // why no time could be found
  createdAt: number
  updatedAt: number
}

const NO_FACTS: JobFacts = {
  ref: '',
  schedule: { kind: 'at', atMs: 0 },
  sessionKey: '',
  fresh: false,
  route: null,
  wakeMode: '',
  enabled: false,
  deleteAfterRun: false,
}

const machine = setup({
  types: { context: {} as CronContext, events: {} as CronEvent },
  actions: {
    'job.keep': assign(({ context, event }) =>
      produce(context, (draft) => {
        if (event.type !== 'job.created' && event.type !== 'job.updated') return
        draft.facts = event.facts
        draft.updatedAt = event.at
        draft.reason = event.type === 'job.created' ? 'added' : 'updated'
        if (event.type !== 'job.created') return
        draft.jobId = event.jobId
        draft.createdAt = event.at
      }),
    ),
    'attempt.next': assign(({ context }) => ({ ...context, attempt: context.attempt + 1 })),
    'plan.keep': assign(({ context, event }) => {
      if (event.type !== 'effect.done' || !('nextAt' in event)) return context
      const { zone, offsetMinutes } = event
      return { ...context, nextAt: event.nextAt ?? 0, zone, offsetMinutes, fault: '' }
    }),
    'plan.fail': assign(({ context, event }) => ({
      ...context,
      nextAt: 0,
      fault: event.type === 'effect.failed' ? event.class : 'lost',
    })),
    'plan.drop': assign(({ context }) => ({ ...context, nextAt: 0 })),
    'run.begin': assign(({ context, event }) => {
      const isDue = event.type === 'job.due'
      const dueAt = isDue ? event.dueAt : context.dueAt
      const runKey = isDue
        ? `cron:${context.jobId}:${dueAt}`
        : `manual:${context.jobId}:${event.at}`
      const run = { ...NO_RUN, runKey, startedAt: event.at }
      return { ...context, dueAt, nextAt: 0, run, attempt: context.attempt + 1 }
    }),
    'run.skip': assign(({ context, event }) => {
      if (event.type !== 'job.due') return context
      const { jobId, skipped } = context
      const run = {
        ...NO_RUN,
        runKey: `cron:${jobId}:${event.dueAt}`,
        startedAt: event.at,
        endedAt: event.at,
        status: 'skipped' as const,
        fault: 'missed',
      }
      return {
        ...context,
        dueAt: event.dueAt,
        run,
        skipped: skipped + 1,
        reason: 'finished' as const,
      }
    }),
    'run.end': assign(({ context, event }) => endRun(context, event)),
    'cron.plan': collected<CronPlanParams>,
    'cron.run': collected<CronRunParams>,
  },
  guards: {
    'job.isOn': ({ event }) => 'facts' in event && event.facts.enabled,
    'plan.isIts': ({ context, event }) => isPlan(context, event),
    'plan.found': ({ context, event }) =>
      isPlan(context, event) && 'nextAt' in event && event.nextAt !== null,
    'plan.failed': ({ context, event }) => isCurrent(asAttempt(context), event, 'cron.plan'),
    'run.isIts': ({ context, event }) => isCurrent(asAttempt(context), event, 'cron.run'),
    'run.isLast': ({ context, event }) =>
      isCurrent(asAttempt(context), event, 'cron.run') &&
      context.facts.deleteAfterRun &&
      isGood(event),
    'run.isOff': ({ context, event }) =>
      isCurrent(asAttempt(context), event, 'cron.run') && !context.facts.enabled,
    'due.isOld': ({ context, event }) =>
      event.type === 'job.due' &&
      context.facts.schedule.kind !== 'at' &&
      event.at - event.dueAt > limits.cronMissedMsMax,
    'due.isIts': ({ context, event }) => event.type === 'job.due' && event.dueAt === context.nextAt,
  },
})

const NO_RUN: JobRun = {
  runKey: '',
  startedAt: 0,
  endedAt: 0,
  status: 'error',
  runId: '',
  fault: '',
  replyRef: '',
}

const asAttempt = ({ attempt }: CronContext) => ({ attempt, retryAt: 0, fault: '' })

function isPlan(context: CronContext, event: CronEvent): boolean {
  return event.type === 'effect.done' && isCurrent(asAttempt(context), event, 'cron.plan')
}

// A run that failed is kept, so that somebody sees it.
function isGood(event: CronEvent): boolean {
  return event.type === 'effect.done' && 'status' in event && event.status === 'ok'
}

function endRun(context: CronContext, event: CronEvent): CronContext {
  const { run, runs, errors } = context
  if (run === null) return context
  const told = event.type === 'effect.done' && 'replyRef' in event ? event : null
  const fault = event.type === 'effect.failed' ? event.class : (told?.fault ?? 'lost')
  const status = told?.status ?? 'error'
  const { runId = '', replyRef = '' } = told ?? {}
  return {
    ...context,
    run: { ...run, endedAt: event.at, status, runId, fault, replyRef },
    runs: runs + 1,
    errors: status === 'ok' ? 0 : errors + 1,
    skipped: 0,
    reason: 'finished',
  }
}

const changes = {
  'job.updated': [
    { guard: 'job.isOn', target: 'planning', reenter: true, actions: 'job.keep' },
    { target: 'disabled', actions: ['job.keep', 'plan.drop'] },
  ],
  'job.removed': { target: 'removed', actions: 'plan.drop' },
} as const

const called = { target: 'running', actions: 'run.begin' } as const

export const cronMachine = machine.createMachine({
  id: 'cron',
  context: {
    jobId: '',
    facts: NO_FACTS,
    attempt: 0,
    reason: 'added',
    nextAt: 0,
    zone: '',
    offsetMinutes: 0,
    dueAt: 0,
    run: null,
    runs: 0,
    errors: 0,
    skipped: 0,
    fault: '',
    createdAt: 0,
    updatedAt: 0,
  },
  initial: 'new',
  states: {
    new: {
      on: {
        'job.created': [
          { guard: 'job.isOn', target: 'planning', actions: 'job.keep' },
          { target: 'disabled', actions: 'job.keep' },
        ],
      },
    },
    planning: {
      entry: [
        'attempt.next',
        {
          type: 'cron.plan',
          params: ({ context: { facts, dueAt, attempt }, event }) => ({
            schedule: facts.schedule,
            after: Math.max(event.at, dueAt),
            dueAt,
            attempt,
          }),
        },
      ],
      on: {
        'effect.done': [
          { guard: 'plan.found', target: 'waiting', actions: 'plan.keep' },
          { guard: 'plan.isIts', target: 'spent', actions: 'plan.keep' },
        ],
        'effect.failed': { guard: 'plan.failed', target: 'spent', actions: 'plan.fail' },
        'effect.lost': { guard: 'plan.failed', target: 'planning', reenter: true },
        'job.called': called,
        ...changes,
      },
    },
    waiting: {
      on: {
        'job.due': [
          { guard: 'due.isOld', target: 'planning', actions: 'run.skip' },
          { guard: 'due.isIts', target: 'running', actions: 'run.begin' },
        ],
        'job.called': called,
        ...changes,
      },
    },
    running: {
      entry: {
        type: 'cron.run',
        params: ({ context: { jobId, facts, run, attempt } }) => ({
          jobId,
          ref: facts.ref,
          sessionKey: facts.sessionKey,
          fresh: facts.fresh,
          route: facts.route,
          runKey: run?.runKey ?? '',
          attempt,
        }),
      },
      on: {
        'effect.done': [
          { guard: 'run.isLast', target: 'removed', actions: 'run.end' },
          { guard: 'run.isOff', target: 'disabled', actions: 'run.end' },
          { guard: 'run.isIts', target: 'planning', actions: 'run.end' },
        ],
        'effect.failed': [
          { guard: 'run.isOff', target: 'disabled', actions: 'run.end' },
          { guard: 'run.isIts', target: 'planning', actions: 'run.end' },
        ],
        'effect.lost': {
          guard: 'run.isIts',
          target: 'running',
          reenter: true,
          actions: 'attempt.next',
        },
        'job.updated': { actions: 'job.keep' },
        'job.removed': changes['job.removed'],
      },
    },
    spent: { on: { 'job.called': called, ...changes } },
    disabled: { on: { 'job.called': called, ...changes } },
    removed: { type: 'final' },
  },
})

/** Lists what a job waits for: its next time. */
export function cronWaits(value: unknown, { nextAt }: CronContext): Wait[] {
  if (value !== 'waiting' || nextAt === 0) return []
  return [{ id: 'due', dueAt: nextAt, event: { type: 'job.due', dueAt: nextAt } }]
}
