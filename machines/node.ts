/**
 * One node: a paired device that offers capabilities, and what of them its owner allows.
 *
 *   unknown ──node.connected──► online ──node.disconnected──► offline ──node.connected──► online
 *                                 └────────node.removed────► removed ──node.connected──► online
 *
 * What a node declares is only an offer. More than was approved makes a request, which a person
 * answers; until then the node can be asked for what was approved before, and for nothing else.
 */
import { assign, setup } from 'xstate'

/** What a node says it has. */
export interface Surface {
  caps: string[]
  commands: string[]
}

export type NodeConnected = {
  type: 'node.connected'
  nodeId: string
  connectionId: string
  requestId: string // of the request, should what it declares need one
  displayName: string
  platform: string
  version: string
  clientId: string
  surface: Surface
  at: number
}

export type NodeEvent =
  | NodeConnected
  | { type: 'node.disconnected'; connectionId: string; at: number }
  | { type: 'surface.approved'; requestId: string; by: string; at: number }
  | { type: 'surface.rejected'; requestId: string; by: string; at: number }
  | { type: 'node.renamed'; name: string; by: string; at: number }
  | { type: 'node.removed'; by: string; at: number }

/** What waits for a person. */
export interface SurfaceRequest extends Surface {
  requestId: string
  requestedAt: number
}

export interface NodeContext {
  nodeId: string
  connectionId: string // '' while offline
  displayName: string
  name: string // what people call it; '' where nobody did
  platform: string
  version: string
  clientId: string
  declared: Surface
  approved: Surface
  approvedAt: number
  request: SurfaceRequest | null
  connectedAt: number
  seenAt: number
}

const NOTHING: Surface = { caps: [], commands: [] }

const machine = setup({
  types: { context: {} as NodeContext, events: {} as NodeEvent },
  actions: {
    'connection.keep': assign(({ context, event }) => {
      if (event.type !== 'node.connected') return context
      const { nodeId, connectionId, displayName, platform, version, clientId, surface } = event
      const facts = { nodeId, connectionId, displayName, platform, version, clientId }
      const request = requestOf(context, event)
      const times = { connectedAt: event.at, seenAt: event.at }
      return { ...context, ...facts, ...times, declared: surface, request }
    }),
    'connection.drop': assign(({ context, event }) => ({
      ...context,
      connectionId: '',
      seenAt: event.at,
    })),
    'surface.allow': assign(({ context, event }) => {
      const { request } = context
      if (event.type !== 'surface.approved' || request === null) return context
      const { caps, commands } = request
      return { ...context, approved: { caps, commands }, approvedAt: event.at, request: null }
    }),
    'request.drop': assign(({ context }) => ({ ...context, request: null })),
    'name.keep': assign(({ context, event }) =>
      event.type === 'node.renamed' ? { ...context, name: event.name } : context,
    ),
    'approval.drop': assign(({ context }) => ({
      ...context,
      connectionId: '',
      name: '',
      approved: NOTHING,
      approvedAt: 0,
      request: null,
    })),
  },
  guards: {
    'connection.isIts': ({ context, event }) =>
      event.type === 'node.disconnected' && event.connectionId === context.connectionId,
    'request.isMeant': ({ context, event }) =>
      'requestId' in event && event.requestId === context.request?.requestId,
  },
})

// The same offer again keeps its request; one that was narrowed to what is allowed needs none.
function requestOf(
  { approved, request }: NodeContext,
  { surface, requestId, at }: NodeConnected,
): SurfaceRequest | null {
  if (within(surface.commands, approved.commands) && within(surface.caps, approved.caps)) {
    return null
  }
  const isSame = request !== null && equal(request, surface)
  return isSame ? request : { ...surface, requestId, requestedAt: at }
}

function within(wanted: readonly string[], held: readonly string[]): boolean {
  return wanted.every((name) => held.includes(name))
}

function equal(one: Surface, other: Surface): boolean {
  return (['caps', 'commands'] as const).every(
    (part) => within(one[part], other[part]) && within(other[part], one[part]),
  )
}

const connects = { target: 'online', actions: 'connection.keep' } as const

const decisions = {
  'surface.approved': { guard: 'request.isMeant', actions: 'surface.allow' },
  'surface.rejected': { guard: 'request.isMeant', actions: 'request.drop' },
  'node.renamed': { actions: 'name.keep' },
  'node.removed': { target: 'removed', actions: 'approval.drop' },
} as const

export const nodeMachine = machine.createMachine({
  id: 'node',
  context: {
    nodeId: '',
    connectionId: '',
    displayName: '',
    name: '',
    platform: '',
    version: '',
    clientId: '',
    declared: NOTHING,
    approved: NOTHING,
    approvedAt: 0,
    request: null,
    connectedAt: 0,
    seenAt: 0,
  },
  initial: 'unknown',
  states: {
    unknown: { on: { 'node.connected': connects } },
    online: {
      on: {
        'node.connected': connects, // A newer connection takes over.
        'node.disconnected': {
          guard: 'connection.isIts',
          target: 'offline',
          actions: 'connection.drop',
        },
        ...decisions,
      },
    },
    offline: { on: { 'node.connected': connects, ...decisions } },
    removed: { on: { 'node.connected': connects } },
  },
})
