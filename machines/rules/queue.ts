/**
 * What becomes of a message that comes while its session's run is in hand, or while others wait.
 *
 *   followup    it gets the next run
 *   steer       the run in hand reads it at its next model call; where there is none, as followup.
 *               Only from the place that it answers, and never before what waits there already
 *   collect     when nobody has written for `debounceMs`, all for one place get one run together
 *   interrupt   the run in hand is let go, and this one begins
 *
 * No message is lost to the queue in silence: where more than `cap` wait, the oldest is dropped and
 * its sender told (`old`), or its beginning is read by the next run (`summarize`); `new` is judged
 * at the door, before anything is taken in.
 */
import { limits } from '../../protocol/limits.ts'
import { QUEUE_MODES } from '../../protocol/methods/params.ts'
import type { Asked } from '../effects.ts'
import type { MergedRun, MessageAccepted, Route } from '../session-events.ts'
import { bytesFact, keyFact, planFact, type RunPlan } from './plan.ts'

export type QueueMode = (typeof QUEUE_MODES)[number]

/** Reads a mode off a word, or null. */
export function matchQueueMode(word: string): QueueMode | null {
  return QUEUE_MODES.find((mode) => mode === word) ?? null
}

export interface QueuePolicy {
  mode: QueueMode
  debounceMs: number
  cap: number // messages that wait
  drop: 'old' | 'new' | 'summarize'
}

/** A message that another run answers along with its own. */
export interface MergedMessage extends MergedRun {
  ref: string
  bytes?: number
  brief?: true // only its beginning is shown to the model
}

/** A message and the run that will answer it; `runKey` only where its client named the run. */
export interface PlannedRun {
  runId: string
  asked: Asked
  ref: string
  route: Route | null
  model: string
  thinking: string
  runKey?: string
  bytes?: number // of its text; absent: in journals of before
  plan?: RunPlan // absent: in journals of before
  mode?: QueueMode // absent: followup
  quietAt?: number // collect: ms since epoch, when it has waited long enough; absent: 0
  merged?: readonly MergedMessage[] // older messages that it answers too
}

/** The rule of a message that names none. */
export const FOLLOWUP: QueuePolicy = {
  mode: 'followup',
  debounceMs: 0,
  cap: limits.sessionQueueMax,
  drop: 'new',
}

/** A queue, and what had to leave it. */
export interface Queued {
  readonly queue: PlannedRun[]
  readonly dropped: readonly PlannedRun[]
}

/** Plans the run that will answer a message. */
export function planRun(message: MessageAccepted): PlannedRun {
  const { runId, ref, route, model, thinking, runKey, queue, plan } = message
  const facts = { ...bytesFact(message), ...planFact(plan) }
  const planned = { runId, asked: askedBy(message), ref, route, model, thinking, ...facts }
  const named = runKey === undefined ? planned : { ...planned, runKey }
  if (queue === undefined || queue.mode === 'followup') return named
  if (queue.mode !== 'collect') return { ...named, mode: queue.mode }
  return { ...named, mode: queue.mode, quietAt: message.at + queue.debounceMs }
}

function askedBy({ channel, peer, sender, at }: MessageAccepted): Asked {
  return { channel, room: peer === sender ? null : peer, sender, at }
}

/** Puts a message behind those that wait; above the cap the oldest makes room. */
export function enqueue(
  queue: readonly PlannedRun[],
  run: PlannedRun,
  policy: QueuePolicy,
): Queued {
  const [oldest, ...others] = queue
  if (oldest === undefined || queue.length < policy.cap || policy.drop === 'new') {
    return { queue: [...queue, run], dropped: [] }
  }
  const behind = [...others, run]
  const heir = behind.findIndex((other) => isSameRoute(oldest, other))
  const merged = mergedIn(oldest).map((message) => ({ ...message, brief: true as const }))
  const carried = merged.length + (behind[heir]?.merged?.length ?? 0)
  if (policy.drop === 'old' || heir === -1 || carried > limits.mergedMessagesMax) {
    return { queue: behind, dropped: [oldest] }
  }
  const grown = behind.map((other, index) => (index === heir ? carrying(other, merged) : other))
  return { queue: grown, dropped: [] }
}

/** What a queue gives next: a run, the time until which it gathers, or nothing (both null). */
export interface Next {
  readonly run: PlannedRun | null
  readonly queue: PlannedRun[] // without it
  readonly gathersUntil: number | null // ms since epoch
}

/** Reads what comes next at a moment. */
export function nextOf(queue: readonly PlannedRun[], at: number): Next {
  const [first, ...others] = queue
  if (first === undefined) return { run: null, queue: [], gathersUntil: null }
  if (first.mode !== 'collect') return { run: first, queue: others, gathersUntil: null }
  const end = queue.findIndex((run) => run.mode !== 'collect' || !isSameRoute(first, run))
  const group = end === -1 ? queue : queue.slice(0, end)
  const quietAt = end === -1 ? (group.at(-1)?.quietAt ?? 0) : 0 // Others wait behind it already.
  if (at < quietAt) return { run: null, queue: [...queue], gathersUntil: quietAt }
  const carrier = group.at(-1) ?? first
  const merged = group.slice(0, -1).flatMap(mergedIn)
  return {
    run: carrying(carrier, merged),
    queue: queue.slice(group.length),
    gathersUntil: null,
  }
}

/** Takes runs out of a queue, also where another carries them. */
export function without(queue: readonly PlannedRun[], runs: readonly MergedRun[]): PlannedRun[] {
  if (runs.length === 0) return [...queue]
  const gone = new Set(runs.map(({ runId }) => runId))
  return queue
    .filter(({ runId }) => !gone.has(runId))
    .map((run) => {
      const { merged, ...rest } = run
      const left = merged?.filter(({ runId }) => !gone.has(runId)) ?? []
      return left.length === 0 ? rest : { ...rest, merged: left }
    })
}

/** Lists a run's messages, those that it carries first, as another run would carry them. */
export function mergedIn(run: PlannedRun): MergedMessage[] {
  const { runId, ref, merged = [] } = run
  const own = { runId, ref, ...keyFact(run), ...bytesFact(run) }
  return [...merged, own]
}

/** Names a run by both its names. */
export function nameRun(run: MergedRun): MergedRun {
  return { runId: run.runId, ...keyFact(run) }
}

/** Lists what a run may read of those that wait: the first ones of its own place, while they steer. */
export function steerable(queue: readonly PlannedRun[], run: PlannedRun): MergedMessage[] {
  const here = queue.filter((other) => isSameRoute(run, other))
  const end = here.findIndex(({ mode }) => mode !== 'steer')
  return (end === -1 ? here : here.slice(0, end)).flatMap(mergedIn)
}

function carrying(run: PlannedRun, older: readonly MergedMessage[]): PlannedRun {
  if (older.length === 0) return run
  return { ...run, merged: [...older, ...(run.merged ?? [])] }
}

function isSameRoute({ route: one }: PlannedRun, { route: other }: PlannedRun): boolean {
  return one?.channel === other?.channel && one?.target === other?.target
}
