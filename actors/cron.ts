/**
 * Jobs: those that there are, what they say, and how their last runs went.
 *
 * Each is an actor of its own (machines/cron.ts); here they are found. What people wrote of a job is
 * one body, read whenever somebody looks.
 */
import type { CronContext, JobFacts, JobRoute, Schedule } from '../machines/cron.ts'
import { canonical } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { quote, type StreamId, streamId, streamName } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JobDraft, JobPatch } from '../protocol/methods/cron.ts'
import { type JournalEvent, type JournalRecord, parseRecord } from '../protocol/record.ts'
import { canonicalSessionKey, DEFAULT_AGENT_ID } from '../protocol/session-key.ts'
import type { Store, StoreReader } from '../store/contract.ts'
import { draftText, readText, readTextOrNull } from './bodies.ts'
import { planNext } from './cron-plan.ts'
import type { Message } from './durable.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'

/** What people wrote of a job. */
export interface JobDefinition {
  readonly name: string
  readonly description: string
  readonly payload: JobDraft['payload']
}

export type JobState = 'planning' | 'waiting' | 'running' | 'spent' | 'disabled' | 'removed'

/** A job; `definition` is null where what it says was erased. */
export interface Job {
  readonly state: JobState
  readonly context: CronContext
  readonly definition: JobDefinition | null
}

/** One run that has ended. */
export interface JobRunEnd {
  readonly runKey: string
  readonly status: 'ok' | 'error'
  readonly runId: string
  readonly fault: string
  readonly replyRef: string
  readonly startedAt: number
  readonly endedAt: number
}

interface Setup {
  readonly registry: Registry
  readonly store: Store
  readonly services: Services
}

type Cited = Pick<Message, 'cause' | 'correlationId'> & { readonly by: string }

export class CronJobs {
  #setup: Setup
  #ids: Set<string> | null = null // Null until somebody looks.
  #planning = new Map<string, Set<() => void>>()

  constructor(setup: Setup) {
    this.#setup = setup
  }

  /** Every job that there is, by creation. */
  list(): Job[] {
    const jobs = [...this.#known()].map((jobId) => this.#read(jobId))
    return jobs.sort((a, b) => a.context.createdAt - b.context.createdAt)
  }

  /** A job that is there or was. */
  look(jobId: string): Job {
    return this.#read(jobId)
  }

  /** @throws {GatewayError} NOT_FOUND */
  find(jobId: string): Job {
    if (this.#known().has(jobId)) return this.#read(jobId)
    throw new GatewayError('NOT_FOUND', `no job ${quote(jobId)}`, { path: 'jobId' })
  }

  /** @throws {GatewayError} INVALID_REQUEST: a wrong schedule; UNAVAILABLE: limits.cronJobsMax */
  async add(draft: JobDraft, { by, ...cited }: Cited): Promise<{ job: Job; position: number }> {
    if (this.#known().size >= limits.cronJobsMax) {
      throw new GatewayError('UNAVAILABLE', `there are ${limits.cronJobsMax} jobs already`)
    }
    const { services, registry } = this.#setup
    const jobId = services.chance.id()
    const { facts, body } = this.#settle(jobId, draft)
    await this.#assertSchedule(facts.schedule)
    const event = { type: 'job.created', jobId, facts, by }
    const message = { event, ...cited, bodies: [body] }
    const { position } = await registry.offer(streamId('cron', jobId), message)
    this.#known().add(jobId)
    return { job: await this.#planned(jobId), position }
  }

  /** @throws {GatewayError} NOT_FOUND, INVALID_REQUEST */
  async update(jobId: string, patch: JobPatch, { by, ...cited }: Cited): Promise<Job> {
    const { context, definition } = this.find(jobId)
    const { facts: before } = context
    const { name = '', description = '', payload } = definition ?? {}
    const draft = { ...draftOf(before), name, description, ...(payload ? { payload } : {}) }
    const { facts, body } = this.#settle(jobId, { ...draft, ...patch } as JobDraft)
    if (patch.schedule !== undefined) await this.#assertSchedule(facts.schedule)
    const event = { type: 'job.updated', facts, by }
    await this.#tell(jobId, event, { ...cited, bodies: [body] })
    return this.#planned(jobId)
  }

  /** Removes a job; false where there is none. */
  async remove(jobId: string, { by, ...cited }: Cited): Promise<boolean> {
    if (!this.#known().has(jobId)) return false
    const { ignored } = await this.#tell(jobId, { type: 'job.removed', by }, cited)
    return ignored === null
  }

  /** Runs a job now; null where it runs already. @throws {GatewayError} NOT_FOUND */
  async run(jobId: string, { by, ...cited }: Cited): Promise<string | null> {
    this.find(jobId)
    const { ignored } = await this.#tell(jobId, { type: 'job.called', by }, cited)
    return ignored === null ? (this.find(jobId).context.run?.runKey ?? null) : null
  }

  /** Runs that have ended, newest first, of limits.cronRunRecordsMax records at most. */
  ends(jobId: string, countMax: number): JobRunEnd[] {
    const { store } = this.#setup
    const stream = streamId('cron', jobId)
    const found: JobRunEnd[] = []
    const last = store.version(stream)
    const first = Math.max(1, last - limits.cronRunRecordsMax)
    for (let version = last; version >= first && found.length < countMax; version -= 1) {
      const record = recordOf(store, stream, version)
      if (record === null) break
      const end = endIn(record)
      if (end !== null) found.push(end)
    }
    return found
  }

  /** Hears of a committed record; called once for each, in order. */
  committed({ stream, value }: JournalRecord): void {
    if (!stream.startsWith('cron:')) return
    const jobId = streamName(stream)
    if (value === 'removed') this.#ids?.delete(jobId)
    if (value === 'planning') return
    const waiting = this.#planning.get(jobId)
    this.#planning.delete(jobId)
    for (const wake of waiting ?? []) wake()
  }

  // Where it is due next is known a moment after the job is.
  async #planned(jobId: string): Promise<Job> {
    if (this.#read(jobId).state === 'planning') {
      await new Promise<void>((resolve) => {
        const waiting = this.#planning.get(jobId) ?? new Set()
        this.#planning.set(jobId, waiting.add(resolve))
      })
    }
    return this.#read(jobId)
  }

  #known(): Set<string> {
    this.#ids ??= new Set(this.#scan())
    return this.#ids
  }

  *#scan(): Iterable<string> {
    for (const stream of this.#setup.store.streams('cron')) {
      const jobId = streamName(stream)
      const { state } = this.#read(jobId)
      if (state !== 'removed') yield jobId
    }
  }

  #read(jobId: string): Job {
    const { registry, store } = this.#setup
    const { value, context: kept } = registry.snapshot(streamId('cron', jobId))
    const context = kept as CronContext
    return { state: value as JobState, context, definition: definitionOf(store, context.facts.ref) }
  }

