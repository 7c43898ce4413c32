/**
 * What a session tells other actors: its runs, and through deliveries the people in its channels.
 */
import { streamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { Phrase } from '../../protocol/phrases.ts'
import type { SendParams } from '../effects.ts'
import type { SessionContext } from '../session.ts'
import type {
  MessageAccepted,
  Reply,
  Route,
  RunFinished,
  SessionAsked,
  SessionEvent,
  SessionSettled,
  SteeredMessage,
} from '../session-events.ts'
import { keyFact, planFact, type RunPlan } from './plan.ts'
import { FOLLOWUP, mergedIn, nameRun, type PlannedRun, steerable } from './queue.ts'

/** Asks for a run; its prompt leaves out so many of the oldest entries. Who waits, it may read. */
export function requested(
  { key: sessionKey, queue }: Pick<SessionContext, 'key' | 'queue'>,
  run: PlannedRun,
  leftOut: number,
): SendParams {
  const steered = steerable(queue, run)
  const { runId, model, thinking, asked, merged, plan } = run
  const event = {
    type: 'run.requested',
    runId,
    sessionKey,
    model,
    thinking,
    asked,
    ...keyFact(run),
    ...(merged === undefined ? {} : { merged: merged.map(nameRun) }),
    ...planFact(plan),
    ...(leftOut === 0 ? {} : { leftOut }),
    ...(steered.length === 0 ? {} : { steered: steered.map(steeredFact) }),
  }
  return { to: streamId('run', runId), event }
}

/** Shows a message to the run in hand. */
export function steered(current: PlannedRun, message: MessageAccepted): SendParams {
  const event = { type: 'run.steered', ...steeredFact(message) }
  return { to: streamId('run', current.runId), event }
}

/** Lets go of runs, and of the messages that they carry. */
export function aborted(sessionKey: string, runs: readonly PlannedRun[], by: string): SendParams[] {
  return runs.flatMap(mergedIn).map((run) => {
    const event = { type: 'run.aborted', by, runId: run.runId, sessionKey, ...keyFact(run) }
    return { to: streamId('run', run.runId), event }
  })
}

/** Lets go of messages that had to make room, and tells those who wrote them. */
export function dropped(
  sessionKey: string,
  runs: readonly PlannedRun[],
  { queue = FOLLOWUP, at }: MessageAccepted,
): SendParams[] {
  const told = runs.flatMap(({ route, runId }) => {
    if (route === null) return []
    const phrase = { id: 'queue.dropped', facts: { cap: queue.cap } }
    return [say({ ...route, deliveryId: `dropped-${runId}` }, phrase, at)]
  })
  return [...aborted(sessionKey, runs, 'queue'), ...told]
}

/** Tells the runs of merged messages that theirs was answered, or not, by another. */
export function merged({ merged: runs = [], runId: into }: RunFinished): SendParams[] {
  return runs.map(({ runId }) => {
    return { to: streamId('run', runId), event: { type: 'run.merged', into } }
  })
}

/** Sends an answer to where its message came from; a run of a journal of before has no plan. */
export function answer(
  { route, plan }: { readonly route: Route; readonly plan: RunPlan | undefined },
  { runId, ref, at }: RunFinished,
): SendParams {
  const deliveryId = `reply-${runId}`
  const ttlMs = plan?.replyTtlMs ?? limits.deliveryTtlMs
  const expiry = plan === undefined ? {} : { expiresAt: at + ttlMs }
  // It is in the history as the run's answer.
  const event = { type: 'delivery.requested', deliveryId, ...route, ref, fileIn: null, ...expiry }
  return { to: streamId('delivery', deliveryId), event }
}

/** Says a phrase in a channel; it is worth little later. */
export function say(reply: Reply, phrase: Phrase, at: number): SendParams {
  const { deliveryId, channel, target } = reply
  const head = { type: 'delivery.requested', deliveryId, channel, target, ref: '', fileIn: null }
  const event = { ...head, phrase, expiresAt: at + limits.phraseTtlMs }
  return { to: streamId('delivery', deliveryId), event }
}

/** Answers whoever wrote a directive; null where nobody waits for an answer. */
export function reply(context: SessionContext, event: SessionEvent): SendParams | null {
  if (!('reply' in event) || event.reply === undefined) return null
  return say(event.reply, answerTo(context, event), event.at)
}

function answerTo(context: SessionContext, event: SessionEvent): Phrase {
  switch (event.type) {
    case 'session.aborted':
      return { id: 'runs.stopped', facts: { runs: runsIn(context) } }
    case 'session.patched':
    case 'session.created':
      return { id: 'setting.changed', facts: settingIn(event) }
    case 'session.asked':
      return stateOf(context, event)
    default:
      return { id: 'session.new', facts: {} }
  }
}

function runsIn({ current, queue }: SessionContext): number {
  return [...(current === null ? [] : [current]), ...queue].flatMap(mergedIn).length
}

function settingIn({ changes }: SessionSettled): Phrase['facts'] {
  const [[setting, value] = ['', null]] = Object.entries(changes)
  return { setting, value: clip(value === null ? 'as configured' : String(value)) }
}

function stateOf(context: SessionContext, { about, defaults }: SessionAsked): Phrase {
  const { model, thinking, queue } = { ...defaults, ...context.facts }
  const now = { model: clip(model), thinking, queue }
  if (about !== 'status') {
    return { id: 'setting.now', facts: { setting: about, value: now[about] } }
  }
  const running = context.current === null ? 0 : 1
  const waiting = context.queue.flatMap(mergedIn).length
  return { id: 'status', facts: { ...now, running, waiting, messages: context.messages } }
}

// K1: a fact of a record, not somebody's text.
function clip(value: string): string {
  return value.slice(0, limits.contextTextCharsMax)
}

function steeredFact(message: SteeredMessage): SteeredMessage {
  return { runId: message.runId, ref: message.ref, ...keyFact(message) }
}
