/**
 * One session: a conversation, its queue and its one run at a time.
 *
 *   idle ──message.accepted──► running ──run.finished, queue empty──► idle
 *                               │  ▲ ├──run.finished, more queued──┐
 *                               │  └─┼─────────────────────────────┘
 *                               │    └─run.finished, they are still writing─► gathering
 *                               │  ▲                                             │
 *                               │  └── queue.due, or a message of another kind ──┘
 *                               └── message.accepted: queued, steered, or instead (rules/queue.ts)
 *
 * `message.filed` (sent through `send`) and `message.injected` join the history in any state.
 * `session.aborted` ends runs here and now: each is told `run.aborted`, and what it brings later is
 * refused. `session.reset` and `session.deleted` end all of them and begin another generation, which
 * remembers nothing; the journal does. A deleted session begins anew with its next message. An idle
 * session waits for its expiry, where its last message named one, and resets itself.
 *
 * The history holds refs, never text (K1); it is the recipe of the next prompt. A message joins it
 * when its run begins, so that each answer follows its question.
 */
import { assign, enqueueActions, setup } from 'xstate'
import { limits } from '../protocol/limits.ts'
import { collected, type SendParams } from './effects.ts'
import {
  beginnings,
  compactByHand,
  compactFor,
  type Compaction,
  isAwaited,
  kept,
  measuredBy,
  told,
  uncompacted,
} from './rules/compaction.ts'
import { failureMark, failureNotices } from './rules/failure-notice.ts'
import { askedEntry, joined, type Measured } from './rules/history.ts'
import { bytesFact } from './rules/plan.ts'
import {
  enqueue as queuedWith,
  FOLLOWUP,
  mergedIn,
  type Next,
  nextOf,
  type PlannedRun,
  planRun,
  type Queued,
  steerable,
  without,
} from './rules/queue.ts'
import { patchFacts, type SessionFacts } from './rules/session-facts.ts'
import * as tell from './rules/session-sends.ts'
import { keptCalls } from './rules/tools.ts'
import type { Expiry, HistoryEntry, MessageAccepted, SessionEvent } from './session-events.ts'

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
  expiry?: Expiry | null // absent where no message ever named one
  compaction?: Compaction | null // absent where no summary was ever asked for
  measured?: Measured | null // absent where no provider ever told
  failureToldAt?: number // ms since epoch; absent where no failure was told to a channel
}

