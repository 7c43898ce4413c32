/** Upstream's methods about the configuration. */
import { any, array, object, optional, pattern, size, string } from 'superstruct'
import { limits } from '../../../limits.ts'
import {
  count,
  nothing,
  OPERATOR,
  text,
  type UpstreamMethod,
  upstreamKey,
  word,
} from '../method.ts'

const change = {
  raw: size(string(), 0, limits.configBytesMax), // JSON5
  baseHash: optional(word()),
  sessionKey: optional(upstreamKey()),
  note: optional(text()),
  restartDelayMs: optional(count(limits.configDelayMsMax)),
  deliveryContext: optional(any()), // Where upstream answers; here the session itself is told.
}

export const configMethods = {
  'config.get': { params: nothing(), scope: 'operator.read', roles: OPERATOR, writes: false },
  'config.schema': { params: nothing(), scope: 'operator.read', roles: OPERATOR, writes: false },
  'config.schema.lookup': {
    params: object({ path: pattern(word(limits.configPathCharsMax), /^[\w./[\]\-*]+$/) }),
    scope: 'operator.read',
    roles: OPERATOR,
    writes: false,
  },
  'config.set': {
    params: object(change),
    scope: 'operator.admin',
    roles: OPERATOR,
    writes: true,
  },
  'config.apply': {
    params: object(change),
    scope: 'operator.admin',
    roles: OPERATOR,
    writes: true,
  },
  'config.patch': {
    params: object({ ...change, replacePaths: optional(size(array(word(256)), 0, 256)) }),
    scope: 'operator.admin',
    roles: OPERATOR,
    writes: true,
  },
} as const satisfies Record<string, UpstreamMethod>
