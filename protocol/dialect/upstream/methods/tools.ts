/** Upstream's methods about tools: which there are, and which one session has. */
import { any, boolean, enums, object, optional, record, string } from 'superstruct'
import { limits } from '../../../limits.ts'
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
  'tools.invoke': {
    params: object({
      name: word(limits.toolNameCharsMax),
      args: optional(record(string(), any())),
      sessionKey: optional(upstreamKey()),
      agentId: optional(word()),
      confirm: optional(boolean()), // whether a person is asked; else what must be asked for is told
      idempotencyKey: optional(word(limits.idempotencyKeyCharsMax)),
      conversationReadOrigin: optional(enums(['direct-operator'])), // as every call here is
    }),
    scope: 'operator.write',
    roles: OPERATOR,
    writes: true,
  },
} as const satisfies Record<string, UpstreamMethod>
