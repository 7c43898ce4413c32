/** Methods about nodes, and the one with which a node answers. */
import { any, boolean, integer, max, min, object, optional, size, string, type } from 'superstruct'
import type { Role } from '../auth/scopes.ts'
import { limits } from '../limits.ts'
import { CLIENT, id, idempotencyKey, label } from './params.ts'

const NODE: readonly Role[] = ['node']

const decides = { scope: 'operator.pairing', roles: CLIENT, writes: true } as const

export const nodeMethods = {
  'node.list': { params: object({}), scope: 'operator.read', roles: CLIENT, writes: false },
  'node.approve': { params: object({ requestId: id() }), ...decides },
  'node.reject': { params: object({ requestId: id() }), ...decides },
  'node.remove': { params: object({ nodeId: id() }), ...decides },
  'node.rename': { params: object({ nodeId: id(), name: label() }), ...decides },
  'node.invoke': {
    params: object({
      nodeId: id(),
      command: size(string(), 1, limits.idCharsMax),
      params: optional(any()),
      timeoutMs: optional(max(min(integer(), 1), limits.nodeCallMsMax)),
      idempotencyKey: optional(idempotencyKey()),
    }),
    scope: 'operator.write',
    roles: CLIENT,
    writes: true,
  },
  'node.result': {
    params: object({
      id: id(),
      ok: boolean(),
      payload: optional(any()),
      error: optional(type({ code: optional(string()), message: optional(string()) })),
    }),
    scope: 'operator.read', // Which a node does not need.
    roles: NODE,
    writes: false,
  },
} as const
