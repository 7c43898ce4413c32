/** Upstream's methods about tools: which there are, and which one session has. */
import { boolean, object, optional } from 'superstruct'
import { OPERATOR, type UpstreamMethod, upstreamKey, word } from '../method.ts'

const read = { scope: 'operator.read', roles: OPERATOR, writes: false } as const

export const toolMethods = {
  'tools.catalog': {
    params: object({ agentId: optional(word()), includePlugins: optional(boolean()) }),
    ...read,
  },
  'tools.effective': {
    params: object({ agentId: optional(word()), sessionKey: upstreamKey() }),
    ...read,
  },
} as const satisfies Record<string, UpstreamMethod>
