/** Upstream's methods about what models were asked for. */
import {
  boolean,
  enums,
  integer,
  literal,
  max,
  min,
  object,
  optional,
  pattern,
  string,
  type as shape,
} from 'superstruct'
import { limits } from '../../../limits.ts'
import { anything, OPERATOR, type UpstreamMethod, upstreamKey, word } from '../method.ts'

const read = { scope: 'operator.read', roles: OPERATOR, writes: false } as const

const date = () => optional(pattern(string(), /^\d{4}-\d{2}-\d{2}$/))

const days = {
  startDate: date(),
  endDate: date(),
  mode: optional(enums(['utc', 'gateway', 'specific'])),
  range: optional(enums(['7d', '30d', '90d', '1y', 'all'])),
  utcOffset: optional(pattern(string(), /^UTC[+-]\d{1,2}(?::[0-5]\d)?$/)),
  timeZone: optional(word()),
  agentId: optional(word()),
  agentScope: optional(literal('all')),
}

const one = { key: upstreamKey(), agentId: optional(word()) }

export const usageMethods = {
  'usage.cost': {
    params: shape({ ...days, days: optional(max(min(integer(), 1), limits.usageDaysMax)) }),
    ...read,
  },
  'usage.status': { params: anything(), ...read },
  'sessions.usage': {
    params: object({
      ...days,
      key: optional(upstreamKey()),
      limit: optional(min(integer(), 1)), // More than limits.sessionListMax is answered with that many.
      groupBy: optional(enums(['instance', 'family'])),
      includeHistorical: optional(boolean()),
      includeContextWeight: optional(boolean()),
    }),
    ...read,
  },
  'sessions.usage.timeseries': { params: shape(one), ...read },
  'sessions.usage.logs': {
    params: shape({
      ...one,
      limit: optional(max(min(integer(), 1), limits.transcriptPageMax)),
    }),
    ...read,
  },
} as const satisfies Record<string, UpstreamMethod>
