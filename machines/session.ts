/**
 * One session: a conversation, its queue and its one run at a time.
 *
 *   idle ──message.accepted──► running ──run.finished, queue empty──► idle
 *                               │  ▲ └──run.finished, more queued──┐
 *                               └──┴── message.accepted (queued) ──┘
 *
 * `message.filed` (a message sent through `send`) joins the history in either state.
 *
 * The history holds refs, never text (K1); it is the recipe of the next prompt. A message joins it
 * when its run begins, so that each answer follows its question.
 */
import { assign, enqueueActions, setup } from 'xstate'
import { streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { type Asked, collected, type SendParams } from './effects.ts'

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

export type SessionEvent = MessageAccepted | RunFinished | MessageFiled

/** An entry of the history. Its keys stand in canonical order: so it is hashed fast. */
export interface HistoryEntry {
  ref: string
  role: 'user' | 'assistant'
  runId: string
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
}

export interface SessionContext {
  key: string
  turn: number // runs begun
  messages: number // user and assistant messages, as counted for people
  messagesMax: number
  history: HistoryEntry[]
  queue: PlannedRun[]
  current: PlannedRun | null
}

const machine = setup({
  types: { context: {} as SessionContext, events: {} as SessionEvent },
  actions: {
    'message.keep': assign(({ context, event }) => {
      if (event.type !== 'message.accepted') return context
      const { sessionKey: key, messagesMax } = event
      const queue = [...context.queue, plannedBy(event)]
      return { ...context, key, messages: context.messages + 1, messagesMax, queue }
    }),
    'answer.keep': assign(({ context, event }) => {
      if (event.type !== 'run.finished') return context
      const over = { ...context, current: null }
      if (event.status !== 'done') return over
      // Not cut to messagesMax here: the next question does it, and the answer stays with its own.
      const answer: HistoryEntry = { ref: event.ref, role: 'assistant', runId: event.runId }
      return { ...over, messages: context.messages + 1, history: context.history.concat(answer) }
    }),
    'filing.keep': assign(({ context, event }) => {
      if (event.type !== 'message.filed') return context
      const { sessionKey: key, ref, deliveryId: runId } = event
      const history = joined(context, { ref, role: 'assistant', runId })
      return { ...context, key, messages: context.messages + 1, history }
    }),
    'run.take': assign(({ context }) => {
      const [next = null, ...queue] = context.queue
      if (next === null) return { ...context, current: null }
      const history = joined(context, { ref: next.ref, role: 'user', runId: next.runId })
      return { ...context, queue, current: next, turn: context.turn + 1, history }
    }),
    'run.request': enqueueActions(({ context, enqueue }) => {
      if (context.current === null) return
      const { runId, model, thinking, asked, runKey } = context.current
      const event = {
        type: 'run.requested',
        runId,
        sessionKey: context.key,
        model,
        thinking,
        asked,
        ...(runKey === undefined ? {} : { runKey }),
      }
      enqueue({ type: 'stream.send', params: { to: streamId('run', runId), event } })
    }),
    'answer.deliver': enqueueActions(({ context, event, enqueue }) => {
      const route = context.current?.route ?? null
      if (event.type !== 'run.finished' || event.status !== 'done' || route === null) return
      const deliveryId = `reply-${event.runId}`
      const request = {
        type: 'delivery.requested',
        deliveryId,
        ...route,
        ref: event.ref,
        fileIn: null, // It is in the history as the run's answer.
      }
      enqueue({
        type: 'stream.send',
        params: { to: streamId('delivery', deliveryId), event: request },
      })
    }),
    'stream.send': collected<SendParams>,
  },
  guards: {
    // What a channel has admitted is never dropped: its cap was judged at the door.
    'queue.hasRoom': ({ context, event }) =>
      context.queue.length < limits.sessionQueueMax ||
      (event.type === 'message.accepted' && event.channel !== null),
    'queue.waiting': ({ context, event }) => isCurrent(context, event) && context.queue.length > 0,
    'run.current': ({ context, event }) => isCurrent(context, event),
  },
})

// Copied, not drafted: a proxy in front of some hundred entries costs ten times the step itself.
function joined({ history, messagesMax }: SessionContext, entry: HistoryEntry): HistoryEntry[] {
  return history.slice(Math.max(0, history.length + 1 - messagesMax)).concat(entry)
}

function plannedBy(message: MessageAccepted): PlannedRun {
  const { runId, ref, route, model, thinking, runKey } = message
  const planned = { runId, asked: askedBy(message), ref, route, model, thinking }
  return runKey === undefined ? planned : { ...planned, runKey }
}

function askedBy({ channel, peer, sender, at }: MessageAccepted): Asked {
  return { channel, room: peer === sender ? null : peer, sender, at }
}

function isCurrent(context: SessionContext, event: SessionEvent): boolean {
  return event.type === 'run.finished' && event.runId === context.current?.runId
}

export const sessionMachine = machine.createMachine({
  id: 'session',
  context: {
    key: '',
    turn: 0,
    messages: 0,
    messagesMax: limits.sessionMessagesMax,
    history: [],
    queue: [],
    current: null,
  },
  initial: 'idle',
  on: { 'message.filed': { actions: 'filing.keep' } },
  states: {
    idle: {
      on: {
        'message.accepted': {
          target: 'running',
          actions: ['message.keep', 'run.take', 'run.request'],
        },
      },
    },
    running: {
      on: {
        'message.accepted': { guard: 'queue.hasRoom', actions: 'message.keep' },
        'run.finished': [
          {
            guard: 'queue.waiting',
            actions: ['answer.deliver', 'answer.keep', 'run.take', 'run.request'],
          },
          { guard: 'run.current', target: 'idle', actions: ['answer.deliver', 'answer.keep'] },
        ],
      },
    },
  },
})

/**
 * Reads the prompt of a run off its session: the history up to the run's own message, or null
 * where the run has not begun or its message has left the kept history.
 */
export function promptOf(context: SessionContext, runId: string): readonly HistoryEntry[] | null {
  const index = context.history.findLastIndex(
    (entry) => entry.role === 'user' && entry.runId === runId,
  )
  return index === -1 ? null : context.history.slice(0, index + 1)
}
