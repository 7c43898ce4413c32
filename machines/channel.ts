/**
 * One messaging account: its link, and who may speak through it.
 *
 *   stopped ──channel.enabled──► starting ──effect.done──► online
 *                                 ▲ │ └─effect.failed─► backingOff ◄──link.dropped──┤
 *                                 │ └─effect.failed, link.dropped (for good)► failed◄┘
 *                                 └────────retry.due───────┘      channel.disabled: any ──► stopped
 *
 * `channel.enabled` comes at every boot, from any state: a new process has no link. From `failed`,
 * where dialling again would change nothing, it alone leads on: by a new configuration or a person.
 * Where the platform has a cursor, the newest one is kept with the message that it stands for. A message is
 * judged here, in any state, and sent on to its session; a refused one stays a record that names
 * its rule. Where direct messages are by pairing, an unknown sender is told one code, and an owner
 * lets them in by it (rules/senders.ts). A room that the platform has moved keeps its rules and its
 * conversation (rules/moves.ts).
 */
import { produce } from 'immer'
import { assign, enqueueActions, setup } from 'xstate'
import { limits } from '../protocol/limits.ts'
import type { ChannelEvent, Cursor, Loss, MessageReceived, SenderJudged } from './channel-events.ts'
import {
  type ChannelOpenParams,
  type CodeTellParams,
  collected,
  type SendParams,
} from './effects.ts'
import { forwards, refusal } from './rules/directives.ts'
import { type ChannelPolicy, judge, type Verdict } from './rules/policy.ts'
import { type Attempt, isCurrent, nextAttempt, retryWait } from './rules/attempt.ts'
import { FOLLOWUP } from './rules/queue.ts'
import { addMove, firstNameOf, type Move } from './rules/moves.ts'
import { type RetryPolicy, retryDelayMs } from './rules/retry.ts'
import {
  approveSender,
  askSender,
  findPending,
  forgetCode,
  isHouseFull,
  judgeSender,
  missCode,
  NO_SENDERS,
  rejectSender,
  type Senders,
} from './rules/senders.ts'
import type { Wait } from './waits.ts'

export type {
  ChannelEnabled,
  ChannelEvent,
  Cursor,
  CursorMoved,
  Loss,
  MessageReceived,
  SenderJudged,
} from './channel-events.ts'

export interface ChannelContext extends Attempt {
  channel: string
  policy: ChannelPolicy
  since: number // ms since epoch: when the link last changed
  admitted: number
  refused: number
  rule: string // of the last decision
  senders?: Senders // absent until somebody was told a code
  cursor?: Cursor // absent until the platform has told one
  lost?: Loss // absent: nothing was
  moved?: readonly Move[] // rooms; absent: none has
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
            const { random, retryAfterMs = null } = event
            draft.retryAt = event.at + retryDelayMs(POLICY, attempt, random, retryAfterMs)
          }),
    ),
    'attempt.next': assign(({ context }) => nextAttempt(context)),
    'fault.keep': assign(({ context, event }) => {
      if (event.type !== 'effect.failed' && event.type !== 'link.dropped') return context
      const fault = event.type === 'effect.failed' ? event.class : event.reason
      return { ...context, fault, since: event.at, retryAt: 0 }
    }),
    'cursor.keep': assign(({ context, event }) => {
      if (event.type !== 'message.received' && event.type !== 'cursor.moved') return context
      const { account = '', cursor: value, at } = event
      return value === undefined ? context : { ...context, cursor: { account, value, at } }
    }),
    'move.keep': assign(({ context, event }) =>
      event.type === 'room.moved'
        ? {
            ...context,
            moved: addMove(context.moved ?? [], { from: event.from, room: event.room }),
          }
        : context,
    ),
    'loss.count': assign(({ context, event }) => {
      if (event.type !== 'messages.lost') return context
      return {
        ...context,
        lost: { count: (context.lost?.count ?? 0) + event.count, at: event.at },
      }
    }),
    'verdict.keep': assign(({ context, event }) =>
      event.type !== 'message.received'
        ? context
        : produce(context, (draft) => {
            const { admitted, rule } = judgeMessage(context, event)
            if (admitted) draft.admitted += 1
            else draft.refused += 1
            draft.rule = rule
          }),
    ),
    'code.keep': assign(({ context, event }) => {
      if (event.type !== 'message.received' || event.codeDigest === undefined) return context
      const { senderId, codeDigest: digest, at } = event
      return { ...context, senders: askSender(sendersOf(context), { senderId, digest }, at) }
    }),
    'code.forget': assign(({ context, event }) =>
      'attempt' in event
        ? { ...context, senders: forgetCode(sendersOf(context), event.attempt) }
        : context,
    ),
    'code.miss': assign(({ context, event }) => ({
      ...context,
      senders: missCode(sendersOf(context), event.at),
    })),
    'sender.approve': assign(({ context, event }) =>
      event.type === 'sender.approved'
        ? { ...context, senders: approveSender(sendersOf(context), event.senderId) }
        : context,
    ),
    'sender.reject': assign(({ context, event }) =>
      event.type === 'sender.rejected'
        ? { ...context, senders: rejectSender(sendersOf(context), event.senderId, event.at) }
        : context,
    ),
    'message.forward': enqueueActions(({ context: { policy }, event, enqueue }) => {
      if (event.type !== 'message.received') return
      for (const params of forwards(policy, event)) enqueue({ type: 'stream.send', params })
    }),
    'sender.tell': enqueueActions(({ event, enqueue }) => {
      if (event.type !== 'message.received') return
      enqueue({ type: 'stream.send', params: refusal(event) })
    }),
    'channel.open': collected<ChannelOpenParams>,
    'code.tell': collected<CodeTellParams>,
    'channel.close': collected<{ channel: string }>,
    'stream.send': collected<SendParams>,
  },
  guards: {
    'attempt.current': ({ context, event }) => isCurrent(context, event, 'channel.open'),
    // Dialling again would end the same way.
    'attempt.hopeless': ({ context, event }) =>
      event.type === 'effect.failed' &&
      !event.retryable &&
      isCurrent(context, event, 'channel.open'),
    'link.ended': ({ event }) => event.type === 'link.dropped' && event.final === true,
    'message.admitted': ({ context, event }) =>
      event.type === 'message.received' && judgeMessage(context, event).admitted,
    // An old record names no rule of its queue, and told nobody.
    'session.full': ({ context, event }) =>
      event.type === 'message.received' &&
      event.queue !== undefined &&
      judgeMessage(context, event).rule === 'session.full',
    'code.due': ({ context, event }) =>
      event.type === 'message.received' && judgeMessage(context, event).rule === 'dm.pairing.code',
    // Where it may have been told, another code would make the first one worthless.
    'code.untold': ({ event }) =>
      'name' in event &&
      event.name === 'code.tell' &&
      ((event.type === 'effect.failed' && event.sent === 'no') ||
        (event.type === 'effect.lost' && !event.started)),
    'sender.pending': ({ context, event }) =>
      event.type === 'sender.approved' && isPending(context, event) && !isFullHouse(context),
    'sender.rejectable': ({ context, event }) =>
      event.type === 'sender.rejected' && (isPending(context, event) || isApproved(context, event)),
  },
})

