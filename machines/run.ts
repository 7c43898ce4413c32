/**
 * One run: from a user's message to one answer of a model, with retries.
 *
 *   new ──run.requested──► calling ──effect.done──────────────► done
 *                            ▲  │ ├──effect.failed (retryable)─► waiting ──retry.due──► calling
 *                            │  │ ├──effect.failed (another)───► calling, its next model
 *                            │  │ ├──effect.failed─────────────► failed
 *                            └──┘ └──run.aborted───────────────► aborted   (also from new, waiting)
 *                          effect.lost                      run.merged: new ──► merged
 *
 *   calling ──effect.done with calls──► tools ──call.finished, the last──► calling
 *
 * A lost call is made again: a model call changes nothing outside. Each end tells the session, and
 * which models gave no answer. When the next model is asked stands in `rules/failover.ts`.
 */
import { produce } from 'immer'
import { assign, enqueueActions, setup } from 'xstate'
import { streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import {
  type Asked,
  collected,
  type EffectCancelled,
  type EffectDone,
  type EffectFailed,
  type EffectLost,
  type ModelCallParams,
  type SendParams,
} from './effects.ts'
import { isCurrent, nextAttempt, retryWait } from './rules/attempt.ts'
import {
  endingFault,
  type Failover,
  hasCallLeft,
  isRetryable,
  isSwitchable,
  modelPolicy,
  planCall,
  switchModel,
} from './rules/failover.ts'
import { keyFact, type RunPlan } from './rules/plan.ts'
import { nameRun } from './rules/queue.ts'
import {
  answerFacts,
  callFacts,
  carriedFacts,
  modelFacts,
  sizeFact,
  triedFact,
} from './rules/run-facts.ts'
import {
  aborts,
  asksTools,
  type CallFinished,
  type Calling,
  isAwaited,
  isLast,
  joinCalls,
  keepResult,
  leaveCalls,
  maySpend,
  requests,
  spentFact,
  takeCalls,
  type ToolAnswer,
} from './rules/tools.ts'
import type { HistoryEntry, MergedRun, SteeredMessage } from './session-events.ts'
import type { Wait } from './waits.ts'

export type RunRequested = {
  type: 'run.requested'
  runId: string
  sessionKey: string
  model: string
  thinking: string
  asked: Asked
  runKey?: string // the client's own name of the run
  plan?: RunPlan // absent: in journals of before
  leftOut?: number // of the oldest entries of its session's history; absent: 0
  merged?: readonly MergedRun[] // messages that it answers beside its own
  steered?: readonly SteeredMessage[] // messages that wait already and that it may read; absent: none
  at: number
}

/** A message that came meanwhile: the next model call reads it, where there is one. */
export type RunSteered = {
  type: 'run.steered'
  runId: string // that the message was given
  runKey?: string
  ref: string
  at: number
}

type ModelDone = EffectDone<ToolAnswer>

export type RunEvent =
  | RunRequested
  | RunSteered
  | ModelDone
  | EffectFailed
  | EffectCancelled
  | EffectLost
  | CallFinished
  | { type: 'retry.due'; at: number }
  | { type: 'run.aborted'; by: string; sessionKey?: string; at: number } // sessionKey: that let it go
  | { type: 'run.merged'; into: string; at: number }

export interface RunContext extends Failover {
  runId: string
  sessionKey: string
  thinking: string
  asked: Asked
  runKey?: string
  leftOut?: number
  merged?: readonly MergedRun[] // messages that it answers beside its own
  steered?: readonly SteeredMessage[] // messages that no prompt holds yet
  entries?: readonly HistoryEntry[] // what its prompts hold behind its own message
  calling?: Calling | null // an answer whose calls are in hand; absent: none ever were
}

const POLICY = modelPolicy(limits.runAttemptsMax)

const machine = setup({
  types: { context: {} as RunContext, events: {} as RunEvent },
  actions: {
    'request.keep': assign(({ context, event }) =>
      event.type !== 'run.requested'
        ? context
        : produce(context, (draft) => {
            draft.runId = event.runId
            draft.sessionKey = event.sessionKey
            draft.model = event.model
            draft.thinking = event.thinking
            draft.asked = event.asked
            draft.attempt = 1
            if (event.runKey !== undefined) draft.runKey = event.runKey
            if (event.plan !== undefined) draft.plan = event.plan
            if (event.leftOut !== undefined) draft.leftOut = event.leftOut
            if (event.merged !== undefined) draft.merged = [...event.merged]
            if (event.steered !== undefined) draft.steered = [...event.steered]
          }),
    ),
    'fault.keep': assign(({ context, event }) =>
      event.type !== 'effect.failed'
        ? context
        : { ...context, fault: endingFault(context, event, POLICY), ...triedFact(context, event) },
    ),
    'fault.lost': assign(({ context, event }) => ({
      ...context,
      fault: 'lost',
      ...triedFact(context, event),
    })),
    'retry.plan': assign(({ context, event }) =>
      event.type === 'effect.failed' ? planCall(context, event, POLICY) : context,
    ),
    'model.next': assign(({ context, event }) =>
      event.type === 'effect.failed' ? switchModel(context, event.class) : context,
    ),
    'attempt.next': assign(({ context }) => nextAttempt(context)),
    'message.steer': assign(({ context, event }) => {
      if (event.type !== 'run.steered') return context
      const { runId, runKey, ref } = event
      const steered = { runId, ref, ...(runKey === undefined ? {} : { runKey }) }
      return { ...context, steered: [...(context.steered ?? []), steered] }
    }),
    // A prompt is made anew, so what came meanwhile goes into it.
    'steered.take': assign(({ context }) => {
      const { steered = [], entries = [], merged = [], runId } = context
      if (steered.length === 0) return context
      const read = steered.map(({ ref }): HistoryEntry => ({ ref, role: 'user', runId }))
      const answered = steered.map(nameRun)
      return {
        ...context,
        steered: [],
        entries: [...entries, ...read],
        merged: [...merged, ...answered],
      }
    }),
    'calls.take': assign(({ context, event }) =>
      asksTools(event)
        ? { ...context, ...spentFact(context, event), ...takeCalls(context, event) }
        : context,
    ),
    'calls.request': enqueueActions(({ context, enqueue }) => {
      for (const params of requests(context)) enqueue({ type: 'stream.send', params })
    }),
    'result.keep': assign(({ context, event }) =>
      event.type === 'call.finished' ? { ...context, ...keepResult(context, event) } : context,
    ),
    'calls.join': assign(({ context }) => ({ ...context, ...joinCalls(context) })),
    'calls.abort': enqueueActions(({ context, enqueue }) => {
      for (const params of aborts(context)) enqueue({ type: 'stream.send', params })
    }),
    'calls.leave': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'run.aborted' || event.sessionKey === undefined) return
      for (const params of leaveCalls(context)) enqueue({ type: 'stream.send', params })
    }),
    // Its retries are counted anew: what came before was answered.
    'round.next': assign(({ context }) => ({
      ...nextAttempt(context),
      firstAttempt: context.attempt + 1,
    })),
    'fault.budget': assign(({ context }) => ({ ...context, fault: 'budget' })),
    'model.call': collected<ModelCallParams>,
    'model.cancel': collected<{ runId: string; attempt: number }>,
    'stream.send': collected<SendParams>,
  },
  guards: {
    'attempt.current': ({ context, event }) => isCurrent(context, event, 'model.call'),
    'answer.asksTools': ({ context, event }) =>
      isCurrent(context, event, 'model.call') && asksTools(event) && maySpend(context, event),
    'answer.overspends': ({ context, event }) =>
      isCurrent(context, event, 'model.call') && asksTools(event),
    'result.last': ({ context, event }) =>
      event.type === 'call.finished' && isLast(context, event.callId),
    'result.awaited': ({ context, event }) =>
      event.type === 'call.finished' &&
      !!context.calling &&
      isAwaited(context.calling, event.callId),
    'attempt.retryable': ({ context, event }) =>
      event.type === 'effect.failed' &&
      isCurrent(context, event, 'model.call') &&
      isRetryable(context, event, POLICY),
    'model.another': ({ context, event }) =>
      event.type === 'effect.failed' &&
      isCurrent(context, event, 'model.call') &&
      isSwitchable(context, event),
    'attempt.left': ({ context, event }) =>
      event.type === 'effect.lost' &&
      isCurrent(context, event, 'model.call') &&
      hasCallLeft(context, POLICY),
  },
})

