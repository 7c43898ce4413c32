/**
 * What a session hears: messages, ends of runs, and what people and clients settle about it.
 *
 * Members that came later are optional and say what their absence means: old journals replay.
 */
import type { RunPlan, TriedModel } from './rules/plan.ts'
import type { QueuePolicy } from './rules/queue.ts'
import type { CallRef } from './rules/tools.ts'
import type { FactChanges } from './rules/session-facts.ts'

/** Where an answer goes: pinned when the message is taken in. */
export interface Route {
  channel: string
  target: string
}

/** Who asks, and in whose name an idempotency key counts. */
export interface IdempotencyMark {
  owner: string
  key: string
  digest: string // of method and params
}

export type MessageAccepted = {
  type: 'message.accepted'
  sessionKey: string
  messageId: string
  runId: string
  ref: string
  channel: string | null
  peer: string | null
  sender: string | null // stable id; null for a client
  route: Route | null
  model: string
  thinking: string
  messagesMax: number // of the history
  bytes?: number // of its text; absent: in journals of before
  plan?: RunPlan // absent: in journals of before
  queue?: QueuePolicy // absent: a run of its own, after those that wait
  expiry?: Expiry // absent: the session stays until somebody ends it
  runKey?: string // the client's own name of the run
  idempotency?: IdempotencyMark
  at: number
}

export type RunFinished = {
  type: 'run.finished'
  runId: string
  status: 'done' | 'failed' | 'aborted'
  fault: string
  ref: string // of the answer; empty unless done
  inputTokens: number
  outputTokens: number
  runKey?: string
  merged?: readonly MergedRun[] // messages that it answered beside its own
  bytes?: number // of the answer; absent: in journals of before
  model?: string // that answered, where it is not the one that was asked first
  tried?: TriedModel[] // that gave no answer; absent: none
  entries?: readonly HistoryEntry[] // what stood in its prompts behind its own message
  at: number
}

/** Calls of tools that a run had made when its session let it go, with their results. */
export type CallsKept = {
  type: 'calls.kept'
  runId: string
  entries: readonly HistoryEntry[]
  at: number
}

/** A message that was sent elsewhere and belongs into this conversation. */
export type MessageFiled = {
  type: 'message.filed'
  sessionKey: string
  deliveryId: string
  ref: string
  at: number
}

/** A message that was put into this conversation as if the agent had said it. */
export type MessageInjected = {
  type: 'message.injected'
  sessionKey: string
  messageId: string
  ref: string
  by: string
  at: number
}

/** A session is settled, before it has a message, or after. `generation`: the one that is meant. */
export type SessionSettled = {
  type: 'session.created' | 'session.patched'
  sessionKey: string
  generation?: number // absent: whichever is of now, also one that has no message yet
  changes: FactChanges
  by: string
  reply?: Reply
  at: number
}

/** Another generation begins: with the next message, where it was deleted. */
export type SessionRenewed = {
  type: 'session.reset' | 'session.deleted'
  sessionKey: string
  generation?: number // that begins; absent: the next one, whichever it is
  reason: string
  by: string
  reply?: Reply
  zone?: string // of the calendar that set the time, where a time did
  offsetMinutes?: number
  at: number
}

/** Runs are let go: one, or all that are in hand and queued. */
export type SessionAborted = {
  type: 'session.aborted'
  sessionKey: string
  runId: string | null
  by: string
  reply?: Reply
  at: number
}

/** Somebody asks in a channel how a session stands; what it has not settled itself comes along. */
export type SessionAsked = {
  type: 'session.asked'
  sessionKey: string
  about: 'status' | 'model' | 'thinking' | 'queue'
  defaults: SettingsNow
  by: string
  reply: Reply
  at: number
}

export interface SettingsNow {
  model: string
  thinking: string
  queue: string
}

/** Where somebody who wrote a directive is told what came of it. */
export interface Reply extends Route {
  deliveryId: string
}

/** When a session begins anew by itself, as the door computed it from calendar and clock. */
export interface Expiry {
  at: number // ms since epoch
  reason: 'idle' | 'daily'
  zone: string
  offsetMinutes: number
}

/** A summary of the oldest messages is asked for by hand. */
export type CompactionAsked = {
  type: 'compaction.asked'
  sessionKey: string
  compactionId: string
  model: string
  fallbacks: string[]
  by: string
  at: number
}

/** A summary is there, or will not be. */
export type CompactionFinished = {
  type: 'compaction.finished'
  compactionId: string
  status: 'done' | 'failed'
  fault: string
  ref: string // of the summary; empty unless done
  bytes: number
  count: number // of the entries that it covers
  hash: string // of their refs
  at: number
}

export type SessionEvent =
  | MessageAccepted
  | RunFinished
  | CallsKept
  | MessageFiled
  | MessageInjected
  | SessionSettled
  | SessionRenewed
  | SessionAborted
  | SessionAsked
  | CompactionAsked
  | CompactionFinished
  | { type: 'queue.due'; at: number }

/** A message whose answer is another run's; it had been given a run of its own. */
export interface MergedRun {
  runId: string
  runKey?: string
}

/** A message that the run in hand may read. */
export interface SteeredMessage extends MergedRun {
  ref: string
}

/** An entry of the history. Its keys stand in canonical order: so it is hashed fast. */
export interface HistoryEntry {
  bytes?: number // of its text; absent: not known
  ref: string // '' where a result of a tool is a fault and nothing else
  role: 'user' | 'assistant' | 'summary' | 'tool' // summary: of all that was before it
  runId: string // of a summary: its compaction
  brief?: true // only its beginning is shown to the model
  calls?: readonly CallRef[] // of tools, by this answer; each has its result behind it
  callId?: string // of a result: which call it answers
  fault?: string // of a result: why there is none
  isError?: true // of a result
  name?: string // of a result: the tool's
  thought?: Thought // in front of calls; absent: nothing that is wanted back
}

/** What a model thought in front of its calls, signed by its provider. */
export interface Thought {
  model: string // whose it is: no other can read it
  ref: string
}
