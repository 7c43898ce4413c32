/** Upstream's methods about devices: who asks to come in, who is in. */
import { array, boolean, enums, object, optional, size } from 'superstruct'
import { SCOPES } from '../../../auth/scopes.ts'
import { limits } from '../../../limits.ts'
import { nothing, OPERATOR, type UpstreamMethod, word } from '../method.ts'

const role = () => enums(['operator', 'node'])
const writes = { scope: 'operator.pairing', roles: OPERATOR, writes: true } as const

export const deviceMethods = {
  'device.pair.list': {
    params: nothing(),
    scope: 'operator.pairing',
    roles: OPERATOR,
    writes: false,
  },
  'device.pair.approve': { params: object({ requestId: word() }), ...writes },
  'device.pair.reject': { params: object({ requestId: word() }), ...writes },
  'device.pair.remove': { params: object({ deviceId: word() }), ...writes },
  'device.pair.rename': {
    params: object({ deviceId: word(), label: word(limits.contextTextCharsMax) }),
    ...writes,
  },
  'device.pair.setupCode': {
    params: object({
      publicUrl: optional(word(256)),
      preferRemoteUrl: optional(boolean()),
      includeQr: optional(boolean()),
      bootstrapProfile: optional(enums(['limited', 'node'])),
    }),
    ...writes,
    scope: 'operator.admin', // It lets somebody in without anybody looking again.
  },
  'device.token.rotate': {
    params: object({
      deviceId: word(),
      role: role(),
      scopes: optional(size(array(word()), 0, limits.upstreamScopesMax)),
    }),
    ...writes,
  },
  'device.scopes.requestUpgrade': {
    params: object({ scopes: size(array(word()), 1, SCOPES.length) }),
    ...writes,
    scope: 'operator.read', // A device asks for itself.
  },
  'device.scopes.waitUpgrade': {
    params: object({ requestId: word() }),
    ...writes,
    scope: 'operator.read',
  },
  'device.token.revoke': { params: object({ deviceId: word(), role: role() }), ...writes },
} as const satisfies Record<string, UpstreamMethod>
