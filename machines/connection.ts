/**
 * One connection whose `connect` was accepted.
 *
 *   new ──connection.opened──► opening ──connection.readied──► ready ──connection.closed──► closed
 *                                 │  connection.subscribed: stays        ▲
 *                                 └──────────connection.closed───────────┘
 *
 * Before `connect` is judged a connection is only memory (actors/connection.ts): strangers do not
 * write into the journal.
 */
import { produce } from 'immer'
import { assign, setup } from 'xstate'
import type { Role } from '../protocol/auth/scopes.ts'

export type ConnectionOpened = {
  type: 'connection.opened'
  deviceId: string
  role: Role
  scopes: string[]
  subscribe: string[] | null // null: everything
  resumeFrom: number | null
  at: number
}

export type ConnectionEvent =
  | ConnectionOpened
  | { type: 'connection.readied'; at: number }
  | { type: 'connection.subscribed'; subscribe: string[] | null; at: number }
  | { type: 'connection.closed'; code: number; reason: string; at: number }

export interface ConnectionContext {
  deviceId: string
  role: Role
  scopes: string[]
  subscribe: string[] | null
  openedAt: number
  code: number // of the close; 0 while open
}

const machine = setup({
  types: { context: {} as ConnectionContext, events: {} as ConnectionEvent },
  actions: {
    'opening.keep': assign(({ context, event }) =>
      event.type !== 'connection.opened'
        ? context
        : produce(context, (draft) => {
            draft.deviceId = event.deviceId
            draft.role = event.role
            draft.scopes = event.scopes
            draft.subscribe = event.subscribe
            draft.openedAt = event.at
          }),
    ),
    'subscription.keep': assign(({ context, event }) =>
      event.type === 'connection.subscribed' ? { ...context, subscribe: event.subscribe } : context,
    ),
    'closing.keep': assign(({ context, event }) =>
      event.type === 'connection.closed' ? { ...context, code: event.code } : context,
    ),
  },
})

const common = {
  'connection.subscribed': { actions: 'subscription.keep' },
  'connection.closed': { target: 'closed', actions: 'closing.keep' },
} as const

export const connectionMachine = machine.createMachine({
  id: 'connection',
  context: { deviceId: '', role: 'client', scopes: [], subscribe: null, openedAt: 0, code: 0 },
  initial: 'new',
  states: {
    new: { on: { 'connection.opened': { target: 'opening', actions: 'opening.keep' } } },
    opening: { on: { 'connection.readied': 'ready', ...common } },
    ready: { on: common },
    closed: { type: 'final' },
  },
})
