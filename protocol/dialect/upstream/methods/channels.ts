/** Upstream's methods about unknown senders of channels, who wait for their owner's word. */
import { boolean, object, optional } from 'superstruct'
import { OPERATOR, type UpstreamMethod, word } from '../method.ts'

const judges = { scope: 'operator.pairing', roles: OPERATOR, writes: true } as const
const one = { channel: word(), accountId: word(), requestId: word() }

export const channelMethods = {
  'channels.pairing.list': {
    params: object({ channel: optional(word()), accountId: optional(word()) }),
    scope: 'operator.pairing',
    roles: OPERATOR,
    writes: false,
  },
  'channels.pairing.approve': {
    params: object({
      ...one,
      notify: optional(boolean()),
      bootstrapCommandOwner: optional(boolean()),
    }),
    ...judges,
  },
  'channels.pairing.dismiss': { params: object(one), ...judges },
} as const satisfies Record<string, UpstreamMethod>
