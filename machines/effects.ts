/**
 * Effects and their outcomes: what machines may wish for, and the events that answer a wish.
 *
 * A machine names an effect as an action with serialisable params; actors/outbox.ts runs it after
 * the record is on disk; its outcome comes back to the same stream as one of these events (K5).
 *
 *   effect.done       it happened; facts by effect
 *   effect.failed     it did not; class, retryable and, where told, retryAfterMs
 *   effect.cancelled  we ended it ourselves
 *   effect.lost       the process ended first (K6); `started` tells whether it was tried at all
 */
import type { StreamId } from '../protocol/ids.ts'
import type { Phrase } from '../protocol/phrases.ts'
import type { JobRoute, Schedule } from './cron.ts'
import type { JournalEvent } from '../protocol/record.ts'

interface Outcome {
  effect: string // address: 1838.e0
  name: string
  attempt: number
  at: number
}

export type EffectDone<Facts = unknown> = { type: 'effect.done' } & Outcome & Facts

export type EffectFailed = Outcome & {
  type: 'effect.failed'
  class: string
  retryable: boolean
  retryAfterMs: number | null
  random: number // 0 <= x < 1, drawn by the driver: machines draw nothing (K2)
  sent?: 'no' | 'maybe'
  unreached?: true // nobody was there: it says nothing of the message; absent: not known
}

export type EffectCancelled = { type: 'effect.cancelled' } & Outcome

export type EffectLost = { type: 'effect.lost'; started: boolean } & Outcome

/** The params of the action `stream.send`: an event for another actor. */
export interface SendParams {
  to: StreamId
  event: JournalEvent
}

/** Who asked what a run answers: facts for the system message (decisions.md 26). */
export interface Asked {
  channel: string | null // null: a client of the gateway
  room: string | null // null: a direct message
  sender: string | null // stable id; null for a client
  at: number // ms since epoch
}

/** What a model call asks for: the prompt is the session's history up to this run (a recipe). */
export interface ModelCallParams {
  runId: string
  asked: Asked
  sessionKey: string
  model: string
  thinking: string
  attempt: number
  runKey?: string // the client's own name of the run
  modelIndex?: number // 0 is the run's own model, then its fallbacks; absent: 0
  leftOut?: number // of the oldest entries of the history; absent: 0
  pruneResults?: true // results of tools are cut in older parts of the prompt; absent: not
  tokensLeft?: number // of the run's budget; absent: no bound
  entries?: number // of the run's own, which follow its message in the prompt; absent: 0
}

/** What a summary is made of: the oldest entries of a session's history, and a digest of their refs. */
export interface HistorySummarizeParams {
  compactionId: string
  sessionKey: string
  model: string
  count: number
  hash: string
  attempt: number
}

/** What a delivery asks a channel for. */
export interface MessageDeliverParams {
  deliveryId: string
  channel: string
  target: string
  ref: string // empty where there is a phrase
  phrase?: Phrase // said instead of a body
  expiresAt?: number // ms since epoch: after it nothing is sent
  attempt: number
}

/** What asks which rule decides about a call of a tool. */
export interface ToolJudgeParams {
  callId: string
  runId: string
  sessionKey: string
  name: string
  ref: string // of the arguments, as the model wrote them
  asked: Asked
  attempt: number
  runKey?: string // the client's own name of the run
  invokedBy?: string // the client that asks for it itself; absent: a run does
  mayAsk?: boolean // false: what a person would be asked for is refused
}

/** What runs a tool. */
export interface ToolCallParams extends ToolJudgeParams {
  source: string // that was judged, and shown to who allowed it: no other one runs
  timeoutMs: number
}

/** What opens a channel's link. */
export interface ChannelOpenParams {
  channel: string
  attempt: number
}

/** What posts an alert to the webhook that is configured. */
export interface AlertPostParams {
  alertId: string // the same over retries: the other side can tell
  ref: string
  attempt: number
}

/** What tells a sender the code whose digest this is; its driver alone knows the code. */
export interface CodeTellParams {
  channel: string
  target: string
  digest: string
  attempt: number // the code's number: its outcome cites it
}

/** What a node is asked to run. */
export interface NodeCallParams {
  invocationId: string
  nodeId: string
  command: string
  ref: string // of its parameters, as JSON
  timeoutMs: number
}

/** What asks a calendar when a job is due next: the first time after a moment. */
export interface CronPlanParams {
  schedule: Schedule
  after: number // ms since epoch
  dueAt: number // of the last run; 0: none
  attempt: number
}

/** What says a job's words to its session, once for each `runKey`, and waits for the answer. */
export interface CronRunParams {
  jobId: string
  ref: string
  sessionKey: string
  fresh: boolean
  route: JobRoute
  runKey: string
  attempt: number
}

const VISIBLE: ReadonlySet<string> = new Set([
  'message.deliver',
  'code.tell',
  'alert.post',
  'node.call',
  'tool.call',
])

/** Tells whether an effect can be seen outside: then a start marker is written before it (K6). */
export function isVisible(name: string): boolean {
  return VISIBLE.has(name)
}

/** The implementation of every effect action: none. The step collects them, nothing runs here. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- it types each use
export function collected<Params>(_args: unknown, _params: Params): void {}
