/** Upstream's methods about nodes, and those that nodes themselves call. */
import {
  any,
  array,
  boolean,
  object,
  optional,
  record,
  size,
  string,
  type as shape,
} from 'superstruct'
import { limits } from '../../../limits.ts'
import {
  anything,
  count,
  NODE,
  nothing,
  OPERATOR,
  type UpstreamMethod,
  upstreamKey,
  word,
} from '../method.ts'

const read = { scope: 'operator.read', roles: OPERATOR, writes: false } as const
const decides = { scope: 'operator.pairing', roles: OPERATOR, writes: true } as const
const admin = { scope: 'operator.admin', roles: OPERATOR, writes: true } as const
const ofNode = { scope: null, roles: NODE, writes: false } as const
const json = () => size(string(), 0, limits.nodeAnswerBytesMax)

export const nodeMethods = {
  'node.list': { params: nothing(), ...read },
  'node.describe': { params: object({ nodeId: word() }), ...read },
  'node.pair.list': {
    params: nothing(),
    scope: 'operator.pairing',
    roles: OPERATOR,
    writes: false,
  },
  'node.pair.approve': { params: object({ requestId: word() }), ...decides },
  'node.pair.reject': { params: object({ requestId: word() }), ...decides },
  'node.pair.remove': { params: object({ nodeId: word() }), ...decides },
  'node.rename': { params: object({ nodeId: word(), displayName: word(64) }), ...decides },
  'node.invoke': {
    params: object({
      nodeId: word(),
      command: word(),
      params: optional(any()),
      timeoutMs: optional(count(limits.nodeCallMsMax)),
      idempotencyKey: word(limits.idempotencyKeyCharsMax),
      sessionKey: optional(upstreamKey()),
      turnSourceChannel: optional(string()),
      turnSourceTo: optional(string()),
      turnSourceAccountId: optional(string()),
      turnSourceThreadId: optional(any()),
    }),
    scope: 'operator.write',
    roles: OPERATOR,
    writes: true,
  },
  // Where commands run: here, and at the nodes. Upstream's own workers are not here.
  'environments.list': { params: shape({ projection: optional(word()) }), ...read },
  'environments.status': { params: object({ environmentId: word() }), ...read },
  'exec.approvals.node.get': { params: object({ nodeId: word() }), ...admin },
  'exec.approvals.node.set': {
    params: object({
      nodeId: word(),
      file: optional(any()),
      native: optional(record(string(), any())), // as the node's own system keeps it
      baseHash: optional(word()),
    }),
    ...admin,
  },
  'node.invoke.result': {
    params: shape({
      id: word(),
      nodeId: word(),
      ok: boolean(),
      payload: optional(any()),
      payloadJSON: optional(json()),
      error: optional(shape({ code: optional(string()), message: optional(string()) })),
    }),
    ...ofNode,
  },
  'node.event': {
    params: shape({ event: word(), payload: optional(any()), payloadJSON: optional(json()) }),
    ...ofNode,
  },
  'node.skills.update': {
    params: object({ skills: size(array(any()), 0, 64) }),
    ...ofNode,
  },
  'node.pluginTools.update': {
    params: object({ tools: size(array(any()), 0, 256) }),
    ...ofNode,
  },
  'node.runnerInventory.update': { params: anything(), ...ofNode },
  'skills.bins': { params: anything(), ...ofNode },
} as const satisfies Record<string, UpstreamMethod>
