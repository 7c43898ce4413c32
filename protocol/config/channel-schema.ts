/**
 * The shapes of channels whose platforms speak HTTP: Telegram, with upstream's keys, and webhooks.
 * What depends on two keys at once is checked in `channel-check.ts`.
 */
import { array, type Infer, object, optional } from 'superstruct'
import { execApprovals } from './approvers.ts'
import {
  accountsRefused,
  directPolicy,
  flag,
  groupPolicy,
  leaf,
  mapOf,
  name,
  text,
  unread,
  unreadAll,
} from './leaves.ts'
import { toolPolicy } from './schema-tools.ts'

/** Keys of upstream's that are accepted and not acted on. */
const TELEGRAM_UNSUPPORTED = [
  'ackReaction',
  'actions',
  'blockStreaming',
  'capabilities',
  'chunkMode',
  'commands',
  'configWrites',
  'customCommands',
  'defaultAccount',
  'defaultTo',
  'direct',
  'dmHistoryLimit',
  'dms',
  'healthMonitor',
  'historyLimit',
  'linkPreview',
  'markdown',
  'mediaMaxMb',
  'name',
  'network',
  'proxy',
  'reactionLevel',
  'reactionNotifications',
  'replyToMode',
  'responsePrefix',
  'retry',
  'streaming',
  'streamMode',
  'textChunkLimit',
  'threadBindings',
  'timeoutSeconds',
  'webhookCertPath',
  'webhookHost',
  'webhookPort',
] as const

/** Tells whether a text is a numeric id of Telegram's, or stands for all of them. */
export function isTelegramId(text: string): boolean {
  return /^(?:\*|(?:(?:tg|telegram):)?-?\d{1,19})$/.test(text)
}

// Upstream takes numbers too; names of people change hands, so that none is taken.
const telegramId = () =>
  leaf<string | number>('a numeric Telegram id, or "*"', (value) =>
    typeof value === 'string' ? isTelegramId(value) : Number.isSafeInteger(value),
  )

const policies = {
  dmPolicy: optional(directPolicy()),
  groupPolicy: optional(groupPolicy()),
}

export const telegramConfig = object({
  enabled: optional(flag()),
  tools: optional(toolPolicy()), // in its conversations, beside `tools`
  botToken: optional(text(1, 256)),
  tokenFile: optional(text(1, 4_096)), // holds the token instead; counts before botToken
  accounts: accountsRefused(),
  apiRoot: optional(text(1, 2_048)), // URL of a Bot API server of one's own
  webhookUrl: optional(text(1, 2_048)), // where Telegram reaches webhookPath; without it we poll
  webhookSecret: optional(text(1, 256)),
  webhookPath: optional(text(1, 256)),
  ...policies,
  allowFrom: optional(array(telegramId())),
  execApprovals: optional(execApprovals(telegramId)),
  groupAllowFrom: optional(array(telegramId())), // for groups that say nothing of their own
  groups: optional(
    mapOf(
      object({
        requireMention: optional(flag()),
        allowFrom: optional(array(telegramId())),
        enabled: unread(),
        groupPolicy: unread(),
        skills: unread(),
        systemPrompt: unread(),
        tools: unread(),
        topics: unread(),
      }),
    ),
  ),
  ...unreadAll(TELEGRAM_UNSUPPORTED),
})

export const webhookConfig = object({
  enabled: optional(flag()),
  tools: optional(toolPolicy()), // in its conversations, beside `tools`
  secret: optional(text(16, 1_024)), // signs what comes in and what goes out
  path: optional(text(1, 256)), // of our own port
  url: optional(text(1, 2_048)), // where answers are posted; without it none are
  allowPrivate: optional(flag()), // also addresses of this network, also plain http
  ...policies,
  allowFrom: optional(array(name())),
  execApprovals: optional(execApprovals(name)),
  groups: optional(
    mapOf(object({ requireMention: optional(flag()), allowFrom: optional(array(name())) })),
  ),
})

export type TelegramConfig = Infer<typeof telegramConfig>
export type WebhookConfig = Infer<typeof webhookConfig>
