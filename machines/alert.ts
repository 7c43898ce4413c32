/**
 * Alerts to the owner: which troubles there are, which were told, and what is on its way.
 *
 *   idle ──trouble.noticed, trouble.ended──► posting ──effect.done, given up──► idle, or the next
 *                                             ▲   └─effect.failed─► backingOff
 *                                             └──────retry.due──────────┘
 *
 * A trouble is told once in its cooldown; when the last one that was told has ended, one summary
 * says so. To a channel it goes as a delivery of its own, with that one's retries; a webhook is
 * posted from here. Texts are behind refs.
 */
import { produce } from 'immer'
import { assign, enqueueActions, setup } from 'xstate'
import { streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import {
  type AlertPostParams,
  collected,
  type EffectDone,
  type EffectFailed,
  type EffectLost,
  type SendParams,
} from './effects.ts'
import { type Attempt, isCurrent, nextAttempt, planRetry, retryWait } from './rules/attempt.ts'
import type { RetryPolicy } from './rules/retry.ts'
import type { Wait } from './waits.ts'

/** Where alerts go, as it was configured when one was told. */
export interface AlertRoute {
  webhook: boolean
  channel: string | null
  target: string | null
  cooldownMs: number
}

type Told = {
  key: string // disk, channel:irc, quarantined:session:…
  alertId: string
  ref: string // body of the text; empty where an end is not to be told
  route: AlertRoute
  at: number
}

export type TroubleNoticed = { type: 'trouble.noticed' } & Told
export type TroubleEnded = { type: 'trouble.ended' } & Told

export type AlertEvent =
  | TroubleNoticed
  | TroubleEnded
  | EffectDone
  | EffectFailed
  | EffectLost
  | { type: 'retry.due'; at: number }

/** A trouble that is on. */
export interface OpenTrouble {
  since: number // ms since epoch
  told: boolean
}

export interface AlertContext extends Attempt {
  open: Record<string, OpenTrouble> // by key
  toldAt: Record<string, number> // by key, those of the last cooldown
  ended: string[] // told and over, until the summary
  waiting: { alertId: string; ref: string }[] // for the webhook, the first in hand
  posted: number
  failed: number
  suppressed: number // not told: too soon after the last time, or too many wait
}

const POLICY: RetryPolicy = {
  attemptsMax: limits.alertAttemptsMax,
  backoffMs: limits.alertBackoffMs,
  backoffMsMax: limits.alertBackoffMsMax,
  factor: 5,
}

/** Tells whether an event is to be told: a trouble after its cooldown, or the end of the last one. */
function isToTell(context: AlertContext, event: AlertEvent): boolean {
  if (event.type === 'trouble.noticed') return !isCool(context, event)
  return event.type === 'trouble.ended' && event.ref !== '' && isLastTold(context, event.key)
}

/** Tells whether a trouble, when it ends, is the last of those that were told. */
export function isLastTold({ open, ended }: AlertContext, key: string): boolean {
  const wasTold = open[key]?.told === true || ended.length > 0
  return wasTold && !Object.entries(open).some(([other, { told }]) => told && other !== key)
}

function isCool({ toldAt }: AlertContext, { key, at, route }: TroubleNoticed): boolean {
  const last = toldAt[key]
  return last !== undefined && at - last < route.cooldownMs
}

function keep(context: AlertContext, event: TroubleNoticed | TroubleEnded): AlertContext {
  const tells = isToTell(context, event)
  return produce(context, (draft) => {
    if (event.type === 'trouble.noticed') {
      draft.open[event.key] = { since: event.at, told: tells }
      draft.toldAt = Object.fromEntries(
        Object.entries(context.toldAt).filter(([, at]) => event.at - at < event.route.cooldownMs),
      )
      if (tells) draft.toldAt[event.key] = event.at
      else draft.suppressed += 1
    } else {
      delete draft.open[event.key]
      const wasTold = context.open[event.key]?.told === true
      draft.ended = tells ? [] : [...context.ended, ...(wasTold ? [event.key] : [])]
    }
    if (!tells || !event.route.webhook) return
    if (draft.waiting.length >= limits.alertsWaitingMax) draft.suppressed += 1
    else draft.waiting.push({ alertId: event.alertId, ref: event.ref })
    if (draft.waiting.length === 1) draft.attempt = 1
  })
}

const machine = setup({
  types: { context: {} as AlertContext, events: {} as AlertEvent },
  actions: {
    'trouble.keep': assign(({ context, event }) =>
      event.type === 'trouble.noticed' || event.type === 'trouble.ended'
        ? keep(context, event)
        : context,
    ),
    'alert.forward': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'trouble.noticed' && event.type !== 'trouble.ended') return
      const { route, alertId, ref } = event
      const { channel, target } = route
      if (channel === null || target === null || !isToTell(context, event)) return
      const requested = { deliveryId: alertId, channel, target, ref, fileIn: null }
      const to = streamId('delivery', alertId)
      const delivery = { type: 'delivery.requested', ...requested }
      enqueue({ type: 'stream.send', params: { to, event: delivery } })
    }),
    'alert.done': assign(({ context, event }) => ({
      ...context,
      waiting: context.waiting.slice(1),
      attempt: 1,
      retryAt: 0,
      posted: context.posted + (event.type === 'effect.done' ? 1 : 0),
      failed: context.failed + (event.type === 'effect.done' ? 0 : 1),
      fault: event.type === 'effect.failed' ? event.class : '',
    })),
    'retry.plan': assign(({ context, event }) =>
      event.type === 'effect.failed' ? planRetry(context, event, POLICY) : context,
    ),
    'attempt.next': assign(({ context }) => nextAttempt(context)),
    'alert.post': collected<AlertPostParams>,
    'stream.send': collected<SendParams>,
  },
  guards: {
    'alert.posts': ({ context, event }) =>
      (event.type === 'trouble.noticed' || event.type === 'trouble.ended') &&
      event.route.webhook &&
      isToTell(context, event),
    'attempt.current': ({ context, event }) => isCurrent(context, event, 'alert.post'),
    'attempt.last': ({ context, event }) =>
      isCurrent(context, event, 'alert.post') && context.waiting.length === 1,
    'attempt.retryable': ({ context, event }) =>
      event.type === 'effect.failed' &&
      isCurrent(context, event, 'alert.post') &&
      event.retryable &&
      context.attempt < POLICY.attemptsMax,
    'attempt.unstarted': ({ context, event }) =>
      event.type === 'effect.lost' && isCurrent(context, event, 'alert.post') && !event.started,
  },
})

