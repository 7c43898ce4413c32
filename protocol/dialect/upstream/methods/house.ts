/** Upstream's methods about the gateway itself: how it is, who is here, what it can do. */
import { object, optional } from 'superstruct'
import { anything, BOTH, OPERATOR, type UpstreamMethod, upstreamKey, word } from '../method.ts'

export const houseMethods = {
  health: { params: anything(), scope: 'operator.read', roles: BOTH, writes: false },
  status: { params: anything(), scope: 'operator.read', roles: OPERATOR, writes: false },
  'system-presence': {
    params: anything(),
    scope: 'operator.read',
    roles: OPERATOR,
    writes: false,
  },
  'agents.list': { params: anything(), scope: 'operator.read', roles: OPERATOR, writes: false },
  'agent.identity.get': {
    params: object({ agentId: optional(word()), sessionKey: optional(upstreamKey()) }),
    scope: 'operator.read',
    roles: OPERATOR,
    writes: false,
  },
} as const satisfies Record<string, UpstreamMethod>
