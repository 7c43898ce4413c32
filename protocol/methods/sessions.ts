/** The methods of sessions and of their runs' ends; rows of the table in `methods.ts`. */
import {
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
} from 'superstruct'
import { limits } from '../limits.ts'
import {
  CLIENT,
  id,
  label,
  model,
  sessionId,
  sessionKey,
  text,
  QUEUE_MODES,
  THINKING_LEVELS,
} from './params.ts'

const cursor = () => size(string(), 1, limits.cursorCharsMax)

export const sessionMethods = {
  'agent.wait': {
    params: object({
      runId: id(),
      timeoutMs: optional(max(min(integer(), 0), limits.runWaitMsMax)),
    }),
    scope: 'operator.write',
    roles: CLIENT,
    writes: false,
  },
  'sessions.list': {
    params: object({
      limit: optional(max(min(integer(), 1), limits.sessionListMax)),
      offset: optional(min(integer(), 0)),
      search: optional(size(string(), 1, limits.sessionSearchCharsMax)),
      archived: optional(boolean()),
      activeMinutes: optional(min(integer(), 1)),
      label: optional(label()),
    }),
    scope: 'operator.read',
    roles: CLIENT,
    writes: false,
  },
  'sessions.history': {
    params: object({
      key: sessionKey(),
      sessionId: optional(sessionId()),
      limit: optional(max(min(integer(), 1), limits.transcriptPageMax)),
      before: optional(cursor()),
      offset: optional(min(integer(), 0)),
      maxChars: optional(min(integer(), 1)),
    }),
    scope: 'operator.read',
    roles: CLIENT,
    writes: false,
  },
  'sessions.create': {
    params: object({
      key: optional(sessionKey()),
      label: optional(label()),
      model: optional(model()),
      thinking: optional(enums(THINKING_LEVELS)),
    }),
    scope: 'operator.write',
    roles: CLIENT,
    writes: true,
  },
  'sessions.patch': {
    params: object({
      key: sessionKey(),
      label: optional(nullable(label())),
      model: optional(nullable(model())),
      thinking: optional(nullable(enums(THINKING_LEVELS))),
      queueMode: optional(nullable(enums(QUEUE_MODES))),
      archived: optional(boolean()),
      pinned: optional(boolean()),
      unread: optional(boolean()),
      expectedSessionId: optional(sessionId()),
    }),
    scope: 'operator.write',
    roles: CLIENT,
    writes: true,
  },
  'sessions.abort': {
    params: object({ key: optional(sessionKey()), runId: optional(id()) }),
    scope: 'operator.write',
    roles: CLIENT,
    writes: true,
  },
  'sessions.reset': {
    params: object({
      key: sessionKey(),
      reason: optional(enums(['new', 'reset'])),
      expectedSessionId: optional(sessionId()),
    }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
  'sessions.delete': {
    params: object({ key: sessionKey(), expectedSessionId: optional(sessionId()) }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
  'sessions.inject': {
    params: object({ key: sessionKey(), message: text(), label: optional(label()) }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
  'sessions.compact': {
    params: object({ key: sessionKey() }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: false,
  },
} as const