const machine = setup({
  types: { context: {} as SessionContext, events: {} as SessionEvent },
  actions: {
    'message.keep': assign(({ context, event }) => {
      if (event.type !== 'message.accepted') return context
      return { ...accepting(context, event), queue: queueWith(context, event).queue }
    }),
    'message.first': assign(({ context, event }) => {
      if (event.type !== 'message.accepted') return context
      return { ...accepting(context, event), queue: [planRun(event), ...context.queue] }
    }),
    'message.steer': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'message.accepted' || event.queue?.mode !== 'steer') return
      const { current, queue } = context
      const read = current === null ? [] : steerable(queue, current)
      if (current === null || !read.some(({ runId }) => runId === event.runId)) return
      enqueue({ type: 'stream.send', params: tell.steered(current, event) })
    }),
    'answer.keep': assign(({ context, event }) => {
      if (event.type !== 'run.finished') return context
      const { merged = [], entries = [] } = event
      const queue = without(context.queue, merged)
      // Not cut to messagesMax here: the next question does it, and the answer stays with its own.
      const history = context.history.concat(entries)
      const over = { ...context, queue, history, current: null, ...failureMark(context, event) }
      if (event.status !== 'done') return over
      const { ref, runId } = event
      const answer: HistoryEntry = { ...bytesFact(event), ref, role: 'assistant', runId }
      const messages = context.messages + 1
      return { ...over, ...measuredBy(event), messages, history: history.concat(answer) }
    }),
    'calls.keep': assign(({ context, event }) => ({ ...context, ...keptCalls(context, event) })),
    'filing.keep': assign(({ context, event }) => {
      if (event.type !== 'message.filed') return context
      const { sessionKey: key, ref, deliveryId: runId } = event
      const history = joined(context, [{ ref, role: 'assistant', runId }])
      return { ...context, key, messages: context.messages + 1, history, ...reborn(context) }
    }),
    'injection.keep': assign(({ context, event }) => {
      if (event.type !== 'message.injected') return context
      const { ref, messageId: runId } = event
      const history = joined(context, [{ ref, role: 'assistant', runId }])
      return { ...context, messages: context.messages + 1, history }
    }),
    'facts.keep': assign(({ context, event }) => {
      if (event.type !== 'session.created' && event.type !== 'session.patched') return context
      const { sessionKey: key, changes } = event
      return { ...context, key, facts: patchFacts(factsOf(context), changes), ...reborn(context) }
    }),
    'generation.begin': assign(({ context, event }) => {
      if (event.type !== 'session.reset' && event.type !== 'session.deleted') return context
      const { sessionKey: key, generation = generationOf(context) + 1 } = event
      const empty = { ...context, key, generation, messages: 0, history: [], queue: [] }
      const until = context.expiry ? { expiry: null } : {}
      const next = { ...empty, current: null, ...until, ...uncompacted(context) }
      if (event.type === 'session.reset') return { ...next, ...reborn(context) }
      return { ...next, deleted: true, ...(context.facts === undefined ? {} : { facts: null }) }
    }),
    'queue.drop': assign(({ context, event }) => ({
      ...context,
      queue: event.type === 'session.aborted' ? left(context, event.runId) : context.queue,
    })),
    'queue.overflow': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'message.accepted') return
      const { dropped } = queueWith(context, event)
      for (const params of tell.dropped(context.key, dropped, event)) {
        enqueue({ type: 'stream.send', params })
      }
    }),
    'runs.drop': assign(({ context }) => ({ ...context, queue: [], current: null })),
    'current.abort': enqueueActions(({ context: { current, key }, enqueue }) => {
      for (const params of tell.aborted(key, current === null ? [] : [current], 'queue')) {
        enqueue({ type: 'stream.send', params })
      }
    }),
    'runs.abort': enqueueActions(({ context, event, enqueue }) => {
      const by = 'by' in event ? event.by : ''
      const runs = runsOf(context).filter((run) => isLetGo(run, event))
      const params = tell.aborted(context.key, runs, by).filter(({ event: told }) => {
        const isAll = event.type !== 'session.aborted' || event.runId === null
        return isAll || isNamed(context.current, event) || told['runId'] === event.runId
      })
      for (const send of params) enqueue({ type: 'stream.send', params: send })
    }),
    'run.take': assign(({ context, event }) => {
      const { run, queue } = nextFor(context.queue, event)
      if (run === null) return { ...context, current: null }
      const { runId, merged = [] } = run
      const asked = [...merged, run].map((message) => askedEntry(message, runId))
      const history = joined(context, asked)
      const taken = { ...context, queue, current: run, turn: context.turn + 1, history }
      return { ...taken, ...compactFor(taken, event.at) }
    }),
    'run.request': enqueueActions(({ context, event, enqueue }) => {
      for (const params of beginnings(context, event.at)) enqueue({ type: 'stream.send', params })
    }),
    'compaction.keep': assign(({ context, event }) => ({ ...context, ...kept(context, event) })),
    'compaction.tell': enqueueActions(({ context, event, enqueue }) => {
      for (const params of told(context, event)) enqueue({ type: 'stream.send', params })
    }),
    'answer.deliver': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'run.finished') return
      const route = event.status === 'done' ? (context.current?.route ?? null) : null
      const plan = context.current?.plan
      const answers = route === null ? [] : [tell.answer({ route, plan }, event)]
      const notices = failureNotices(context, event)
      for (const params of [...answers, ...notices, ...tell.merged(event)]) {
        enqueue({ type: 'stream.send', params })
      }
    }),
    'reply.send': enqueueActions(({ context, event, enqueue }) => {
      const params = tell.reply(context, event)
      if (params !== null) enqueue({ type: 'stream.send', params })
    }),
    'stream.send': collected<SendParams>,
  },
  guards: {
    // What a channel has admitted is never refused: its cap was judged at the door.
    'queue.hasRoom': ({ context, event }) =>
      event.type === 'message.accepted' &&
      (event.channel !== null || context.queue.length < policyOf(event).cap || makesRoom(event)),
    'message.interrupts': ({ event }) =>
      event.type === 'message.accepted' && event.queue?.mode === 'interrupt',
    'queue.ready': ({ context, event }) =>
      event.type === 'message.accepted' &&
      nextOf(queueWith(context, event).queue, event.at).run !== null,
    'queue.next': ({ context, event }) =>
      isCurrent(context, event) && nextFor(leftBy(context, event), event).run !== null,
    'queue.gathers': ({ context, event }) =>
      isCurrent(context, event) && leftBy(context, event).length > 0,
    'run.current': ({ context, event }) => isCurrent(context, event),
    'calls.fit': ({ context, event }) => keptCalls(context, event) !== null,
    'session.there': ({ context }) => isThere(context),
    'session.meant': ({ context, event }) =>
      isAny(event) || (isThere(context) && generationIn(event) === generationOf(context)),
    'session.unborn': ({ context, event }) =>
      !isThere(context) && generationIn(event) === generationOf(context),
    'session.renewable': ({ context, event }) =>
      isAny(event) || (isThere(context) && generationIn(event) === generationOf(context) + 1),
    'abort.queued': ({ context, event }) =>
      context.queue.some((run) => isNamed(run, event)) && !isNamed(context.current, event),
    'abort.onward': ({ context, event }) =>
      isNamed(context.current, event) && context.queue.length > 0,
    'abort.last': ({ context, event }) =>
      event.type === 'session.aborted' && (event.runId === null || isNamed(context.current, event)),
    'abort.some': ({ context, event }) =>
      event.type === 'session.aborted' &&
      context.queue.some((run) => isNamed(run, event)) &&
      left(context, event.runId).length > 0,
    'abort.gathered': ({ context, event }) =>
      event.type === 'session.aborted' &&
      (event.runId === null || context.queue.some((run) => isNamed(run, event))),
    'compaction.possible': ({ context, event }) =>
      event.type === 'compaction.asked' &&
      isThere(context) &&
      compactByHand(context, event).compaction !== undefined,
    'compaction.awaited': ({ context, event }) => isAwaited(context, event),
    'reply.wanted': ({ event }) => 'reply' in event && event.reply !== undefined,
  },
})

