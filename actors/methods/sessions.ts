/**
 * `sessions.*` that change something: what is settled about a session, its generations, its runs.
 * Step 4 of 8.
 *
 * Answered when the change is on disk and in the lists. Each names the generation that it saw, so
 * that of two changes at once the second is refused instead of meeting another session.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { FactChanges, SessionFacts } from '../../machines/rules/session-facts.ts'
import { generationOf, type SessionContext } from '../../machines/session.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote, streamId } from '../../protocol/ids.ts'
import type { JournalEvent, JournalRecord } from '../../protocol/record.ts'
import { type EndedRun, endedRuns, sayFailure } from '../../protocol/runs.ts'
import { sessionIdOf } from '../../protocol/session-id.ts'
import { canonicalSessionKey } from '../../protocol/session-key.ts'
import type { BodyDraft } from '../../store/contract.ts'
import { draftText } from '../bodies.ts'
import type { Origin } from '../caller.ts'
import { planRun } from '../run-plan.ts'
import { findRun } from './find-run.ts'
import type { Handler, MethodHouse } from './house.ts'

const MAIN = 'agent:main:main'

/** A session as it is on disk. */
export interface SessionState {
  readonly key: string
  readonly sessionId: string
  readonly generation: number
  readonly there: boolean // it has begun, and is not deleted
  readonly facts: SessionFacts
}

/** Reads a session's state; `key` is canonical. @throws as `Registry.actor` */
export function readSession({ registry, store }: MethodHouse, key: string): SessionState {
  const stream = streamId('session', key)
  if (store.version(stream) === 0) {
    return { key, sessionId: sessionIdOf(key, 0), generation: 0, there: false, facts: {} }
  }
  const context = registry.snapshot(stream).context as SessionContext
  const generation = generationOf(context)
  return {
    key,
    sessionId: sessionIdOf(key, generation),
    generation,
    there: context.key !== '' && context.deleted !== true,
    facts: context.facts ?? {},
  }
}

/** Resolves when lists, rows and open runs show a record that is on disk. */
export async function whenFolded({ work }: MethodHouse, position: number): Promise<void> {
  while (work.position < position) await turn()
}

/** A session behind a change, and where that stands. */
export interface SettledSession {
  readonly key: string
  readonly sessionId: string
  readonly created: boolean
  readonly facts: SessionFacts
  readonly position: number
}

/** Makes a session or changes one; `{ key, sessionId, created, facts, position }`. */
export const sessionsCreate: Handler<'sessions.create'> = (house, params, origin) => {
  const { key = `agent:main:dashboard:${house.services.chance.id()}`, ...changes } = params
  return settleSession(
    house,
    { session: readSession(house, canonicalSessionKey(key)), changes },
    origin,
  )
}

/** Changes what is settled; `null` and `false` remove. Answers as `sessions.create`. */
export const sessionsPatch: Handler<'sessions.patch'> = (house, params, origin) => {
  const { key, expectedSessionId, queueMode: queue, ...facts } = params
  const changes = queue === undefined ? facts : { ...facts, queue }
  const session = readSession(house, canonicalSessionKey(key))
  assertExpected(session, expectedSessionId)
  return settleSession(house, { session, changes }, origin)
}

/**
 * Settles something about a session, which begins with it where it is not there.
 * @throws {GatewayError} INVALID_REQUEST: no such model, or a label of another session; UNAVAILABLE:
 * another change came first.
 */
export async function settleSession(
  house: MethodHouse,
  { session, changes: asked }: { readonly session: SessionState; readonly changes: FactChanges },
  origin: Origin,
): Promise<SettledSession> {
  // What is absent is no fact: written down it would be a null, which removes.
  const given = Object.entries(asked).filter(([, value]) => value !== undefined)
  const changes: FactChanges = Object.fromEntries(given)
  assertModel(house, changes)
  assertLabel(house, session.key, changes)
  const { key, generation, there, sessionId } = session
  if (there && Object.keys(changes).length === 0) {
    return { key, sessionId, created: false, facts: session.facts, position: house.work.position }
  }
  const type = there ? 'session.patched' : 'session.created'
  const event = { type, sessionKey: key, generation, changes, by: byOf(origin) }
  const { position, ignored } = await tell(house, event, origin)
  if (ignored === 'refused') throw changedMeanwhile(key)
  return { key, sessionId, created: !there, facts: readSession(house, key).facts, position }
}

