/**
 * Notices: what clients are told of committed records, as events of the specification's dialect.
 *
 * Pure, so that a client that resumes is told of old records exactly what it would have been told
 * live. Deltas, ticks and presence are not here: they are not records and do not resume.
 */
import { sayCallFault } from './calls.ts'
import { streamName } from './ids.ts'
import { memberOf } from './members.ts'
import type { EventName } from './methods.ts'
import type { JournalRecord } from './record.ts'
import { endedRuns, sayFailure } from './runs.ts'
import { sessionIdOf } from './session-id.ts'

/** A notice without its text, which the hub fills in from the body where `textRef` names one. */
export interface Notice {
  readonly event: EventName
  readonly payload: Readonly<Record<string, unknown>>
  readonly textRef: string | null
}

const NONE: readonly Notice[] = []

/** Lists the notices of one record, in order; most records have none. */
export function noticesOf(record: JournalRecord): readonly Notice[] {
  if (record.kind !== 'event' || record.ignored !== null) return NONE
  if (record.stream.startsWith('call:')) return callNotices(record)
  switch (record.event.type) {
    case 'message.accepted':
      return [...endNotices(record), ...chatNotice(record)]
    case 'run.requested':
    case 'retry.due':
    case 'effect.lost':
      return record.stream.startsWith('run:') ? runNotice(record) : deliveryNotice(record)
    case 'run.finished':
    case 'session.aborted':
      return endNotices(record)
    case 'session.created':
    case 'session.patched':
    case 'session.reset':
    case 'session.deleted':
      return [...endNotices(record), sessionNotice(record)]
    case 'message.injected':
      return [injectedNotice(record)]
    case 'job.created':
    case 'job.updated':
    case 'job.removed':
    case 'job.due':
    case 'job.called':
      return [cronNotice(record)]
    case 'effect.done':
    case 'effect.failed':
      if (record.stream.startsWith('run:')) return runNotice(record) // Its next model is asked.
      if (record.stream.startsWith('cron:')) return cronEnd(record)
      return deliveryNotice(record)
    case 'exec.requested':
    case 'exec.allowed':
    case 'exec.denied':
    case 'exec.expired':
    case 'exec.cancelled':
      return [approvalNotice(record)]
    case 'exec.answered': // What decides cancels the deadline; what comes late does not.
      return record.cancelled.length > 0 ? [approvalNotice(record)] : NONE
    case 'gateway.stopped':
      return [notice('shutdown', record, { reason: record.event['reason'] })]
    default:
      return NONE
  }
}

// Only what a person wrote on a platform: a client knows what it said itself.
function chatNotice(record: JournalRecord): readonly Notice[] {
  const { channel, peer, sessionKey, messageId, runId, ref, runKey } = record.event
  if (channel === null) return NONE
  const who = { channel, account: 'default', peer, sessionKey, messageId }
  const payload = { ...who, runId, ...keyFact(runKey) }
  return [notice('chat', record, payload, ref)]
}

function runNotice(record: JournalRecord): readonly Notice[] {
  if (record.value !== 'calling') return NONE
  const isFirst = record.event.type === 'run.requested'
  const params = record.effects[0]?.params ?? {}
  const { sessionKey, model, attempt, runKey } = params
  const status = isFirst ? 'started' : 'retrying'
  return [
    notice('agent', record, {
      runId: streamName(record.stream),
      sessionKey,
      status,
      attempt,
      model,
      ...keyFact(runKey),
    }),
  ]
}

function endNotices(record: JournalRecord): readonly Notice[] {
  const sessionKey = streamName(record.stream)
  return endedRuns(record).map((ended) => {
    const { runId, runKey, status, fault, ref, inputTokens, outputTokens, model, into } = ended
    const usage = { inputTokens, outputTokens }
    const merged = into === undefined ? {} : { into }
    const answered = model === undefined ? {} : { model }
    const payload = { runId, sessionKey, status, usage, ...keyFact(runKey), ...merged, ...answered }
    if (status === 'done') return notice('agent.done', record, payload, ref)
    const message = sayFailure({ ...ended, fault: fault || status })
    const error = { code: 'UNAVAILABLE', message }
    return notice('agent.done', record, { ...payload, text: '', error })
  })
}

