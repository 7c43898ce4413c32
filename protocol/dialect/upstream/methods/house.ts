/** Upstream's methods about the gateway itself: how it is, who is here, what it can do. */
import { boolean, enums, integer, max, min, object, optional, type as shape } from 'superstruct'
import { limits } from '../../../limits.ts'
import {
  anything,
  BOTH,
  count,
  nothing,
  OPERATOR,
  type UpstreamMethod,
  upstreamKey,
  word,
} from '../method.ts'

const read = { scope: 'operator.read', roles: OPERATOR, writes: false } as const
const approvals = { scope: 'operator.approvals', roles: OPERATOR, writes: false } as const

export const houseMethods = {
  health: { params: anything(), scope: 'operator.read', roles: BOTH, writes: false },
  status: { params: anything(), ...read },
  'system-presence': { params: anything(), ...read },
  'agents.list': { params: anything(), ...read },
  'agent.identity.get': {
    params: object({ agentId: optional(word()), sessionKey: optional(upstreamKey()) }),
    ...read,
  },
  'system.info': { params: nothing(), ...read },
  'last-heartbeat': { params: anything(), ...read },
  'update.status': {
    params: object({ refreshCheckout: optional(boolean()) }),
    scope: 'operator.admin',
    roles: OPERATOR,
    writes: false,
  },
  'diagnostics.stability': { params: anything(), ...read },
  'logs.tail': {
    params: object({
      cursor: optional(min(integer(), 0)),
      limit: optional(max(min(integer(), 1), limits.logTailMax)),
      maxBytes: optional(max(min(integer(), 1), limits.logTailBytesMax)),
    }),
    ...read,
  },
  'channels.status': {
    params: object({
      probe: optional(boolean()),
      timeoutMs: optional(count(600_000)),
      channel: optional(word()),
    }),
    ...read,
  },
  'models.list': {
    params: object({
      agentId: optional(word()),
      sessionKey: optional(upstreamKey()),
      view: optional(enums(['default', 'configured', 'provider-config', 'all'])),
      refresh: optional(boolean()),
      preparedOnly: optional(boolean()),
      includeProviderCapabilities: optional(boolean()),
    }),
    ...read,
  },
  'models.authStatus': {
    params: object({ agentId: optional(word()), refresh: optional(boolean()) }),
    ...read,
  },
  'commands.list': {
    params: object({
      agentId: optional(word()),
      sessionKey: optional(upstreamKey()),
      provider: optional(word()),
      scope: optional(enums(['text', 'native', 'both'])),
      includeArgs: optional(boolean()),
    }),
    ...read,
  },
  'usage.cost': {
    params: shape({ days: optional(max(min(integer(), 1), limits.usageDaysMax)) }),
    ...read,
  },
  'skills.status': {
    params: object({ agentId: optional(word()), sessionKey: optional(upstreamKey()) }),
    ...read,
  },
  // What we have none of is told as an empty list: clients that cannot live without ask for these.
  'question.list': { params: anything(), ...read, scope: 'operator.questions' },
  'plugin.approval.list': { params: anything(), ...approvals },
  'openclaw.approval.list': { params: anything(), ...approvals },
  'taskSuggestions.list': { params: anything(), ...read },
  'tasks.list': { params: anything(), ...read },
} as const satisfies Record<string, UpstreamMethod>
