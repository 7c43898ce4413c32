/**
 * One session: a conversation, its queue and its one run at a time.
 *
 *   idle ──message.accepted──► running ──run.finished, queue empty──► idle
 *                               │  ▲ └──run.finished, more queued──┐
 *                               └──┴── message.accepted (queued) ──┘
 *
 * `message.filed` (sent through `send`) and `message.injected` join the history in either state.
 * `session.aborted` ends runs here and now: each is told `run.aborted`, and what it brings later is
 * refused. `session.reset` and `session.deleted` end all of them and begin another generation, which
 * remembers nothing; the journal does. A deleted session begins anew with its next message.
 *
 * The history holds refs, never text (K1); it is the recipe of the next prompt. A message joins it
 * when its run begins, so that each answer follows its question.
 */
import { assign, enqueueActions, setup } from 'xstate'
import { streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { type Asked, collected, type SendParams } from './effects.ts'
import { endDelivery, failureMark } from './rules/end-delivery.ts'
import { planFact, type RunPlan, type TriedModel } from './rules/plan.ts'
import { type FactChanges, patchFacts, type SessionFacts } from './rules/session-facts.ts'

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
  bytes?: number // of the answer
  model?: string // that answered, where it is not the one that was asked first
  tried?: TriedModel[] // that gave no answer; absent: none
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
  generation: number
  changes: FactChanges
  by: string
  at: number
}

/** Another generation begins: with the next message, where it was deleted. */
export type SessionRenewed = {
  type: 'session.reset' | 'session.deleted'
  sessionKey: string
  generation: number // that begins
  reason: string
  by: string
  at: number
}

/** Runs are let go: one, or all that are in hand and queued. */
export type SessionAborted = {
  type: 'session.aborted'
  sessionKey: string
  runId: string | null
  by: string
  at: number
}

export type SessionEvent =
  | MessageAccepted
  | RunFinished
  | MessageFiled
  | MessageInjected
  | SessionSettled
  | SessionRenewed
  | SessionAborted

/** An entry of the history. Its keys stand in canonical order: so it is hashed fast. */
export interface HistoryEntry {
  bytes?: number // of its text; absent: not known
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
  bytes?: number
  plan?: RunPlan
}

export interface SessionContext {
  key: string
  turn: number // runs begun
  messages: number // user and assistant messages, as counted for people
  messagesMax: number
  history: HistoryEntry[]
  queue: PlannedRun[]
  current: PlannedRun | null
  generation?: number // absent before the first reset: 0
  facts?: SessionFacts | null // absent where nothing was ever settled
  deleted?: boolean // absent where it never was
  failureToldAt?: number // ms since epoch; absent where no failure was told to a channel
}

const machine = setup({
  types: { context: {} as SessionContext, events: {} as SessionEvent },
  actions: {
    'message.keep': assign(({ context, event }) => {
      if (event.type !== 'message.accepted') return context
      const { sessionKey: key, messagesMax } = event
      const queue = [...context.queue, plannedBy(event)]
      const messages = context.messages + 1
      return { ...context, key, messages, messagesMax, queue, ...reborn(context) }
    }),
    'answer.keep': assign(({ context, event }) => {
      if (event.type !== 'run.finished') return context
      const over = { ...context, current: null, ...failureMark(context, event) }
      if (event.status !== 'done') return over
      // Not cut to messagesMax here: the next question does it, and the answer stays with its own.
      const { ref, runId } = event
      const answer: HistoryEntry = { ...bytesOf(event), ref, role: 'assistant', runId }
      return { ...over, messages: context.messages + 1, history: context.history.concat(answer) }
    }),
    'filing.keep': assign(({ context, event }) => {
      if (event.type !== 'message.filed') return context
      const { sessionKey: key, ref, deliveryId: runId } = event
      const history = joined(context, { ref, role: 'assistant', runId })
      return { ...context, key, messages: context.messages + 1, history, ...reborn(context) }
    }),
    'injection.keep': assign(({ context, event }) => {
      if (event.type !== 'message.injected') return context
      const history = joined(context, { ref: event.ref, role: 'assistant', runId: event.messageId })
      return { ...context, messages: context.messages + 1, history }
    }),
    'facts.keep': assign(({ context, event }) => {
      if (event.type !== 'session.created' && event.type !== 'session.patched') return context
      const { sessionKey: key, changes } = event
      return { ...context, key, facts: patchFacts(factsOf(context), changes), ...reborn(context) }
    }),
    'generation.begin': assign(({ context, event }) => {
      if (event.type !== 'session.reset' && event.type !== 'session.deleted') return context
      const { generation } = event
      const empty = { ...context, generation, messages: 0, history: [], queue: [], current: null }
      if (event.type === 'session.reset') return empty
      return { ...empty, deleted: true, ...(context.facts === undefined ? {} : { facts: null }) }
    }),
    'queue.drop': assign(({ context, event }) => ({
      ...context,
      queue: context.queue.filter((run) => !isLetGo(run, event)),
    })),
    'runs.drop': assign(({ context }) => ({ ...context, queue: [], current: null })),
    'runs.abort': enqueueActions(({ context, event, enqueue }) => {
      const { current, queue, key: sessionKey } = context
      const by = 'by' in event ? event.by : ''
      const runs = [...(current === null ? [] : [current]), ...queue]
      for (const { runId, runKey } of runs.filter((run) => isLetGo(run, event))) {
        const named = runKey === undefined ? {} : { runKey }
        const told = { type: 'run.aborted', by, runId, sessionKey, ...named }
        enqueue({ type: 'stream.send', params: { to: streamId('run', runId), event: told } })
      }
    }),
    'run.take': assign(({ context }) => {
      const [next = null, ...queue] = context.queue
      if (next === null) return { ...context, current: null }
      const { ref, runId } = next
      const history = joined(context, { ...bytesOf(next), ref, role: 'user', runId })
      return { ...context, queue, current: next, turn: context.turn + 1, history }
    }),
    'run.request': enqueueActions(({ context, enqueue }) => {
      if (context.current === null) return
      const { runId, model, thinking, asked, runKey, plan } = context.current
      const event = {
        type: 'run.requested',
        runId,
        sessionKey: context.key,
        model,
        thinking,
        asked,
        ...(runKey === undefined ? {} : { runKey }),
        ...planFact(plan),
      }
      enqueue({ type: 'stream.send', params: { to: streamId('run', runId), event } })
    }),
    'answer.deliver': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'run.finished') return
      const params = endDelivery(context, event)
      if (params !== null) enqueue({ type: 'stream.send', params })
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
    'session.there': ({ context }) => isThere(context),
    'session.meant': ({ context, event }) =>
      isThere(context) && generationIn(event) === generationOf(context),
    'session.unborn': ({ context, event }) =>
      !isThere(context) && generationIn(event) === generationOf(context),
    'session.renewable': ({ context, event }) =>
      isThere(context) && generationIn(event) === generationOf(context) + 1,
    'abort.queued': ({ context, event }) => context.queue.some((run) => isNamed(run, event)),
    'abort.onward': ({ context, event }) =>
      isNamed(context.current, event) && context.queue.length > 0,
    'abort.last': ({ context, event }) =>
      event.type === 'session.aborted' && (event.runId === null || isNamed(context.current, event)),
  },
})

