/**
 * One approval: a command that waits for a person, until it is decided.
 *
 *   new ──exec.requested──► requested ──exec.allowed────► allowed (once or always)
 *                              ├──────exec.denied─────► denied
 *                              ├──────exec.expired────► expired (its time is over, or nobody can be asked)
 *                              └──────exec.cancelled──► cancelled
 *
 * Where a call of a tool waits for it, that call is told its end.
 *
 * What is approved is that command and no other: its text, arguments, place and environment are one
 * body, and the ref here is its salted digest. The deadline is a wait, so it outlives restarts.
 */
import { assign, enqueueActions, setup } from 'xstate'
import { streamId } from '../protocol/ids.ts'
import { collected, type SendParams } from './effects.ts'
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
  at: number
}

export type ApprovalEvent =
  | ExecRequested
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
  endedAt: number // 0 while it waits
  callId?: string // absent where a client asks
}

const machine = setup({
  types: { context: {} as ApprovalContext, events: {} as ApprovalEvent },
  actions: {
    'request.keep': assign(({ context, event }) => {
      if (event.type !== 'exec.requested') return context
      const { approvalId, ref, textRef, deviceId, sessionKey, mayAlways, expiresAt, at } = event
      const facts = { approvalId, ref, textRef, deviceId, sessionKey, mayAlways, expiresAt }
      const call = event.callId === undefined ? {} : { callId: event.callId }
      return { ...context, ...facts, requestedAt: at, ...call }
    }),
    'decision.keep': assign(({ context, event }) => ({
      ...context,
      always: event.type === 'exec.allowed' && event.always,
      by: 'by' in event ? event.by : '',
      endedAt: event.at,
    })),
    'call.tell': enqueueActions(({ context, event, enqueue }) => {
      const { callId, approvalId } = context
      if (callId === undefined) return
      const decision = event.type.slice('exec.'.length)
      const by = 'by' in event ? event.by : ''
      const ended = { type: 'approval.ended', approvalId, decision, by }
      enqueue({ type: 'stream.send', params: { to: streamId('call', callId), event: ended } })
    }),
    'stream.send': collected<SendParams>,
  },
  guards: {
    'always.isOffered': ({ context, event }) =>
      event.type === 'exec.allowed' && (context.mayAlways || !event.always),
    'device.isIts': ({ context, event }) =>
      event.type === 'exec.cancelled' && event.deviceId === context.deviceId,
  },
})

const ENDED = ['decision.keep', 'call.tell'] as const

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
        'exec.expired': { target: 'expired', actions: [...ENDED] },
        'exec.cancelled': { guard: 'device.isIts', target: 'cancelled', actions: [...ENDED] },
      },
    },
    allowed: { type: 'final' },
    denied: { type: 'final' },
    expired: { type: 'final' },
    cancelled: { type: 'final' },
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
