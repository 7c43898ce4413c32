/**
 * One messaging account: its link, and who may speak through it.
 *
 *   stopped ──channel.enabled──► starting ──effect.done──► online
 *                                 ▲   └─effect.failed─► backingOff ◄──link.dropped──┘
 *                                 │                        │
 *                                 └────────retry.due───────┘      channel.disabled: any ──► stopped
 *
 * `channel.enabled` comes at every boot, from any state: a new process has no link. A message is
 * judged here, in any state, and sent on to its session; a refused one stays a record that names
 * its rule.
 */
import { produce } from 'immer'
import { assign, enqueueActions, setup } from 'xstate'
import { streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { PeerKind } from '../protocol/message.ts'
import {
  type ChannelOpenParams,
  collected,
  type EffectDone,
  type EffectFailed,
  type EffectLost,
  type SendParams,
} from './effects.ts'
import { type ChannelPolicy, judge, type Verdict } from './rules/policy.ts'
import { type Attempt, isCurrent, nextAttempt, retryWait } from './rules/attempt.ts'
import { type RetryPolicy, retryDelayMs } from './rules/retry.ts'
import type { Wait } from './waits.ts'

export type ChannelEnabled = {
  type: 'channel.enabled'
  channel: string
  policy: ChannelPolicy
  at: number
}

/** An inbound message as facts; its text is behind `ref`. */
export type MessageReceived = {
  type: 'message.received'
  channel: string
  messageId: string
  peer: PeerKind
  senderId: string
  roomId: string
  target: string // where an answer goes
  mentioned: boolean
  ref: string
  bytes: number
  sessionKey: string
  pending: number // messages of that session that wait or run, as the door saw it
  runId: string
  model: string
  thinking: string
  messagesMax: number
  at: number
}

export type ChannelEvent =
  | ChannelEnabled
  | { type: 'channel.disabled'; at: number }
  | MessageReceived
  | EffectDone
  | EffectFailed
  | EffectLost
  | { type: 'link.dropped'; reason: string; random: number; at: number }
  | { type: 'retry.due'; at: number }

export interface ChannelContext extends Attempt {
  channel: string
  policy: ChannelPolicy
  since: number // ms since epoch: when the link last changed
  admitted: number
  refused: number
  rule: string // of the last decision
}

// No last attempt: a home line comes back some day.
const POLICY: RetryPolicy = {
  attemptsMax: Number.POSITIVE_INFINITY,
  backoffMs: limits.channelBackoffMs,
  backoffMsMax: limits.channelBackoffMsMax,
  factor: 2,
}

const CLOSED: ChannelPolicy = {
  dmPolicy: 'disabled',
  allowFrom: [],
  groupPolicy: 'disabled',
  rooms: {},
}

const machine = setup({
  types: { context: {} as ChannelContext, events: {} as ChannelEvent },
  actions: {
    'config.keep': assign(({ context, event }) =>
      event.type !== 'channel.enabled'
        ? context
        : produce(context, (draft) => {
            draft.channel = event.channel
            draft.policy = event.policy as typeof draft.policy
            draft.attempt = 1
            draft.since = event.at
          }),
    ),
    'link.up': assign(({ context, event }) => ({
      ...context,
      attempt: 0,
      retryAt: 0,
      since: event.at,
      fault: '',
    })),
    'retry.plan': assign(({ context, event }) =>
      event.type !== 'effect.failed' && event.type !== 'link.dropped'
        ? context
        : produce(context, (draft) => {
            const attempt = Math.max(1, context.attempt)
            draft.fault = event.type === 'effect.failed' ? event.class : event.reason
            draft.since = event.at
            draft.attempt = attempt
            draft.retryAt = event.at + retryDelayMs(POLICY, attempt, event.random, null)
          }),
    ),
    'attempt.next': assign(({ context }) => nextAttempt(context)),
    'verdict.keep': assign(({ context, event }) =>
      event.type !== 'message.received'
        ? context
        : produce(context, (draft) => {
            const { admitted, rule } = judgeMessage(context.policy, event)
            if (admitted) draft.admitted += 1
            else draft.refused += 1
            draft.rule = rule
          }),
    ),
    'message.forward': enqueueActions(({ event, enqueue }) => {
      if (event.type !== 'message.received') return
      const { channel, sessionKey, messageId, runId, ref, model, thinking, messagesMax } = event
      const accepted = {
        type: 'message.accepted',
        sessionKey,
        messageId,
        runId,
        ref,
        channel,
        peer: event.peer === 'direct' ? event.senderId : event.roomId,
        sender: event.senderId,
        route: { channel, target: event.target },
        model,
        thinking,
        messagesMax,
      }
      enqueue({
        type: 'stream.send',
        params: { to: streamId('session', sessionKey), event: accepted },
      })
    }),
    'channel.open': collected<ChannelOpenParams>,
    'channel.close': collected<{ channel: string }>,
    'stream.send': collected<SendParams>,
  },
  guards: {
    'attempt.current': ({ context, event }) => isCurrent(context, event, 'channel.open'),
    'message.admitted': ({ context, event }) =>
      event.type === 'message.received' && judgeMessage(context.policy, event).admitted,
  },
})

// The cap of a session's queue is judged before anything is taken in (decisions.md 25).
function judgeMessage(policy: ChannelPolicy, event: MessageReceived): Verdict {
  const verdict = judge(policy, event)
  if (!verdict.admitted || event.pending <= limits.sessionQueueMax) return verdict
  return { admitted: false, rule: 'session.full' }
}

export const channelMachine = machine.createMachine({
  id: 'channel',
  context: {
    channel: '',
    policy: CLOSED,
    attempt: 0,
    retryAt: 0,
    since: 0,
    fault: '',
    admitted: 0,
    refused: 0,
    rule: '',
  },
  initial: 'stopped',
  on: {
    'channel.enabled': { target: '.starting', actions: 'config.keep' },
    'channel.disabled': {
      target: '.stopped',
      actions: { type: 'channel.close', params: ({ context }) => ({ channel: context.channel }) },
    },
    'message.received': [
      { guard: 'message.admitted', actions: ['verdict.keep', 'message.forward'] },
      { actions: 'verdict.keep' },
    ],
  },
  states: {
    stopped: {},
    starting: {
      entry: {
        type: 'channel.open',
        params: ({ context }) => ({ channel: context.channel, attempt: context.attempt }),
      },
      on: {
        'effect.done': { guard: 'attempt.current', target: 'online', actions: 'link.up' },
        'effect.failed': { guard: 'attempt.current', target: 'backingOff', actions: 'retry.plan' },
        'link.dropped': { target: 'backingOff', actions: 'retry.plan' },
      },
    },
    online: { on: { 'link.dropped': { target: 'backingOff', actions: 'retry.plan' } } },
    backingOff: { on: { 'retry.due': { target: 'starting', actions: 'attempt.next' } } },
  },
})

/** Lists what a channel waits for: while backing off, the time of the next dial. */
export function channelWaits(value: unknown, context: ChannelContext): Wait[] {
  if (value !== 'backingOff') return []
  return [retryWait(context)]
}
