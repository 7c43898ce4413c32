/** Upstream's methods about commands that wait for a person. */
import {
  any,
  boolean,
  enums,
  integer,
  max,
  min,
  nullable,
  object,
  optional,
  size,
  string,
  type as shape,
} from 'superstruct'
import { DECISIONS, environment, patience, words } from '../../../methods/approvals.ts'
import { limits } from '../../../limits.ts'
import { absent, anything, flag, nothing, OPERATOR, type UpstreamMethod, word } from '../method.ts'

const reads = { scope: 'operator.approvals', roles: OPERATOR, writes: false } as const
const decides = { scope: 'operator.approvals', roles: OPERATOR, writes: true } as const

const fact = (charsMax = 4_096) => optional(nullable(size(string(), 0, charsMax)))

const APPROVAL_KINDS = ['exec', 'plugin', 'system-agent'] as const // Only the first is here.

export const approvalMethods = {
  // Newer clients say more of a command; what is unknown here is shown to nobody.
  'exec.approval.request': {
    params: shape({
      id: optional(word()),
      command: optional(size(string(), 0, limits.messageBytesMax)),
      commandArgv: optional(words()),
      systemRunPlan: optional(any()),
      env: optional(environment()),
      cwd: fact(),
      nodeId: fact(limits.idCharsMax),
      host: fact(64),
      security: fact(64),
      ask: fact(64),
      warningText: fact(),
      agentId: fact(limits.idCharsMax),
      resolvedPath: fact(),
      sessionKey: fact(limits.sessionKeyBytesMax),
      sessionId: fact(limits.idCharsMax),
      runId: fact(limits.idCharsMax),
      toolCallId: fact(limits.idCharsMax),
      turnSourceChannel: fact(),
      turnSourceTo: fact(),
      turnSourceAccountId: fact(),
      turnSourceThreadId: optional(any()),
      unavailableDecisions: optional(any()),
      requireDeliveryRoute: flag(),
      timeoutMs: optional(patience()),
      twoPhase: optional(boolean()),
    }),
    ...decides,
  },
  'exec.approval.list': { params: anything(), ...reads },
  'exec.approval.get': { params: object({ id: word() }), ...reads },
  'exec.approval.resolve': {
    params: object({ id: word(), decision: size(string(), 1, 64) }),
    ...decides,
  },
  'exec.approval.waitDecision': { params: shape({ id: optional(string()) }), ...reads },
  'approval.get': { params: object({ id: word() }), ...reads },
  'approval.history': {
    params: object({
      cursor: optional(size(string(), 1, 512)),
      limit: optional(max(min(integer(), 1), limits.approvalsPageMax)),
      kind: optional(enums(APPROVAL_KINDS)),
    }),
    ...reads,
  },
  'approval.resolve': {
    params: object({
      id: word(),
      kind: enums(APPROVAL_KINDS),
      decision: enums(DECISIONS),
      reviewer: absent(), // People of a channel decide nothing here.
      grantExpiresInDays: absent(),
    }),
    ...decides,
  },
  'exec.approvals.get': {
    params: nothing(),
    scope: 'operator.admin',
    roles: OPERATOR,
    writes: false,
  },
} as const satisfies Record<string, UpstreamMethod>