// Copied, not drafted: a proxy in front of some hundred entries costs ten times the step itself.
function joined({ history, messagesMax }: SessionContext, entry: HistoryEntry): HistoryEntry[] {
  return history.slice(Math.max(0, history.length + 1 - messagesMax)).concat(entry)
}

function plannedBy(message: MessageAccepted): PlannedRun {
  const { runId, ref, route, model, thinking, runKey, plan } = message
  const facts = { ...bytesOf(message), ...planFact(plan) }
  const planned = { runId, asked: askedBy(message), ref, route, model, thinking, ...facts }
  return runKey === undefined ? planned : { ...planned, runKey }
}

function bytesOf({ bytes }: { bytes?: number }): { bytes?: number } {
  return bytes === undefined ? {} : { bytes }
}

function askedBy({ channel, peer, sender, at }: MessageAccepted): Asked {
  return { channel, room: peer === sender ? null : peer, sender, at }
}

function isCurrent(context: SessionContext, event: SessionEvent): boolean {
  return event.type === 'run.finished' && event.runId === context.current?.runId
}

const RENEWAL = ['runs.abort', 'generation.begin'] as const

/** Reads which life of its key a session is in: 0 is the first. */
export function generationOf({ generation = 0 }: Pick<SessionContext, 'generation'>): number {
  return generation
}

function generationIn(event: SessionEvent): number {
  return 'generation' in event ? event.generation : -1
}

function factsOf({ facts }: SessionContext): SessionFacts {
  return facts ?? {}
}

function isThere({ key, deleted }: SessionContext): boolean {
  return key !== '' && deleted !== true
}

function reborn({ deleted }: SessionContext): Partial<SessionContext> {
  return deleted === true ? { deleted: false } : {}
}

function isNamed(run: PlannedRun | null, event: SessionEvent): boolean {
  return event.type === 'session.aborted' && run !== null && event.runId === run.runId
}

// Whoever begins another generation lets go of all runs.
function isLetGo(run: PlannedRun, event: SessionEvent): boolean {
  return event.type !== 'session.aborted' || event.runId === null || event.runId === run.runId
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
  on: {
    'message.filed': { actions: 'filing.keep' },
    'message.injected': { guard: 'session.there', actions: 'injection.keep' },
    'session.created': { guard: 'session.unborn', actions: 'facts.keep' },
    'session.patched': { guard: 'session.meant', actions: 'facts.keep' },
    'session.reset': { guard: 'session.renewable', target: '.idle', actions: RENEWAL },
    'session.deleted': { guard: 'session.renewable', target: '.idle', actions: RENEWAL },
  },
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
        'session.aborted': [
          { guard: 'abort.queued', actions: ['runs.abort', 'queue.drop'] },
          { guard: 'abort.onward', actions: ['runs.abort', 'run.take', 'run.request'] },
          { guard: 'abort.last', target: 'idle', actions: ['runs.abort', 'runs.drop'] },
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