function sendersOf({ senders }: ChannelContext): Senders {
  return senders ?? NO_SENDERS
}

function isPending(context: ChannelContext, { digest, senderId, at }: SenderJudged): boolean {
  return findPending(sendersOf(context), digest, at)?.senderId === senderId
}

function isApproved(context: ChannelContext, { digest, senderId }: SenderJudged): boolean {
  return digest === '' && sendersOf(context).approved.includes(senderId)
}

function isFullHouse(context: ChannelContext): boolean {
  return isHouseFull(sendersOf(context))
}

// The cap of a session's queue is judged before anything is taken in (decisions.md 25).
function judgeMessage(context: ChannelContext, event: MessageReceived): Verdict {
  const verdict = judgePerson(context, event)
  const { cap, drop } = event.queue ?? FOLLOWUP
  const isFull = event.pending > cap && drop === 'new' && event.directive === undefined
  if (!verdict.admitted || !isFull) return verdict
  return { admitted: false, rule: 'session.full' }
}

/** What a channel's verdict on who writes needs of a message. */
export type Written = Pick<
  MessageReceived,
  'peer' | 'senderId' | 'roomId' | 'spaceId' | 'mentioned' | 'codeDigest' | 'at'
>

/** Judges who writes: by the policy, and where that leaves it to pairing, by what is known. */
export function judgePerson(
  context: Pick<ChannelContext, 'policy' | 'senders' | 'moved'>,
  written: Written,
): Verdict {
  const roomId = ruledName(context, written.roomId)
  const verdict = judge(context.policy, { ...written, roomId })
  if (verdict.rule !== 'dm.pairing') return verdict
  const { senderId, codeDigest, at } = written
  return judgeSender(context.senders ?? NO_SENDERS, senderId, codeDigest, at)
}

// The rules of a room that has moved are those of its new id, where there are any.
function ruledName(
  { policy: { rooms }, moved }: Pick<ChannelContext, 'policy' | 'moved'>,
  roomId: string,
): string {
  return Object.hasOwn(rooms, roomId) ? roomId : firstNameOf(moved, roomId)
}

const DROPPED = [
  { guard: 'link.ended', target: 'failed', actions: 'fault.keep' },
  { target: 'backingOff', actions: 'retry.plan' },
] as const

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
      { guard: 'message.admitted', actions: ['verdict.keep', 'cursor.keep', 'message.forward'] },
      {
        guard: 'code.due',
        actions: [
          'verdict.keep',
          'cursor.keep',
          'code.keep',
          { type: 'code.tell', params: ({ context, event }) => codeOf(context, event) },
        ],
      },
      { guard: 'session.full', actions: ['verdict.keep', 'cursor.keep', 'sender.tell'] },
      { actions: ['verdict.keep', 'cursor.keep'] },
    ],
    'cursor.moved': { actions: 'cursor.keep' },
    'messages.lost': { actions: 'loss.count' },
    'room.moved': { actions: 'move.keep' },
    'effect.failed': { guard: 'code.untold', actions: 'code.forget' },
    'effect.lost': { guard: 'code.untold', actions: 'code.forget' },
    'code.missed': { actions: 'code.miss' },
    'sender.approved': { guard: 'sender.pending', actions: 'sender.approve' },
    'sender.rejected': { guard: 'sender.rejectable', actions: 'sender.reject' },
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
        'effect.failed': [
          { guard: 'attempt.hopeless', target: 'failed', actions: 'fault.keep' },
          { guard: 'attempt.current', target: 'backingOff', actions: 'retry.plan' },
        ],
        'link.dropped': DROPPED,
      },
    },
    online: { on: { 'link.dropped': DROPPED } },
    failed: {},
    backingOff: { on: { 'retry.due': { target: 'starting', actions: 'attempt.next' } } },
  },
})

function codeOf(context: ChannelContext, event: MessageReceived): CodeTellParams {
  const { channel, target, codeDigest: digest = '' } = event
  return { channel, target, digest, attempt: sendersOf(context).codes }
}

/** Lists what a channel waits for: while backing off, the time of the next dial. */
export function channelWaits(value: unknown, context: ChannelContext): Wait[] {
  if (value !== 'backingOff') return []
  return [retryWait(context)]
}
