/**
 * One delivery: a message on its way out to a platform, until its fate is known.
 *
 *   new ──delivery.requested──► attempting ──effect.done──────────────────► sent
 *                                 ▲  ▲ │ ├──effect.failed (no, retryable)─► waiting ─┐
 *                                 │  │ │ ├──effect.failed (no)────────────► failed   │
 *                                 │  │ │ └──effect.failed (maybe)──────────► uncertain
 *                                 │  └─┴──effect.lost (never started)               │
 *                                 │    └──effect.lost (started)────────────► uncertain
 *                                 └──────────────────retry.due──────────────────────┘
 *
 * A message that may have been sent is never sent again in silence: `uncertain` waits for a
 * person (K6).
 */
import { produce } from 'immer'
import { assign, enqueueActions, setup } from 'xstate'
import { streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { Phrase } from '../protocol/phrases.ts'
import {
  collected,
  type EffectDone,
  type EffectFailed,
  type EffectLost,
  type MessageDeliverParams,
  type SendParams,
} from './effects.ts'
import { type Attempt, isCurrent, nextAttempt, planRetry, retryWait } from './rules/attempt.ts'
import type { RetryPolicy } from './rules/retry.ts'
import type { IdempotencyMark } from './session-events.ts'
import type { Wait } from './waits.ts'

export type DeliveryRequested = {
  type: 'delivery.requested'
  deliveryId: string
  channel: string
  target: string
  ref: string // empty where there is a phrase
  phrase?: Phrase // said instead of a body
  fileIn: string | null // session key: once sent, the message joins that session's history
  idempotency?: IdempotencyMark
  at: number
}

export type DeliveryEvent =
  | DeliveryRequested
  | EffectDone<{ messageId: string | null }>
  | EffectFailed
  | EffectLost
  | { type: 'retry.due'; at: number }

export interface DeliveryContext extends Attempt {
  deliveryId: string
  sessionKey: string | null // where to file it once sent
  channel: string
  target: string
  ref: string
  phrase?: Phrase // absent: what is behind `ref` is said
}

const POLICY: RetryPolicy = {
  attemptsMax: limits.deliveryAttemptsMax,
  backoffMs: limits.deliveryBackoffMs,
  backoffMsMax: limits.deliveryBackoffMsMax,
  factor: 5,
}

const machine = setup({
  types: { context: {} as DeliveryContext, events: {} as DeliveryEvent },
  actions: {
    'request.keep': assign(({ context, event }) =>
      event.type !== 'delivery.requested'
        ? context
        : produce(context, (draft) => {
            draft.deliveryId = event.deliveryId
            draft.sessionKey = event.fileIn
            draft.channel = event.channel
            draft.target = event.target
            draft.ref = event.ref
            draft.attempt = 1
            if (event.phrase !== undefined) draft.phrase = event.phrase
          }),
    ),
    'fault.keep': assign(({ context, event }) =>
      event.type === 'effect.failed'
        ? { ...context, fault: event.class }
        : { ...context, fault: 'lost' },
    ),
    'retry.plan': assign(({ context, event }) =>
      event.type === 'effect.failed' ? planRetry(context, event, POLICY) : context,
    ),
    'attempt.next': assign(({ context }) => nextAttempt(context)),
    'message.file': enqueueActions(({ context: { sessionKey, deliveryId, ref }, enqueue }) => {
      if (sessionKey === null) return
      const event = { type: 'message.filed', sessionKey, deliveryId, ref }
      enqueue({ type: 'stream.send', params: { to: streamId('session', sessionKey), event } })
    }),
    'message.deliver': collected<MessageDeliverParams>,
    'stream.send': collected<SendParams>,
  },
  guards: {
    'attempt.current': ({ context, event }) => isCurrent(context, event, 'message.deliver'),
    'attempt.retryable': ({ context, event }) =>
      event.type === 'effect.failed' &&
      isCurrent(context, event, 'message.deliver') &&
      event.sent === 'no' &&
      event.retryable &&
      context.attempt < POLICY.attemptsMax,
    'attempt.refused': ({ context, event }) =>
      event.type === 'effect.failed' &&
      isCurrent(context, event, 'message.deliver') &&
      event.sent === 'no',
    'attempt.unstarted': ({ context, event }) =>
      event.type === 'effect.lost' &&
      isCurrent(context, event, 'message.deliver') &&
      !event.started,
  },
})

export const deliveryMachine = machine.createMachine({
  id: 'delivery',
  context: {
    deliveryId: '',
    sessionKey: null,
    channel: '',
    target: '',
    ref: '',
    attempt: 0,
    retryAt: 0,
    fault: '',
  },
  initial: 'new',
  states: {
    new: { on: { 'delivery.requested': { target: 'attempting', actions: 'request.keep' } } },
    attempting: {
      entry: {
        type: 'message.deliver',
        params: ({ context: { deliveryId, channel, target, ref, phrase, attempt } }) => ({
          deliveryId,
          channel,
          target,
          ref,
          ...(phrase === undefined ? {} : { phrase }),
          attempt,
        }),
      },
      on: {
        'effect.done': { guard: 'attempt.current', target: 'sent', actions: 'message.file' },
        'effect.failed': [
          { guard: 'attempt.retryable', target: 'waiting', actions: 'retry.plan' },
          { guard: 'attempt.refused', target: 'failed', actions: 'fault.keep' },
          { guard: 'attempt.current', target: 'uncertain', actions: 'fault.keep' },
        ],
        'effect.lost': [
          {
            guard: 'attempt.unstarted',
            target: 'attempting',
            reenter: true,
            actions: 'attempt.next',
          },
          { guard: 'attempt.current', target: 'uncertain', actions: 'fault.keep' },
        ],
      },
    },
    waiting: { on: { 'retry.due': { target: 'attempting', actions: 'attempt.next' } } },
    sent: { type: 'final' },
    failed: { type: 'final' },
    uncertain: {},
  },
})

/** Lists what a delivery waits for: between attempts, the time of the next one. */
export function deliveryWaits(value: unknown, context: DeliveryContext): Wait[] {
  if (value !== 'waiting') return []
  return [retryWait(context)]
}
