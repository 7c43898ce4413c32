/**
 * One summary of the oldest messages of a session, from a model, with retries.
 *
 *   new ──compaction.requested──► calling ──effect.done──────────────► done
 *                                  ▲  │ ├──effect.failed (retryable)─► waiting ──retry.due──► calling
 *                                  │  │ ├──effect.failed (another)───► calling, its next model
 *                                  │  │ └──effect.failed─────────────► failed
 *                                  └──┘ effect.lost
 *
 * Each end tells the session, which goes on either way. Rules of failing are those of a run.
 */
import { assign, setup } from 'xstate'
import { streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import {
  collected,
  type EffectDone,
  type EffectFailed,
  type EffectLost,
  type HistorySummarizeParams,
  type SendParams,
} from './effects.ts'
import { isCurrent, nextAttempt, retryWait } from './rules/attempt.ts'
import {
  type Failover,
  hasCallLeft,
  isRetryable,
  isSwitchable,
  modelPolicy,
  planCall,
  switchModel,
} from './rules/failover.ts'
import type { Range } from './rules/history.ts'
import type { Wait } from './waits.ts'

export type CompactionRequested = {
  type: 'compaction.requested'
  compactionId: string
  sessionKey: string
  model: string
  fallbacks: string[]
  at: number
} & Range

type Summarized = EffectDone<{
  ref: string
  bytes: number
  inputTokens: number
  outputTokens: number
}>

export type CompactionEvent =
  | CompactionRequested
  | Summarized
  | EffectFailed
  | EffectLost
  | { type: 'retry.due'; at: number }

export interface CompactionContext extends Failover, Range {
  compactionId: string
  sessionKey: string
}

const POLICY = modelPolicy(limits.compactAttemptsMax)

const machine = setup({
  types: { context: {} as CompactionContext, events: {} as CompactionEvent },
  actions: {
    'request.keep': assign(({ context, event }) => {
      if (event.type !== 'compaction.requested') return context
      const { compactionId, sessionKey, model, fallbacks, count, hash } = event
      const plan = { fallbacks, callsMax: limits.compactCallsMax }
      return { ...context, compactionId, sessionKey, model, plan, count, hash, attempt: 1 }
    }),
    'fault.keep': assign(({ context, event }) => ({
      ...context,
      fault: event.type === 'effect.failed' ? event.class : 'lost',
    })),
    'retry.plan': assign(({ context, event }) =>
      event.type === 'effect.failed' ? planCall(context, event, POLICY) : context,
    ),
    'model.next': assign(({ context, event }) =>
      event.type === 'effect.failed' ? switchModel(context, event.class) : context,
    ),
    'attempt.next': assign(({ context }) => nextAttempt(context)),
    'history.summarize': collected<HistorySummarizeParams>,
    'stream.send': collected<SendParams>,
  },
  guards: {
    'attempt.current': ({ context, event }) => isCurrent(context, event, 'history.summarize'),
    'attempt.retryable': ({ context, event }) =>
      event.type === 'effect.failed' &&
      isCurrent(context, event, 'history.summarize') &&
      isRetryable(context, event, POLICY),
    'model.another': ({ context, event }) =>
      event.type === 'effect.failed' &&
      isCurrent(context, event, 'history.summarize') &&
      isSwitchable(context, event),
    'attempt.left': ({ context, event }) =>
      isCurrent(context, event, 'history.summarize') && hasCallLeft(context, POLICY),
  },
})

const finished = (status: 'done' | 'failed') => ({
  type: 'stream.send' as const,
  params: ({
    context,
    event,
  }: {
    context: CompactionContext
    event: CompactionEvent
  }): SendParams => {
    const { compactionId, sessionKey, count, hash, fault } = context
    const { ref, bytes } = event.type === 'effect.done' ? event : { ref: '', bytes: 0 }
    const end = { compactionId, status, ref, bytes, count, hash }
    return {
      to: streamId('session', sessionKey),
      event: { type: 'compaction.finished', ...end, fault: status === 'failed' ? fault : '' },
    }
  },
})

export const compactionMachine = machine.createMachine({
  id: 'compaction',
  context: {
    compactionId: '',
    sessionKey: '',
    model: '',
    count: 0,
    hash: '',
    attempt: 0,
    retryAt: 0,
    fault: '',
  },
  initial: 'new',
  states: {
    new: { on: { 'compaction.requested': { target: 'calling', actions: 'request.keep' } } },
    calling: {
      entry: {
        type: 'history.summarize',
        params: ({ context: { compactionId, sessionKey, model, count, hash, attempt } }) => ({
          compactionId,
          sessionKey,
          model,
          count,
          hash,
          attempt,
        }),
      },
      on: {
        'effect.done': { guard: 'attempt.current', target: 'done', actions: finished('done') },
        'effect.failed': [
          { guard: 'attempt.retryable', target: 'waiting', actions: 'retry.plan' },
          { guard: 'model.another', target: 'calling', reenter: true, actions: 'model.next' },
          {
            guard: 'attempt.current',
            target: 'failed',
            actions: ['fault.keep', finished('failed')],
          },
        ],
        'effect.lost': [
          { guard: 'attempt.left', target: 'calling', reenter: true, actions: 'attempt.next' },
          {
            guard: 'attempt.current',
            target: 'failed',
            actions: ['fault.keep', finished('failed')],
          },
        ],
      },
    },
    waiting: { on: { 'retry.due': { target: 'calling', actions: 'attempt.next' } } },
    done: { type: 'final' },
    failed: { type: 'final' },
  },
})

/** Lists what a summary waits for: between attempts, the time of the next one. */
export function compactionWaits(value: unknown, context: CompactionContext): Wait[] {
  return value === 'waiting' ? [retryWait(context)] : []
}
