/**
 * One delivery: a message on its way out to a platform, until its fate is known.
 *
 *   new ──delivery.requested──► attempting ──effect.done──────────────────► sent
 *                                 ▲  ▲ │ ├──effect.failed (no, retryable)─► waiting ─┐
 *                                 │  │ │ ├──effect.failed (no)────────────► dead     │
 *                                 │  │ │ └──effect.failed (maybe)──────────► uncertain
 *                                 │  └─┴──effect.lost (never started)               │
 *                                 │    └──effect.lost (started)────────────► uncertain
 *                                 └──────────────────retry.due──────────────────────┘
 *
 * A message that may have been sent is never sent again in silence: `uncertain` waits for a
 * person (K6), who says whether it was sent, sends it again or lets it go; so does a `dead` one, that
 * could not be sent, or not in time. In journals of before such a one has `failed`, for good.
 *
 * An attempt counts where somebody was there to refuse it. Where nobody was, or where it never began,
 * the time ends the attempts, not their number; and `retry.due` comes early when the link is back.
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
  expiresAt?: number // ms since epoch: after it nothing is sent; absent: in journals of before
  passing?: true // worth nothing once it has expired: then it is no dead letter; absent: it is one
  resubmits?: string // the delivery that a person sends again by this one
  idempotency?: IdempotencyMark
  at: number
}

/** What a person says of a delivery that waits for them. */
export type DeliveryJudged =
  | { type: 'delivery.resolved'; sent: boolean; by: string; at: number }
  | { type: 'delivery.resubmitted'; expiresAt: number; by: string; at: number }
  | { type: 'delivery.dismissed'; by: string; at: number }

export type DeliveryEvent =
  | DeliveryRequested
  | EffectDone<{ messageId: string | null }>
  | EffectFailed
  | EffectLost
  | { type: 'retry.due'; at: number }
  | DeliveryJudged

export interface DeliveryContext extends Attempt {
  deliveryId: string
  sessionKey: string | null // where to file it once sent
  channel: string
  target: string
  ref: string
  phrase?: Phrase // absent: what is behind `ref` is said
  expiresAt?: number
  passing?: true // absent: it stays worth something
  before?: number // attempts made before a person sent it again; absent: none
  spared?: number // attempts of all that count for nothing; absent: none
  paced?: boolean // the other side has set the time of the next attempt; absent: no
}

const POLICY: RetryPolicy = {
  attemptsMax: limits.deliveryAttemptsMax,
  backoffMs: limits.deliveryBackoffMs,
  backoffMsMax: limits.deliveryBackoffMsMax,
  factor: 5,
}

// Somebody who was away may be back at any time.
const AWAY: RetryPolicy = { ...POLICY, backoffMsMax: limits.channelBackoffMsMax }

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
            if (event.expiresAt !== undefined) draft.expiresAt = event.expiresAt
            if (event.passing === true) draft.passing = true
          }),
    ),
    'fault.keep': assign(({ context, event }) =>
      event.type === 'effect.failed'
        ? { ...context, fault: event.class }
        : { ...context, fault: 'lost' },
    ),
    'retry.plan': assign(({ context, event }) =>
      event.type === 'effect.failed' ? planAgain(context, event) : context,
    ),
    'attempt.anew': assign(({ context, event }) =>
      event.type === 'delivery.resubmitted'
        ? {
            ...nextAttempt(context),
            before: context.attempt,
            ...(context.spared === undefined ? {} : { spared: 0 }),
            expiresAt: event.expiresAt,
            fault: '',
          }
        : context,
    ),
    'attempt.next': assign(({ context }) => nextAttempt(context)),
    'attempt.spare': assign(({ context }) => spare(context)),
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
      (isAway(context, event) || tried(context) < POLICY.attemptsMax),
    // A journal of before knows no dead letters: there it has failed. Nor is what the gateway itself
    // says worth a person's time later, or what nobody can answer any more.
    'attempt.dead': ({ context, event }) =>
      event.type === 'effect.failed' &&
      isCurrent(context, event, 'message.deliver') &&
      event.sent === 'no' &&
      context.expiresAt !== undefined &&
      context.phrase === undefined &&
      context.passing !== true,
    'resolved.sent': ({ event }) => event.type === 'delivery.resolved' && event.sent,
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

// Without an expiry, in journals of before, only the number of attempts ends them.
function isAway({ expiresAt }: DeliveryContext, { unreached }: EffectFailed): boolean {
  return unreached === true && expiresAt !== undefined
}

function tried({ attempt, before = 0, spared = 0 }: DeliveryContext): number {
  return attempt - before - spared
}

function spare(context: DeliveryContext): DeliveryContext {
  if (context.expiresAt === undefined) return context
  return { ...context, spared: (context.spared ?? 0) + 1 }
}

function planAgain(context: DeliveryContext, event: EffectFailed): DeliveryContext {
  const away = isAway(context, event)
  const next = away ? spare(context) : context
  const attempt = away ? (next.spared ?? 1) : tried(context)
  const { retryAt, fault } = planRetry({ ...context, attempt }, event, away ? AWAY : POLICY)
  const paced = event.retryAfterMs !== null
  return { ...next, retryAt, fault, ...(paced || next.paced === true ? { paced } : {}) }
}

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
        params: ({
          context: { deliveryId, channel, target, ref, phrase, expiresAt, attempt },
        }) => ({
          deliveryId,
          channel,
          target,
          ref,
          ...(phrase === undefined ? {} : { phrase }),
          ...(expiresAt === undefined ? {} : { expiresAt }),
          attempt,
        }),
      },
      on: {
        'effect.done': { guard: 'attempt.current', target: 'sent', actions: 'message.file' },
        'effect.failed': [
          { guard: 'attempt.retryable', target: 'waiting', actions: 'retry.plan' },
          { guard: 'attempt.dead', target: 'dead', actions: 'fault.keep' },
          { guard: 'attempt.refused', target: 'failed', actions: 'fault.keep' },
          { guard: 'attempt.current', target: 'uncertain', actions: 'fault.keep' },
        ],
        'effect.lost': [
          {
            guard: 'attempt.unstarted',
            target: 'attempting',
            reenter: true,
            actions: ['attempt.spare', 'attempt.next'],
          },
          { guard: 'attempt.current', target: 'uncertain', actions: 'fault.keep' },
        ],
      },
    },
    waiting: { on: { 'retry.due': { target: 'attempting', actions: 'attempt.next' } } },
    sent: { type: 'final' },
    failed: { type: 'final' },
    uncertain: {
      on: {
        'delivery.resolved': [
          { guard: 'resolved.sent', target: 'sent', actions: 'message.file' },
          { target: 'dead' },
        ],
        'delivery.resubmitted': { target: 'attempting', actions: 'attempt.anew' },
        'delivery.dismissed': 'dismissed',
      },
    },
    dead: {
      on: {
        'delivery.resubmitted': { target: 'attempting', actions: 'attempt.anew' },
        'delivery.dismissed': 'dismissed',
      },
    },
    dismissed: { type: 'final' },
  },
})

/** Lists what a delivery waits for: between attempts, the time of the next one. */
export function deliveryWaits(value: unknown, context: DeliveryContext): Wait[] {
  if (value !== 'waiting') return []
  return [retryWait(context)]
}