// A call as it begins to run, and as it ends: with its result, or with why there is none.
function callNotices(record: JournalRecord): readonly Notice[] {
  const begun = record.effects.find(({ name }) => name === 'tool.call')
  const ended = record.sends.find(({ event }) => event.type === 'call.finished')
  if (begun === undefined && ended === undefined) return NONE
  if (begun?.params['invokedBy'] !== undefined) return NONE // Whoever asked is answered.
  const { sessionKey, name, runKey } = begun?.params ?? ended?.event ?? {}
  const runId = begun === undefined ? streamName(ended?.to ?? '') : begun.params['runId']
  const head = { callId: streamName(record.stream), runId, sessionKey, name, ...keyFact(runKey) }
  if (ended === undefined) return [notice('tool', record, { ...head, status: 'started' })]
  const { fault, isError, ref } = ended.event
  const payload = { ...head, status: record.value, isError }
  if (ref !== '') return [notice('tool', record, { ...payload, ...faultFact(fault) }, ref)]
  const text = sayCallFault(nameOf(fault))
  return [notice('tool', record, { ...payload, ...faultFact(fault), text })]
}

function faultFact(fault: unknown): { fault?: string } {
  return typeof fault === 'string' && fault !== '' ? { fault } : {}
}

// So that a client reads the list anew; what it shows stands in the answers of methods.
function sessionNotice(record: JournalRecord): Notice {
  const { type, sessionKey, generation, changes } = record.event
  const wasArchived = memberOf(changes, 'archived') === true
  const reason = wasArchived ? 'archived' : type.slice('session.'.length)
  // Whoever meant the session that was there named none; the list has it.
  const isNamed = typeof generation === 'number'
  const id = isNamed ? { sessionId: sessionIdOf(nameOf(sessionKey), generation) } : {}
  return notice('session', record, { key: sessionKey, ...id, reason })
}

function injectedNotice(record: JournalRecord): Notice {
  const { sessionKey, ref } = record.event
  const messageId = `m${record.position}` // As transcripts name it.
  return notice('session', record, { key: sessionKey, reason: 'injected', messageId }, ref)
}

// What is asked is told with its text; what became of it names who decided.
function approvalNotice(record: JournalRecord): Notice {
  const { type, textRef, sessionKey, expiresAt, by, channel, reason } = record.event
  const approvalId = streamName(record.stream)
  const head = { approvalId, status: record.value }
  if (type === 'exec.requested') {
    return notice('approval', record, { ...head, sessionKey, expiresAt }, textRef)
  }
  const who = typeof channel === 'string' ? `${channel}:${nameOf(by)}` : nameOf(by)
  const always = record.event['always'] === true || record.event['decision'] === 'allow-always'
  const payload = { ...head, by: who, ...(always ? { always } : {}) }
  return notice('approval', record, reason === undefined ? payload : { ...payload, reason })
}

const JOB_ACTIONS: Readonly<Record<string, string>> = {
  'job.created': 'added',
  'job.updated': 'updated',
  'job.removed': 'removed',
  'job.due': 'started',
  'job.called': 'started',
}

function cronNotice(record: JournalRecord): Notice {
  const { type } = record.event
  // A time that was missed too long ago begins nothing.
  const action = type === 'job.due' && record.value !== 'running' ? 'skipped' : JOB_ACTIONS[type]
  return notice('cron', record, { jobId: streamName(record.stream), action })
}

function cronEnd(record: JournalRecord): readonly Notice[] {
  const { name, status = 'error', runKey, runId, fault, replyRef } = record.event
  if (name !== 'cron.run') return NONE
  const jobId = streamName(record.stream)
  const payload = { jobId, action: 'finished', status, runKey, runId, fault }
  return [notice('cron', record, payload, replyRef)]
}

// The client's own name of a run is told wherever its run is, and only where it has one.
function keyFact(runKey: unknown): { runKey?: string } {
  return typeof runKey === 'string' ? { runKey } : {}
}

const DELIVERY_STATUS: Readonly<Record<string, string>> = {
  sent: 'sent',
  failed: 'failed',
  dead: 'failed',
  dismissed: 'dismissed',
  uncertain: 'uncertain',
  waiting: 'retrying',
}

function deliveryNotice(record: JournalRecord): readonly Notice[] {
  if (!record.stream.startsWith('delivery:')) return NONE
  const status = DELIVERY_STATUS[record.value]
  if (status === undefined) return NONE
  const { class: fault, messageId = null } = record.event
  const error =
    fault === undefined ? {} : { error: { code: 'UNAVAILABLE', message: nameOf(fault) } }
  const deliveryId = streamName(record.stream)
  return [notice('delivery', record, { deliveryId, status, messageId, ...error })]
}

function nameOf(fact: unknown): string {
  return typeof fact === 'string' ? fact : ''
}

function notice(
  event: EventName,
  { position, at }: JournalRecord,
  payload: Readonly<Record<string, unknown>>,
  textRef: unknown = null,
): Notice {
  const ref = typeof textRef === 'string' && textRef !== '' ? textRef : null
  return { event, payload: { ...payload, position, ts: at }, textRef: ref }
}
