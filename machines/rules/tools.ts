/**
 * Tools in a run: the calls that an answer of its model asks for, and what becomes of them.
 *
 *   an answer with calls ──► call.requested to each ──► call.finished from each ──► the next answer
 *
 * A call and its result join the run's entries together, once all of an answer are there, in the
 * model's order: no prompt and no history ever holds the one without the other. What had no result
 * when its run ended has the fault `aborted`. Members are absent from the context of a run that
 * called nothing: old journals keep their hashes.
 */
import { streamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { SendParams } from '../effects.ts'
import type { RunContext } from '../run.ts'
import type { SessionContext } from '../session.ts'
import type { CallsKept, HistoryEntry, Thought } from '../session-events.ts'
import { isSpent } from './failover.ts'
import { keyFact } from './plan.ts'

/** A call as an answer names it: our own id, the tool's name, a ref of the arguments. */
export interface CallRef {
  callId: string
  name: string
  ref: string
}

/** The result of a call, as its actor tells it. */
export type CallFinished = {
  type: 'call.finished'
  callId: string
  name: string // of the tool
  sessionKey: string
  ref: string // '' where there is a fault and nothing else
  bytes: number
  isError: boolean
  fault: string
  at: number
}

/** An answer whose calls are in hand. */
export interface Calling {
  ref: string // of what the model said beside them
  bytes?: number
  calls: readonly CallRef[]
  results: Readonly<Record<string, Result>> // by call
  thought?: Thought // absent: none that is wanted back
}

interface Result {
  ref: string
  bytes: number
  isError: boolean
  fault: string
}

/** What of an answer says that it asks for tools. */
export interface ToolAnswer {
  ref: string
  bytes?: number
  inputTokens: number
  outputTokens: number
  calls?: readonly CallRef[] // absent: none
  thoughtRef?: string // absent: nothing that is wanted back
}

type Run = Pick<
  RunContext,
  'asked' | 'attempt' | 'calling' | 'entries' | 'plan' | 'runId' | 'runKey' | 'sessionKey'
>

/** Tells whether an answer asks for tools. */
export function asksTools(event: object): event is ToolAnswer {
  return 'calls' in event && Array.isArray(event.calls) && event.calls.length > 0
}

/** Tells whether another call of the model may follow those of an answer. */
export function maySpend(run: RunContext, answer: ToolAnswer): boolean {
  if (run.plan === undefined) return run.attempt < limits.runCallsMax
  return !isSpent({ ...run, ...spentFact(run, answer) })
}

/** What a run has spent with an answer. */
export function spentFact(
  { tokens = 0 }: Pick<RunContext, 'tokens'>,
  { inputTokens, outputTokens }: ToolAnswer,
): { tokens: number } {
  return { tokens: tokens + inputTokens + outputTokens }
}

/** Takes the calls of an answer of a model in hand. */
export function takeCalls(
  { model }: Pick<RunContext, 'model'>,
  { ref, bytes, calls = [], thoughtRef }: ToolAnswer,
): { calling: Calling } {
  const size = bytes === undefined ? {} : { bytes }
  const thought = thoughtRef === undefined ? {} : { thought: { model, ref: thoughtRef } }
  return { calling: { ...size, ref, calls, results: {}, ...thought } }
}

/** Asks for each of the calls in hand. */
export function requests({ calling, ...run }: Run): SendParams[] {
  const { runId, sessionKey, asked } = run
  const named = keyFact(run)
  return (calling?.calls ?? []).map((call) => ({
    to: streamId('call', call.callId),
    event: { type: 'call.requested', ...call, runId, sessionKey, asked, ...named },
  }))
}

/** Takes the result of a call in; nothing where it is not awaited. */
export function keepResult({ calling }: Run, event: CallFinished): { calling?: Calling } {
  if (!calling || !isAwaited(calling, event.callId)) return {}
  const { callId, ref, bytes, isError, fault } = event
  const results = { ...calling.results, [callId]: { ref, bytes, isError, fault } }
  return { calling: { ...calling, results } }
}

/** Tells whether a call is in hand that has no result yet. */
export function isAwaited(
  { calls, results }: Pick<Calling, 'calls' | 'results'>,
  callId: string,
): boolean {
  return calls.some((call) => call.callId === callId) && !Object.hasOwn(results, callId)
}

/** Tells whether a result is the last that the calls in hand wait for. */
export function isLast({ calling }: Run, callId: string): boolean {
  if (!calling || !isAwaited(calling, callId)) return false
  return Object.keys(calling.results).length + 1 === calling.calls.length
}

/** The calls in hand with their results behind what the run's prompts hold; none are in hand then. */
export function joinCalls({ calling, entries = [], runId }: Run): Partial<RunContext> {
  return calling ? { calling: null, entries: [...entries, ...pairsOf(calling, runId)] } : {}
}

/** Ends the calls in hand that have no result: their run is over. */
export function aborts({ calling }: Run): SendParams[] {
  if (!calling) return []
  const open = calling.calls.filter(({ callId }) => isAwaited(calling, callId))
  return open.map(({ callId }) => ({
    to: streamId('call', callId),
    event: { type: 'run.aborted', by: 'run' },
  }))
}

/** Tells a session that let a run go which calls were made: what was done must not be forgotten. */
export function leaveCalls({ entries = [], runId, sessionKey }: Run): SendParams[] {
  const pairs = entries.filter(isOfCalls)
  if (pairs.length === 0) return []
  const event = { type: 'calls.kept', runId, entries: pairs }
  return [{ to: streamId('session', sessionKey), event }]
}

/**
 * The history with the calls of a run that was let go behind its question; nothing where that is not
 * there any more, or has them.
 */
export function keptCalls(
  { current, history }: Pick<SessionContext, 'current' | 'history'>,
  event: object,
): Partial<SessionContext> | null {
  if (!isKept(event) || event.runId === current?.runId) return null
  const own = history.filter(({ runId }) => runId === event.runId)
  const index = history.findLastIndex(({ role, runId }) => role === 'user' && runId === event.runId)
  if (index === -1 || own.some(isOfCalls)) return null
  return { history: history.toSpliced(index + 1, 0, ...event.entries) }
}

function isKept(event: object): event is CallsKept {
  return 'type' in event && event.type === 'calls.kept'
}

function isOfCalls({ role, calls }: HistoryEntry): boolean {
  return role === 'tool' || calls !== undefined
}

function pairsOf({ ref, bytes, calls, results, thought }: Calling, runId: string): HistoryEntry[] {
  const signed = thought === undefined ? {} : { thought }
  const size = bytes === undefined ? {} : { bytes }
  const asked: HistoryEntry = {
    ...size,
    calls: [...calls],
    ref,
    role: 'assistant',
    runId,
    ...signed,
  }
  const answers = calls.map(({ callId, name }): HistoryEntry => {
    const result = results[callId] ?? ABORTED
    const { fault, isError } = result
    const how = { ...(fault === '' ? {} : { fault }), ...(isError ? { isError } : {}) }
    return { bytes: result.bytes, callId, ...how, name, ref: result.ref, role: 'tool', runId }
  })
  return [asked, ...answers]
}

const ABORTED: Result = { ref: '', bytes: 0, isError: true, fault: 'aborted' }