/** Ends the runs of a session and begins its next generation; `{ key, sessionId, reset, position }`. */
export const sessionsReset: Handler<'sessions.reset'> = async (house, params, origin) => {
  const session = readSession(house, canonicalSessionKey(params.key))
  assertExpected(session, params.expectedSessionId)
  const { key, sessionId, there } = session
  if (!there) return { key, sessionId, reset: false, position: house.work.position }
  const { reason = 'reset' } = params
  const { position, generation } = await renewSession(
    house,
    { session, type: 'reset', reason },
    origin,
  )
  return { key, sessionId: sessionIdOf(key, generation), reset: true, position }
}

/** Takes a session out of the lists; `{ key, deleted, position }`. The journal keeps it. */
export const sessionsDelete: Handler<'sessions.delete'> = async (house, params, origin) => {
  const session = readSession(house, canonicalSessionKey(params.key))
  const { key } = session
  if (key === MAIN) {
    const text = `Cannot delete the main session (${MAIN}).`
    throw new GatewayError('INVALID_REQUEST', text, { path: 'key' })
  }
  assertExpected(session, params.expectedSessionId)
  if (!session.there) return { key, deleted: false, position: house.work.position }
  const { position } = await renewSession(
    house,
    { session, type: 'deleted', reason: 'deleted' },
    origin,
  )
  return { key, deleted: true, position }
}

/**
 * Begins the next generation of a session that is there; its runs end.
 * @throws {GatewayError} UNAVAILABLE: another change came first.
 */
export async function renewSession(
  house: MethodHouse,
  how: {
    readonly session: SessionState
    readonly type: 'reset' | 'deleted'
    readonly reason: string
  },
  origin: Origin,
): Promise<{ position: number; generation: number }> {
  const { key } = how.session
  const generation = how.session.generation + 1
  const what = { sessionKey: key, generation, reason: how.reason, by: byOf(origin) }
  const { position, ignored } = await tell(house, { type: `session.${how.type}`, ...what }, origin)
  if (ignored !== null) throw changedMeanwhile(key)
  return { position, generation }
}

/**
 * Ends a run, or all of a session, queued ones too; `{ key, aborted, position }` with our ids.
 * `runId` may be the caller's own name of the run.
 */
export const sessionsAbort: Handler<'sessions.abort'> = async (house, params, origin) => {
  const asked = params.key === undefined ? null : canonicalSessionKey(params.key)
  const run =
    params.runId === undefined ? null : findRun(house, { owner: byOf(origin), key: params.runId })
  const key = asked ?? run?.sessionKey ?? null
  if (params.key === undefined && params.runId === undefined) {
    const text = 'params: expected key or runId, got neither'
    throw new GatewayError('INVALID_REQUEST', text, { path: 'key' })
  }
  const isOther = params.runId !== undefined && run?.sessionKey !== key
  if (key === null || isOther || !readSession(house, key).there) {
    return { key, aborted: [], position: house.work.position }
  }
  const { ended, position } = await abortRuns(house, { key, runId: run?.runId ?? null }, origin)
  return { key, aborted: ended.map(({ runId }) => runId), position }
}

/** Ends a run of a session by our id, or all of them (null); tells which there were. */
export async function abortRuns(
  house: MethodHouse,
  { key, runId }: { readonly key: string; readonly runId: string | null },
  origin: Origin,
): Promise<{ ended: readonly EndedRun[]; position: number }> {
  const event = { type: 'session.aborted', sessionKey: key, runId, by: byOf(origin) }
  const record = await tell(house, event, origin)
  return { ended: endedRuns(record), position: record.position }
}

/** Files a message as the agent's own; `{ key, messageId, position }`. */
export const sessionsInject: Handler<'sessions.inject'> = (house, params, origin) => {
  const { label, message } = params
  const text = label === undefined ? message : `[${label}]\n\n${message}`
  return injectMessage(house, { key: canonicalSessionKey(params.key), text }, origin)
}