  #settle(jobId: string, draft: JobDraft) {
    const { services } = this.#setup
    const { name, description = '', payload, schedule, sessionKey = null } = draft
    const { fresh = sessionKey === null, deliver = null, enabled = true } = draft
    const { wakeMode = 'now', deleteAfterRun = schedule.kind === 'at' } = draft
    const definition: JobDefinition = { name, description, payload }
    const body = draftText(services.chance, canonical(definition))
    const facts: JobFacts = {
      ref: body.ref,
      schedule: scheduleOf(schedule, services.clock.now()),
      sessionKey: sessionKey === null ? ownSession(jobId) : canonicalSessionKey(sessionKey),
      fresh,
      route: routeOf(deliver),
      wakeMode,
      enabled,
      deleteAfterRun,
    }
    return { facts, body }
  }

  async #assertSchedule(schedule: Schedule): Promise<void> {
    const now = this.#setup.services.clock.now()
    if (schedule.kind === 'at' && schedule.atMs < now - limits.cronPastMsMax) {
      const text = `schedule.at: ${new Date(schedule.atMs).toISOString()} is over`
      throw new GatewayError('INVALID_REQUEST', text, { path: 'schedule.at' })
    }
    const { nextAt } = await planNext(schedule, now, 0)
    if (nextAt !== null) return
    const text = 'schedule: it never comes'
    throw new GatewayError('INVALID_REQUEST', text, { path: 'schedule' })
  }

  #tell(jobId: string, event: JournalEvent, cited: Omit<Message, 'event'>): Promise<JournalRecord> {
    const stream: StreamId = streamId('cron', jobId)
    return this.#setup.registry.deliver(stream, { event, ...cited })
  }
}

/** The session of a job that has one of its own. */
export function ownSession(jobId: string): string {
  return `agent:${DEFAULT_AGENT_ID}:cron:${jobId}`
}

/**
 * Reads what people wrote of a job.
 * @throws {GatewayError} as `readText`
 */
export function readDefinition(store: StoreReader, ref: string): JobDefinition {
  return JSON.parse(readText(store, ref)) as JobDefinition
}

function definitionOf(store: StoreReader, ref: string): JobDefinition | null {
  const text = readTextOrNull(store, ref)
  return text === null ? null : (JSON.parse(text) as JobDefinition)
}

function scheduleOf(asked: JobDraft['schedule'], now: number): Schedule {
  if (asked.kind === 'every') return { ...asked, anchorMs: asked.anchorMs ?? now }
  return asked.kind === 'cron' ? { ...asked, tz: asked.tz ?? null } : asked
}

function routeOf(deliver: JobDraft['deliver']): JobRoute {
  if (deliver === null || deliver === undefined) return null
  return { channel: deliver.channel, target: deliver.target }
}

// What was settled, as it would be asked for again.
function draftOf(facts: JobFacts): Partial<JobDraft> {
  const { schedule, route, wakeMode, sessionKey, fresh, enabled, deleteAfterRun } = facts
  const settled = { sessionKey, fresh, enabled, deleteAfterRun }
  const again =
    schedule.kind === 'cron' && schedule.tz === null
      ? { kind: 'cron' as const, expr: schedule.expr }
      : (schedule as JobDraft['schedule'])
  const mode = wakeMode === 'next-heartbeat' ? ('next-heartbeat' as const) : ('now' as const)
  return { ...settled, wakeMode: mode, schedule: again, deliver: route }
}

function recordOf(store: StoreReader, stream: StreamId, version: number): JournalRecord | null {
  const position = store.positionOf(stream, version)
  const stored = position === null ? null : store.read(position)
  return stored === null ? null : parseRecord(stored, stored.fields)
}

function endIn({ event, ignored, at }: JournalRecord): JobRunEnd | null {
  if (ignored !== null || event['name'] !== 'cron.run') return null
  if (event.type !== 'effect.done' && event.type !== 'effect.failed') return null
  const { status = 'error', runId = '', fault = event['class'] ?? '', replyRef = '' } = event
  const { startedAt = at, runKey = '' } = event
  return {
    runKey: String(runKey),
    status: status === 'ok' ? 'ok' : 'error',
    runId: String(runId),
    fault: String(fault),
    replyRef: String(replyRef),
    startedAt: Number(startedAt),
    endedAt: at,
  }
}
