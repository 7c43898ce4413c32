/**
 * Compaction of a history: when the session asks for a summary, and what becomes of it.
 *
 *   a run begins, its prompt is too long ──► compaction.requested ──► compaction.finished ──► the run
 *
 * Nothing leaves the journal: the history holds the summary's ref in place of what it covers. One
 * summary is asked for at a time, by itself at most once in a while and once for a run; where there
 * is none, or it failed, the run goes on without its oldest messages and its record says how many.
 */
import { streamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { SendParams } from '../effects.ts'
import type { SessionContext } from '../session.ts'
import type {
  CompactionAsked,
  CompactionFinished,
  HistoryEntry,
  RunFinished,
  SessionEvent,
} from '../session-events.ts'
import {
  beginsWith,
  historyTokens,
  leftOutOf,
  type Measured,
  type Range,
  rangeOf,
  summaryCut,
} from './history.ts'
import type { PlannedRun } from './queue.ts'
import { requested } from './session-sends.ts'

/** The last summary that was asked for. */
export interface Compaction extends Range {
  compactionId: string
  runId: string | null // that waits for it; null: asked for by hand
  model: string
  fallbacks: string[]
  isOpen: boolean // no end was heard
  at: number // ms since epoch: when it was asked for, then when it ended
}

type Session = Pick<
  SessionContext,
  'current' | 'history' | 'key' | 'compaction' | 'measured' | 'queue'
>

/** Begins a summary where the run in hand needs one; else nothing. */
export function compactFor(session: Session, at: number): { compaction?: Compaction } {
  const { current, compaction, history } = session
  if (current === null || !isTooLong(session, current)) return {}
  // Of a run that was let go meanwhile: the next one waits for the same.
  if (compaction?.isOpen === true) return { compaction: { ...compaction, runId: current.runId } }
  if (compaction && at - compaction.at < limits.compactEveryMs) return {}
  const count = summaryCut(history, boundOf(session, current))
  if (count === 0) return {}
  const { runId, model, plan } = current
  const asked = { compactionId: runId, runId, model, fallbacks: plan?.fallbacks ?? [] }
  return { compaction: { ...asked, ...rangeOf(history, count), isOpen: true, at } }
}

/**
 * Begins a summary by hand; nothing where one is open, there is too little to summarise, or the run in
 * hand leaves out its oldest entries by their number, which a summary in their place would shift.
 */
export function compactByHand(
  session: Session,
  { compactionId, model, fallbacks, at }: CompactionAsked,
): { compaction?: Compaction } {
  const { compaction, current, history } = session
  if (compaction?.isOpen === true) return {}
  if (current !== null && isTooLong(session, current)) return {}
  const count = summaryCut(history, historyTokens(history, null))
  if (count === 0) return {}
  const asked = { compactionId, runId: null, model, fallbacks }
  return { compaction: { ...asked, ...rangeOf(history, count), isOpen: true, at } }
}

/** What begins the run in hand: itself, or the summary that it waits for. */
export function beginnings(session: Session, at: number): SendParams[] {
  const { current, compaction } = session
  if (current === null) return []
  const isWaiting = compaction?.isOpen === true && compaction.runId === current.runId
  if (!isWaiting) return [requested(session, current, leftOut(session, current))]
  // One that was open already is not asked for again.
  return compaction.at === at ? summaryAsked(session) : []
}

function summaryAsked({ key: sessionKey, compaction }: Session): SendParams[] {
  if (!compaction) return []
  const { compactionId, model, fallbacks, count, hash } = compaction
  const range = { count, hash }
  const event = {
    type: 'compaction.requested',
    compactionId,
    sessionKey,
    model,
    fallbacks,
    ...range,
  }
  return [{ to: streamId('compaction', compactionId), event }]
}

/** What a session keeps of a wish for a summary, or of its end. */
export function kept(session: Session, event: SessionEvent): Partial<SessionContext> {
  if (event.type === 'compaction.asked') return compactByHand(session, event)
  return event.type === 'compaction.finished' ? compacted(session, event) : {}
}

/** Whom a session tells of a wish for a summary, or of its end. */
export function told(session: Session, event: SessionEvent): SendParams[] {
  if (event.type === 'compaction.asked') return summaryAsked(session)
  return event.type === 'compaction.finished' ? resumed(session, event) : []
}

// The history with the summary in place of what it covers, where it does.
function compacted(session: Session, event: CompactionFinished): Partial<SessionContext> {
  const { compaction, history } = session
  if (!compaction) return {}
  const over = { compaction: { ...compaction, isOpen: false, at: event.at } }
  if (event.status !== 'done' || !beginsWith(history, compaction)) return over
  const { ref, bytes, compactionId: runId } = event
  const summary: HistoryEntry = { bytes, ref, role: 'summary', runId }
  return { ...over, history: [summary, ...history.slice(compaction.count)], measured: null }
}

// The run that has waited for a summary, now that it is there or will not be.
function resumed(session: Session, event: CompactionFinished): SendParams[] {
  const { current, compaction } = session
  if (current === null || compaction?.compactionId !== event.compactionId) return []
  return compaction.runId === current.runId
    ? [requested(session, current, leftOut(session, current))]
    : []
}

/** Tells whether an end is that of the summary that is open. */
export function isAwaited({ compaction }: Session, event: object): boolean {
  return (
    compaction?.isOpen === true &&
    'compactionId' in event &&
    event.compactionId === compaction.compactionId
  )
}

function isTooLong({ history, measured }: Session, { plan }: PlannedRun): boolean {
  return plan?.compactAt !== undefined && historyTokens(history, measured) >= plan.compactAt
}

function leftOut(session: Session, run: PlannedRun): number {
  return isTooLong(session, run) ? leftOutOf(session.history, boundOf(session, run)) : 0
}

// Under the bound, in tokens as they are estimated: where a provider told more, that much less.
function boundOf({ history, measured }: Session, { plan }: PlannedRun): number {
  const estimated = historyTokens(history, null)
  const share = Math.min(1, estimated / Math.max(1, historyTokens(history, measured)))
  return Math.floor(((plan?.compactAt ?? 0) - 1) * share)
}

/** What a provider told of a prompt and its answer; nothing where it did not. */
export function measuredBy(event: RunFinished): { measured?: Measured } {
  const { runId, inputTokens, outputTokens, bytes } = event
  // A record of before names no size, and its session is measured by nothing.
  if (bytes === undefined || inputTokens <= 0) return {}
  return { measured: { runId, tokens: inputTokens + outputTokens } }
}

/** What another generation forgets of summaries. */
export function uncompacted({ compaction, measured }: Pick<Session, 'compaction' | 'measured'>): {
  compaction?: null
  measured?: null
} {
  return { ...(compaction ? { compaction: null } : {}), ...(measured ? { measured: null } : {}) }
}
