/** Methods about what waits for a person, and about what was allowed from then on. */
import {
  array,
  boolean,
  define,
  enums,
  integer,
  max,
  min,
  object,
  optional,
  size,
  string,
} from 'superstruct'
import { limits } from '../limits.ts'
import { CLIENT, id, sessionKey, text } from './params.ts'

/** What a person can say of a command. */
export const DECISIONS = ['allow-once', 'allow-always', 'deny'] as const

export type Decision = (typeof DECISIONS)[number]

const path = () => size(string(), 0, 4_096)

/** Variables of a command's environment: so many, names and values are texts. */
export const environment = () =>
  define<Readonly<Record<string, string>>>('environment', (value) => {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
    const values = isMap ? Object.values(value) : []
    const isFine = isMap && values.length <= limits.approvalVariablesMax
    return isFine && values.every((each) => typeof each === 'string')
      ? true
      : `expected at most ${limits.approvalVariablesMax} variables, each a text`
  })

/** Words of a command. */
export const words = () => size(array(size(string(), 0, 65_536)), 0, limits.approvalArgumentsMax)

/** How long a command waits for a person. */
export const patience = () => max(min(integer(), 1), limits.approvalMsMax)

const approves = { scope: 'operator.approvals', roles: CLIENT } as const

export const approvalMethods = {
  'approval.request': {
    params: object({
      command: text(),
      argv: optional(words()),
      cwd: optional(path()),
      env: optional(environment()),
      host: optional(size(string(), 1, 64)),
      nodeId: optional(id()),
      agentId: optional(id()),
      sessionKey: optional(sessionKey()),
      approvalId: optional(id()),
      mayAlways: optional(boolean()),
      timeoutMs: optional(patience()),
    }),
    ...approves,
    writes: true,
  },
  'approval.list': { params: object({}), ...approves, writes: false },
  'approval.wait': {
    params: object({
      approvalId: id(),
      timeoutMs: optional(max(min(integer(), 0), limits.approvalMsMax)),
    }),
    ...approves,
    writes: false,
  },
  'approval.resolve': {
    params: object({ approvalId: id(), decision: enums(DECISIONS) }),
    ...approves,
    writes: true,
  },
  'approvals.grants': { params: object({}), ...approves, writes: false },
  'approvals.revoke': { params: object({ grantId: id() }), ...approves, writes: true },
  'approval.cancel': { params: object({ approvalId: id() }), ...approves, writes: true },
} as const