function accepting(context: SessionContext, event: MessageAccepted): SessionContext {
  const { sessionKey: key, messagesMax, expiry } = event
  const until =
    expiry === undefined && context.expiry === undefined ? {} : { expiry: expiry ?? null }
  const messages = context.messages + 1
  return { ...context, key, messages, messagesMax, ...until, ...reborn(context) }
}

function policyOf({ queue = FOLLOWUP }: MessageAccepted): typeof FOLLOWUP {
  return queue
}

function makesRoom(event: MessageAccepted): boolean {
  return policyOf(event).drop !== 'new'
}

function queueWith({ queue }: SessionContext, event: MessageAccepted): Queued {
  return queuedWith(queue, planRun(event), policyOf(event))
}

// Behind the end of a run somebody may still be writing; nothing else waits for that.
function nextFor(queue: readonly PlannedRun[], event: SessionEvent): Next {
  return nextOf(queue, event.type === 'run.finished' ? event.at : Number.POSITIVE_INFINITY)
}

function leftBy({ queue }: SessionContext, event: SessionEvent): PlannedRun[] {
  return without(queue, event.type === 'run.finished' ? (event.merged ?? []) : [])
}

function left({ queue }: SessionContext, runId: string | null): PlannedRun[] {
  return runId === null ? [] : without(queue, [{ runId }])
}

function runsOf({ current, queue }: SessionContext): PlannedRun[] {
  return current === null ? queue : [current, ...queue]
}

function isCurrent(context: SessionContext, event: SessionEvent): boolean {
  return event.type === 'run.finished' && event.runId === context.current?.runId
}