/**
 * Files a text in a session as the agent's own; `messageId` is that of transcripts.
 * @throws {GatewayError} NOT_FOUND: no such session.
 */
export async function injectMessage(
  house: MethodHouse,
  { key, text }: { readonly key: string; readonly text: string },
  origin: Origin,
): Promise<{ key: string; messageId: string; position: number }> {
  if (!readSession(house, key).there) {
    throw new GatewayError('NOT_FOUND', `params.key: no session ${key}`, { path: 'key' })
  }
  const { chance } = house.services
  const body = draftText(chance, text)
  const event = {
    type: 'message.injected',
    sessionKey: key,
    messageId: `inject-${chance.id()}`,
    ref: body.ref,
    by: byOf(origin),
  }
  const { position, ignored } = await tell(house, event, origin, [body])
  if (ignored !== null) throw changedMeanwhile(key)
  return { key, messageId: `m${position}`, position }
}

/**
 * Has a session's older messages summarised now; `{ key, compacted, messages?, reason? }` when that
 * is done, or why it is not.
 */
export const sessionsCompact: Handler<'sessions.compact'> = async (house, params, origin) => {
  const { key, there, facts } = readSession(house, canonicalSessionKey(params.key))
  const refused = (reason: string) => ({ key, compacted: false, reason })
  if (!there) return refused('no such session')
  const { config } = house.configuration.live
  const model = facts.model ?? config.agent.model.primary
  const compactionId = `compact-${house.services.chance.id()}`
  const { fallbacks } = planRun(config, model)
  const event = { type: 'compaction.asked', sessionKey: key, compactionId, model, fallbacks }
  const waiting = house.summaryEnds.wait(compactionId)
  const asked = tell(house, { ...event, by: byOf(origin) }, origin)
  const { ignored } = await asked.catch((thrown: unknown) => {
    house.summaryEnds.forget(compactionId)
    throw thrown
  })
  if (ignored !== null) {
    house.summaryEnds.forget(compactionId)
    const why =
      'there is too little to summarise, a summary is being made, or a run leaves some out'
    return refused(`nothing to do: ${why}`)
  }
  const end = await waiting
  if (end === null) return refused('the summary is still being made')
  if (end.status === 'failed') return refused(sayFailure({ fault: end.fault }))
  return { key, compacted: true, messages: end.count }
}

async function tell(
  { registry, ...house }: MethodHouse,
  event: JournalEvent & { readonly sessionKey: string },
  { cause, correlationId }: Origin,
  bodies: readonly BodyDraft[] = [],
): Promise<JournalRecord> {
  const message = { event, cause, correlationId, ...(bodies.length === 0 ? {} : { bodies }) }
  const record = await registry.offer(streamId('session', event.sessionKey), message)
  await whenFolded({ registry, ...house }, record.position)
  return record
}

function byOf({ caller }: Origin): string {
  return caller.admission.deviceId
}

function assertExpected({ key, sessionId }: SessionState, expected: string | undefined): void {
  if (expected === undefined || expected === sessionId) return
  const text = `params.expectedSessionId: the session of ${key} is ${sessionId} now`
  throw new GatewayError('INVALID_REQUEST', text, { path: 'expectedSessionId', sessionId })
}

function assertModel({ configuration }: MethodHouse, { model }: FactChanges): void {
  if (typeof model !== 'string' || configuration.live.models.find(model) !== null) return
  const text = `params.model: no provider is configured for ${quote(model)}`
  throw new GatewayError('INVALID_REQUEST', text, { path: 'model' })
}

function assertLabel({ work }: MethodHouse, key: string, { label }: FactChanges): void {
  if (typeof label !== 'string') return
  for (const row of work.sessions.values()) {
    if (row.facts.label !== label || row.key === key) continue
    const text = `params.label: label already in use: ${label}`
    throw new GatewayError('INVALID_REQUEST', text, { path: 'label' })
  }
}

function changedMeanwhile(key: string): GatewayError {
  const text = `${key}: another change of this session came first, try again`
  return new GatewayError('UNAVAILABLE', text, { sessionKey: key })
}
