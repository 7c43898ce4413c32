/** Upstream's methods with which people talk: chat, agent, send. */
import { boolean, enums, max, min, integer, optional, string, type as shape } from 'superstruct'
import { limits } from '../../../limits.ts'
import { THINKING_LEVELS } from '../../../methods/params.ts'
import { absent, count, OPERATOR, text, type UpstreamMethod, upstreamKey, word } from '../method.ts'

const read = { scope: 'operator.read', roles: OPERATOR, writes: false } as const
const write = { scope: 'operator.write', roles: OPERATOR, writes: true } as const
const key = () => word(limits.idempotencyKeyCharsMax)
const thinking = () => optional(enums(THINKING_LEVELS))

const history = {
  sessionKey: upstreamKey(),
  agentId: optional(word()),
  sessionId: optional(word()),
  limit: optional(max(min(integer(), 1), limits.transcriptPageMax)),
  offset: optional(count(1_000_000)),
  maxChars: optional(max(min(integer(), 1), 500_000)),
  messageId: absent(),
}

export const chatMethods = {
  'chat.history': { params: shape({ ...history, cursor: optional(string()) }), ...read },
  'chat.startup': { params: shape(history), ...read },
  'chat.metadata': {
    params: shape({ agentId: optional(word()), sessionKey: optional(upstreamKey()) }),
    ...read,
  },
  'chat.send': {
    params: shape({
      sessionKey: upstreamKey(),
      agentId: optional(word()),
      sessionId: optional(word()),
      message: text(),
      idempotencyKey: key(),
      thinking: thinking(),
      timeoutMs: optional(count(limits.runWaitMsMax)),
      deliver: optional(boolean()),
      attachments: absent(),
    }),
    ...write,
  },
  'chat.abort': {
    params: shape({
      sessionKey: upstreamKey(),
      agentId: optional(word()),
      runId: optional(word()),
    }),
    ...write,
  },
  'chat.inject': {
    params: shape({
      sessionKey: upstreamKey(),
      agentId: optional(word()),
      message: text(),
      label: optional(word(100)),
    }),
    scope: 'operator.admin',
    roles: OPERATOR,
    writes: true,
  },
  agent: {
    params: shape({
      message: text(),
      idempotencyKey: key(),
      agentId: optional(word()),
      sessionKey: optional(upstreamKey()),
      sessionId: optional(word()),
      model: optional(word()),
      thinking: thinking(),
      timeout: optional(count(86_400)),
      deliver: optional(boolean()),
      attachments: absent(),
      extraSystemPrompt: absent(),
    }),
    ...write,
  },
  'agent.wait': {
    params: shape({ runId: word(), timeoutMs: optional(count(limits.runWaitMsMax)) }),
    scope: 'operator.write',
    roles: OPERATOR,
    writes: false,
  },
  send: {
    params: shape({
      to: word(256),
      message: optional(text()),
      channel: optional(word(64)),
      accountId: optional(word()),
      sessionKey: optional(upstreamKey()),
      idempotencyKey: key(),
      mediaUrl: absent(),
      mediaUrls: absent(),
      buffer: absent(),
      replyToId: absent(),
      threadId: absent(),
    }),
    ...write,
  },
  wake: {
    params: shape({
      mode: enums(['now', 'next-heartbeat']),
      text: text(),
      sessionKey: optional(upstreamKey()),
      agentId: optional(word()),
    }),
    ...write,
  },
} as const satisfies Record<string, UpstreamMethod>