const noted = ['alert.forward', 'trouble.keep'] as const
const begun = [
  { guard: 'alert.posts', target: 'posting', actions: noted },
  { actions: noted },
] as const
const over = [
  { guard: 'attempt.last', target: 'idle', actions: 'alert.done' },
  { guard: 'attempt.current', target: 'posting', reenter: true, actions: 'alert.done' },
] as const

export const alertMachine = machine.createMachine({
  id: 'alert',
  context: {
    open: {},
    toldAt: {},
    ended: [],
    waiting: [],
    attempt: 0,
    retryAt: 0,
    fault: '',
    posted: 0,
    failed: 0,
    suppressed: 0,
  },
  initial: 'idle',
  states: {
    idle: { on: { 'trouble.noticed': begun, 'trouble.ended': begun } },
    posting: {
      entry: {
        type: 'alert.post',
        params: ({ context: { waiting, attempt } }) => ({
          alertId: waiting[0]?.alertId ?? '',
          ref: waiting[0]?.ref ?? '',
          attempt,
        }),
      },
      on: {
        'trouble.noticed': { actions: noted },
        'trouble.ended': { actions: noted },
        'effect.done': over,
        'effect.failed': [
          { guard: 'attempt.retryable', target: 'backingOff', actions: 'retry.plan' },
          ...over,
        ],
        // One that may have been posted is not posted again; the boot tells of the crash anyway.
        'effect.lost': [
          { guard: 'attempt.unstarted', target: 'posting', reenter: true, actions: 'attempt.next' },
          ...over,
        ],
      },
    },
    backingOff: {
      on: {
        'trouble.noticed': { actions: noted },
        'trouble.ended': { actions: noted },
        'retry.due': { target: 'posting', actions: 'attempt.next' },
      },
    },
  },
})

/** Lists what alerts wait for: while backing off, the time of the next attempt. */
export function alertWaits(value: unknown, context: AlertContext): Wait[] {
  return value === 'backingOff' ? [retryWait(context)] : []
}
