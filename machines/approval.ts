/**
 * One approval: a command that waits for a person, until it is decided.
 *
 *   new ──exec.requested──► requested ──exec.allowed────► allowed (once or always)
 *                              ├──────exec.denied─────► denied
 *                              ├──────exec.answered───► allowed or denied, from a channel
 *                              ├──────exec.expired────► expired (its time is over, or nobody can be asked)
 *                              └──────exec.cancelled──► cancelled
 *
 * Where a call of a tool waits for it, that call is told its end, and what is allowed always becomes a
 * grant that stands (grant.ts). Whoever answers in a channel is told
 * what came of it, also behind the end: that it was decided before, or that its time was over.
 *
 * What is approved is that command and no other: its text, arguments, place and environment are one
 * body, and the ref here is its salted digest. The deadline is a wait, so it outlives restarts.
 */
import { assign, enqueueActions, setup } from 'xstate'
import { streamId } from '../protocol/ids.ts'
import type { Decision } from '../protocol/methods/approvals.ts'
import { collected, type SendParams } from './effects.ts'
import type { Granted } from './grant.ts'
import { say } from './rules/session-sends.ts'
import type { Reply } from './session-events.ts'
import type { Wait } from './waits.ts'

export type ExecRequested = {
  type: 'exec.requested'
  approvalId: string
  ref: string // of the whole request, as canonical JSON
  textRef: string // of the command as people read it
  deviceId: string // that asks
  sessionKey: string // '' where it is of none
  mayAlways: boolean // whether it can be allowed from now on
  expiresAt: number // ms since epoch
  callId?: string // of the tool's call that waits; absent: a client asks
  grant?: Granted // what `always` grants; absent: nothing that is kept here
  at: number
}

/** What somebody says of it in a channel, who is told what came of that. */
export type ExecAnswered = {
  type: 'exec.answered'
  decision: Decision
  by: string // stable id of the sender
  channel: string
  reply: Reply
  at: number
}

export type ApprovalEvent =
  | ExecRequested
  | ExecAnswered
  | { type: 'exec.allowed'; always: boolean; by: string; at: number }
  | { type: 'exec.denied'; by: string; at: number }
  | { type: 'exec.expired'; reason: 'time' | 'no-route'; at: number }
  | { type: 'exec.cancelled'; deviceId: string; at: number }

export interface ApprovalContext {
  approvalId: string
  ref: string
  textRef: string
  deviceId: string
  sessionKey: string
  mayAlways: boolean
  requestedAt: number // ms since epoch
  expiresAt: number
  always: boolean // how it was allowed
  by: string // who decided; '' where nobody did
  channel?: string // where `by` is a sender; absent: a device, or nobody
  endedAt: number // 0 while it waits
  callId?: string // absent where a client asks
  grant?: Granted // absent: `always` grants nothing that is kept here
}

const machine = setup({
  types: { context: {} as ApprovalContext, events: {} as ApprovalEvent },
  actions: {
    'request.keep': assign(({ context, event }) => {
      if (event.type !== 'exec.requested') return context
      const { approvalId, ref, textRef, deviceId, sessionKey, mayAlways, expiresAt, at } = event
      const facts = { approvalId, ref, textRef, deviceId, sessionKey, mayAlways, expiresAt }
      const call = event.callId === undefined ? {} : { callId: event.callId }
      const grant = event.grant === undefined ? {} : { grant: event.grant }
      return { ...context, ...facts, requestedAt: at, ...call, ...grant }
    }),
    'decision.keep': assign(({ context, event }) => ({
      ...context,
      always: isAlways(event),
      by: 'by' in event ? event.by : '',
      endedAt: event.at,
      ...channelFact(event),
    })),
    'call.tell': enqueueActions(({ context, event, enqueue }) => {
      const { callId, approvalId } = context
      if (callId === undefined) return
      const by = 'by' in event ? event.by : ''
      const ended = { type: 'approval.ended', approvalId, decision: endOf(event), by }
      const told = { ...ended, ...channelFact(event) }
      enqueue({ type: 'stream.send', params: { to: streamId('call', callId), event: told } })
    }),
    'grant.give': enqueueActions(({ context, event, enqueue }) => {
      const { grant, approvalId, sessionKey, ref, textRef } = context
      if (grant === undefined || !isAlways(event)) return
      const by = 'by' in event ? event.by : ''
      const facts = { approvalId, sessionKey, ref, textRef, by, ...channelFact(event) }
      const given = { type: 'grant.given', ...grant, ...facts }
      enqueue({
        type: 'stream.send',
        params: { to: streamId('grant', grant.grantId), event: given },
      })
    }),
    'stream.send': collected<SendParams>,
  },
  guards: {
    'always.isOffered': ({ context, event }) =>
      event.type === 'exec.allowed' && (context.mayAlways || !event.always),
    // Its deadline has passed, and is about to be told.
    'answer.late': ({ context, event }) =>
      event.type === 'exec.answered' && event.at >= context.expiresAt,
    'answer.unoffered': ({ context, event }) =>
      event.type === 'exec.answered' && isAlways(event) && !context.mayAlways,
    'answer.always': ({ event }) => event.type === 'exec.answered' && isAlways(event),
    'answer.denies': ({ event }) => event.type === 'exec.answered' && event.decision === 'deny',
    'device.isIts': ({ context, event }) =>
      event.type === 'exec.cancelled' && event.deviceId === context.deviceId,
  },
})