const NEXT_MODEL = ['model.next', 'steered.take'] as const
const AGAIN = ['attempt.next', 'steered.take'] as const

const finished = (status: 'done' | 'failed' | 'aborted') => ({
  type: 'stream.send' as const,
  params: ({ context, event }: { context: RunContext; event: RunEvent }): SendParams => ({
    to: streamId('session', context.sessionKey),
    event: {
      type: 'run.finished',
      runId: context.runId,
      status,
      fault: status === 'failed' ? context.fault : '',
      ...answerFacts(event, status),
      ...keyFact(context),
      ...modelFacts(context, status),
      ...(status === 'done' ? sizeFact(context, event) : {}),
      ...carriedFacts(context),
    },
  }),
})

// A session that has let it go hears no end of it, only what was done.
const LET_GO = [finished('aborted'), 'calls.leave'] as const

export const runMachine = machine.createMachine({
  id: 'run',
  context: {
    runId: '',
    sessionKey: '',
    model: '',
    thinking: '',
    asked: { channel: null, room: null, sender: null, at: 0 },
    attempt: 0,
    retryAt: 0,
    fault: '',
  },
  initial: 'new',
  states: {
    new: {
      on: {
        'run.requested': { target: 'calling', actions: 'request.keep' },
        'run.aborted': 'aborted', // It was queued, and its session has let it go.
        'run.merged': 'merged', // Its message was answered by another run.
      },
    },
    calling: {
      entry: {
        type: 'model.call',
        params: ({ context }) => ({
          runId: context.runId,
          sessionKey: context.sessionKey,
          model: context.model,
          thinking: context.thinking,
          asked: context.asked,
          attempt: context.attempt,
          ...keyFact(context),
          ...callFacts(context),
          ...(context.entries === undefined ? {} : { entries: context.entries.length }),
        }),
      },
      on: {
        'effect.done': [
          {
            guard: 'answer.asksTools',
            target: 'tools',
            actions: ['calls.take', 'calls.request'],
          },
          // A loop ends here: nothing that it asks for now is done.
          {
            guard: 'answer.overspends',
            target: 'failed',
            actions: ['fault.budget', finished('failed')],
          },
          { guard: 'attempt.current', target: 'done', actions: finished('done') },
        ],
        'effect.failed': [
          { guard: 'attempt.retryable', target: 'waiting', actions: 'retry.plan' },
          { guard: 'model.another', target: 'calling', reenter: true, actions: NEXT_MODEL },
          {
            guard: 'attempt.current',
            target: 'failed',
            actions: ['fault.keep', finished('failed')],
          },
        ],
        'effect.lost': [
          { guard: 'attempt.left', target: 'calling', reenter: true, actions: AGAIN },
          {
            guard: 'attempt.current',
            target: 'failed',
            actions: ['fault.lost', finished('failed')],
          },
        ],
        'run.steered': { actions: 'message.steer' },
        'run.aborted': {
          target: 'aborted',
          actions: [
            {
              type: 'model.cancel',
              params: ({ context }) => ({ runId: context.runId, attempt: context.attempt }),
            },
            ...LET_GO,
          ],
        },
      },
    },
    tools: {
      on: {
        'call.finished': [
          {
            guard: 'result.last',
            target: 'calling',
            actions: ['result.keep', 'calls.join', 'round.next', 'steered.take'],
          },
          { guard: 'result.awaited', actions: 'result.keep' },
        ],
        'run.steered': { actions: 'message.steer' },
        'run.aborted': {
          target: 'aborted',
          actions: ['calls.abort', 'calls.join', ...LET_GO],
        },
      },
    },
    waiting: {
      on: {
        'retry.due': { target: 'calling', actions: AGAIN },
        'run.steered': { actions: 'message.steer' },
        'run.aborted': { target: 'aborted', actions: [...LET_GO] },
      },
    },
    done: { type: 'final' },
    failed: { type: 'final' },
    aborted: { type: 'final' },
    merged: { type: 'final' },
  },
})

/** Lists what a run waits for: between attempts, the time of the next one. */
export function runWaits(value: unknown, context: RunContext): Wait[] {
  if (value !== 'waiting') return []
  return [retryWait(context)]
}
