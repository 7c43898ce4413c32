/**
 * One connection whose `connect` was accepted.
 *
 *   new ──connection.opened──► opening ──connection.readied──► ready ──connection.closed──► closed
 *                                 │  connection.subscribed: stays        ▲
 *                                 └──────────connection.closed───────────┘
 *
 * A node's connection tells the node's own actor when it opens and when it closes. Before `connect`
 * is judged a connection is only memory (actors/connection.ts): strangers do not
 * write into the journal.
 */
import { produce } from 'immer'
import { assign, enqueueActions, setup } from 'xstate'
import type { Role } from '../protocol/auth/scopes.ts'
import { streamId } from '../protocol/ids.ts'
import { collected, type SendParams } from './effects.ts'
import type { NodeConnected } from './node.ts'

/** What a connection of a node says of it. */
export type NodeFacts = Omit<NodeConnected, 'type' | 'at' | 'connectionId' | 'nodeId'>

export type ConnectionOpened = {
  type: 'connection.opened'
  connectionId?: string // there where it is a node's
  node?: NodeFacts
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
  connectionId?: string // there where it is a node's
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
            if (event.connectionId !== undefined) draft.connectionId = event.connectionId
          }),
    ),
    'subscription.keep': assign(({ context, event }) =>
      event.type === 'connection.subscribed' ? { ...context, subscribe: event.subscribe } : context,
    ),
    'closing.keep': assign(({ context, event }) =>
      event.type === 'connection.closed' ? { ...context, code: event.code } : context,
    ),
    'node.enter': enqueueActions(({ event, enqueue }) => {
      if (event.type !== 'connection.opened' || event.node === undefined) return
      const { connectionId, deviceId: nodeId, node } = event
      const connected = { type: 'node.connected', nodeId, connectionId, ...node }
      enqueue({
        type: 'stream.send',
        params: { to: streamId('node', nodeId), event: connected },
      })
    }),
    'node.leave': enqueueActions(({ context: { deviceId, connectionId }, enqueue }) => {
      if (connectionId === undefined) return
      const event = { type: 'node.disconnected', connectionId }
      enqueue({ type: 'stream.send', params: { to: streamId('node', deviceId), event } })
    }),
    'stream.send': collected<SendParams>,
  },
})

const common = {
  'connection.subscribed': { actions: 'subscription.keep' },
  'connection.closed': { target: 'closed', actions: ['closing.keep', 'node.leave'] },
} as const

export const connectionMachine = machine.createMachine({
  id: 'connection',
  context: { deviceId: '', role: 'client', scopes: [], subscribe: null, openedAt: 0, code: 0 },
  initial: 'new',
  states: {
    new: {
      on: { 'connection.opened': { target: 'opening', actions: ['opening.keep', 'node.enter'] } },
    },
    opening: { on: { 'connection.readied': 'ready', ...common } },
    ready: { on: common },
    closed: { type: 'final' },
  },
})
