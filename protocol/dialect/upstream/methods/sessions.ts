/** Upstream's methods about sessions. */
import {
  array,
  boolean,
  enums,
  integer,
  literal,
  max,
  min,
  nullable,
  number,
  optional,
  size,
  string,
  type as shape,
  union,
} from 'superstruct'
import { limits } from '../../../limits.ts'
import { THINKING_LEVELS } from '../../../methods/params.ts'
import { absent, count, OPERATOR, text, type UpstreamMethod, upstreamKey, word } from '../method.ts'

const read = { scope: 'operator.read', roles: OPERATOR, writes: false } as const
const write = { scope: 'operator.write', roles: OPERATOR, writes: true } as const
const admin = { scope: 'operator.admin', roles: OPERATOR, writes: true } as const
const agentId = optional(word())
const label = () => size(string(), 1, limits.contextTextCharsMax)

const list = {
  limit: optional(min(integer(), 1)), // More than limits.sessionListMax is answered with that many.
  offset: optional(min(integer(), 0)),
  activeMinutes: optional(min(integer(), 1)),
  label: optional(label()),
  search: optional(size(string(), 0, limits.sessionSearchCharsMax)),
  archived: optional(union([boolean(), literal('all')])),
  includeLastMessage: optional(boolean()),
  includeDerivedTitles: optional(boolean()),
  agentId,
}

const patch = {
  label: optional(nullable(label())),
  model: optional(nullable(word())),
  thinkingLevel: optional(nullable(enums(THINKING_LEVELS))),
  archived: optional(boolean()),
  pinned: optional(boolean()),
  unread: optional(boolean()),
  toolOverrides: absent(),
  sendPolicy: absent(),
  groupActivation: absent(),
}

export const sessionMethods = {
  'sessions.list': { params: shape(list), ...read },
  'sessions.subscribe': { params: shape(list), ...read },
  'sessions.unsubscribe': { params: shape({}), ...read },
  'sessions.messages.subscribe': { params: shape({ key: upstreamKey(), agentId }), ...read },
  'sessions.messages.unsubscribe': { params: shape({ key: upstreamKey(), agentId }), ...read },
  'sessions.preview': {
    params: shape({
      keys: size(array(upstreamKey()), 0, limits.sessionPreviewsMax),
      limit: optional(max(min(integer(), 1), limits.transcriptPageMax)),
      maxChars: optional(max(min(integer(), 20), 10_000)),
    }),
    ...read,
  },
  'sessions.describe': { params: shape({ key: upstreamKey(), agentId }), ...read },
  'sessions.resolve': {
    params: shape({
      key: optional(upstreamKey()),
      sessionId: optional(word()),
      label: optional(label()),
      agentId,
      allowMissing: optional(boolean()),
    }),
    ...read,
  },
  'sessions.create': {
    params: shape({
      key: optional(upstreamKey()),
      label: optional(label()),
      model: optional(word()),
      thinkingLevel: optional(enums(THINKING_LEVELS)),
      agentId,
      message: optional(text()),
      task: optional(text()),
      idempotencyKey: optional(word(limits.idempotencyKeyCharsMax)),
      attachments: absent(),
      worktree: absent(),
      fork: absent(),
      incognito: absent(),
    }),
    ...write,
  },
  'sessions.patch': {
    params: shape({ key: upstreamKey(), agentId, expectedSessionId: optional(word()), ...patch }),
    ...write,
  },
  'sessions.patchMany': {
    params: shape({
      targets: size(
        array(shape({ key: upstreamKey(), agentId, expectedSessionId: optional(word()) })),
        1,
        limits.sessionsPatchedMax,
      ),
      patch: shape(patch),
    }),
    ...write,
  },
  'sessions.send': {
    params: shape({
      key: upstreamKey(),
      agentId,
      message: text(),
      thinking: optional(enums(THINKING_LEVELS)),
      timeoutMs: optional(count(limits.runWaitMsMax)),
      idempotencyKey: optional(word(limits.idempotencyKeyCharsMax)),
      attachments: absent(),
    }),
    ...write,
  },
  'sessions.abort': {
    params: shape({
      key: optional(upstreamKey()),
      runId: optional(word()),
      agentId,
      clearQueued: optional(boolean()),
    }),
    ...write,
  },
  'sessions.reset': {
    params: shape({ key: upstreamKey(), agentId, reason: optional(enums(['new', 'reset'])) }),
    ...admin,
  },
  'sessions.delete': {
    params: shape({
      key: upstreamKey(),
      agentId,
      deleteTranscript: optional(boolean()),
      expectedSessionId: optional(word()),
    }),
    ...admin,
  },
  'sessions.compact': {
    params: shape({ key: upstreamKey(), agentId, maxLines: optional(number()) }),
    scope: 'operator.admin',
    roles: OPERATOR,
    writes: true,
  },
} as const satisfies Record<string, UpstreamMethod>