const RENEWAL = ['reply.send', 'runs.abort', 'generation.begin'] as const
const COMPACTION = ['compaction.keep', 'compaction.tell'] as const
const NEXT = ['run.take', 'run.request'] as const

/** Reads which life of its key a session is in: 0 is the first. */
export function generationOf({ generation = 0 }: Pick<SessionContext, 'generation'>): number {
  return generation
}

function generationIn(event: SessionEvent): number {
  return 'generation' in event ? (event.generation ?? -1) : -1
}

// Somebody in a channel means the session that is there, and has not seen its generation.
function isAny(event: SessionEvent): boolean {
  const names = event.type === 'session.patched' || event.type === 'session.reset'
  return names && event.generation === undefined
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

// A message that another run answers is ended with that run.
function isNamed(run: PlannedRun | null, event: SessionEvent): boolean {
  if (event.type !== 'session.aborted' || run === null) return false
  return mergedIn(run).some(({ runId }) => runId === event.runId)
}

// Whoever begins another generation lets go of all runs.
function isLetGo(run: PlannedRun, event: SessionEvent): boolean {
  return event.type !== 'session.aborted' || event.runId === null || isNamed(run, event)
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
    'calls.kept': { guard: 'calls.fit', actions: 'calls.keep' },
    'message.filed': { actions: 'filing.keep' },
    'message.injected': { guard: 'session.there', actions: 'injection.keep' },
    'session.created': { guard: 'session.unborn', actions: 'facts.keep' },
    'session.patched': { guard: 'session.meant', actions: ['facts.keep', 'reply.send'] },
    'session.reset': { guard: 'session.renewable', target: '.idle', actions: RENEWAL },
    'session.deleted': { guard: 'session.renewable', target: '.idle', actions: RENEWAL },
    'session.asked': { actions: 'reply.send' },
    'compaction.asked': { guard: 'compaction.possible', actions: COMPACTION },
    'compaction.finished': { guard: 'compaction.awaited', actions: COMPACTION },
  },
  states: {
    idle: {
      on: {
        'message.accepted': { target: 'running', actions: ['message.first', ...NEXT] },
        'session.aborted': { guard: 'reply.wanted', actions: 'reply.send' },
      },
    },
    running: {
      on: {
        'message.accepted': [
          { guard: 'message.interrupts', actions: ['current.abort', 'message.first', ...NEXT] },
          { guard: 'queue.hasRoom', actions: ['queue.overflow', 'message.keep', 'message.steer'] },
        ],
        'run.finished': [
          { guard: 'queue.next', actions: ['answer.deliver', 'answer.keep', ...NEXT] },
          {
            guard: 'queue.gathers',
            target: 'gathering',
            actions: ['answer.deliver', 'answer.keep'],
          },
          { guard: 'run.current', target: 'idle', actions: ['answer.deliver', 'answer.keep'] },
        ],
        'session.aborted': [
          { guard: 'abort.queued', actions: ['reply.send', 'runs.abort', 'queue.drop'] },
          { guard: 'abort.onward', actions: ['reply.send', 'runs.abort', ...NEXT] },
          {
            guard: 'abort.last',
            target: 'idle',
            actions: ['reply.send', 'runs.abort', 'runs.drop'],
          },
        ],
      },
    },
    gathering: {
      on: {
        'message.accepted': [
          { guard: 'message.interrupts', target: 'running', actions: ['message.first', ...NEXT] },
          {
            guard: 'queue.ready',
            target: 'running',
            actions: ['queue.overflow', 'message.keep', ...NEXT],
          },
          { guard: 'queue.hasRoom', actions: ['queue.overflow', 'message.keep'] },
        ],
        'queue.due': { target: 'running', actions: NEXT },
        'session.aborted': [
          { guard: 'abort.some', actions: ['reply.send', 'runs.abort', 'queue.drop'] },
          {
            guard: 'abort.gathered',
            target: 'idle',
            actions: ['reply.send', 'runs.abort', 'runs.drop'],
          },
        ],
      },
    },
  },
})