function isAlways(event: ApprovalEvent): boolean {
  if (event.type === 'exec.answered') return event.decision === 'allow-always'
  return event.type === 'exec.allowed' && event.always
}

function endOf(event: ApprovalEvent): string {
  if (event.type !== 'exec.answered') return event.type.slice('exec.'.length)
  return event.decision === 'deny' ? 'denied' : 'allowed'
}

function channelFact(event: ApprovalEvent): { channel?: string } {
  return event.type === 'exec.answered' ? { channel: event.channel } : {}
}

interface Answering {
  readonly context: ApprovalContext
  readonly event: ExecAnswered
}

interface Telling {
  type: 'stream.send'
  params: (now: Answering) => SendParams
}

// Tells who answered what came of it.
function telling(id: string): Telling {
  return {
    type: 'stream.send',
    params: ({ context, event }) =>
      say(event.reply, { id, facts: { id: context.approvalId } }, event.at),
  }
}

// An end that stands: what comes behind it changes nothing.
function ended(id: string): { type: 'final'; on: { 'exec.answered': { actions: Telling } } } {
  return { type: 'final', on: { 'exec.answered': { actions: telling(id) } } }
}

const ENDED = ['decision.keep', 'grant.give', 'call.tell'] as const

export const approvalMachine = machine.createMachine({
  id: 'approval',
  context: {
    approvalId: '',
    ref: '',
    textRef: '',
    deviceId: '',
    sessionKey: '',
    mayAlways: false,
    requestedAt: 0,
    expiresAt: 0,
    always: false,
    by: '',
    endedAt: 0,
  },
  initial: 'new',
  states: {
    new: { on: { 'exec.requested': { target: 'requested', actions: 'request.keep' } } },
    requested: {
      on: {
        'exec.allowed': { guard: 'always.isOffered', target: 'allowed', actions: [...ENDED] },
        'exec.denied': { target: 'denied', actions: [...ENDED] },
        'exec.answered': [
          { guard: 'answer.late', actions: telling('approval.expired') },
          { guard: 'answer.unoffered', actions: telling('approval.onceOnly') },
          {
            guard: 'answer.denies',
            target: 'denied',
            actions: [...ENDED, telling('approval.denied')],
          },
          {
            guard: 'answer.always',
            target: 'allowed',
            actions: [...ENDED, telling('approval.always')],
          },
          { target: 'allowed', actions: [...ENDED, telling('approval.allowed')] },
        ],
        'exec.expired': { target: 'expired', actions: [...ENDED] },
        'exec.cancelled': { guard: 'device.isIts', target: 'cancelled', actions: [...ENDED] },
      },
    },
    allowed: ended('approval.wasAllowed'),
    denied: ended('approval.wasDenied'),
    expired: ended('approval.expired'),
    cancelled: ended('approval.withdrawn'),
  },
})

/** The states in which an approval has ended. */
export const APPROVAL_ENDS = ['allowed', 'denied', 'expired', 'cancelled'] as const

/** How far an approval is. */
export type ApprovalState = 'requested' | (typeof APPROVAL_ENDS)[number]

/** Lists what an approval waits for: until it is decided, its deadline. */
export function approvalWaits(value: unknown, { expiresAt }: ApprovalContext): Wait[] {
  if (value !== 'requested') return []
  return [{ id: 'expiry', dueAt: expiresAt, event: { type: 'exec.expired', reason: 'time' } }]
}
