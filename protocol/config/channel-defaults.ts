/** Channels whose platforms speak HTTP, with every default filled in. */
import { createHash } from 'node:crypto'
import { approversOf } from './approvers.ts'
import type { TelegramConfig, WebhookConfig } from './channel-schema.ts'

/** Who may speak, whatever the platform. Ids are as the platform writes them, or '*'. */
export interface ResolvedAccess {
  readonly dmPolicy: 'pairing' | 'allowlist' | 'open' | 'disabled'
  readonly allowFrom: readonly string[]
  readonly groupPolicy: 'allowlist' | 'open' | 'disabled'
  readonly groups: Readonly<Record<string, ResolvedGroup>> // by room id, or '*'
  readonly approvers?: readonly string[] // absent: whom allowFrom lists by id
}

export interface ResolvedGroup {
  readonly requireMention: boolean
  readonly allowFrom: readonly string[]
}

export interface ResolvedTelegram extends ResolvedAccess {
  readonly botToken: string // empty: it rests in tokenFile
  readonly tokenFile: string | null
  readonly account: string // whose token it is: to it belong message ids and the cursor
  readonly apiRoot: string // without a slash at its end
  readonly webhook: {
    readonly url: string
    readonly secret: string
    readonly path: string
  } | null // null: we poll
}

export interface ResolvedWebhookChannel extends ResolvedAccess {
  readonly secret: string
  readonly path: string
  readonly url: string | null // null: nothing goes out
  readonly allowPrivate: boolean
}

/** Where Telegram posts to, and where programs do, unless it is said. */
export const HOOK_PATHS = { telegram: '/telegram-webhook', webhook: '/hooks/message' } as const

/** Fills in Telegram's defaults; null: not configured, or not enabled. */
export function resolveTelegram(telegram: TelegramConfig | undefined): ResolvedTelegram | null {
  if (telegram === undefined || telegram.enabled === false) return null
  const {
    botToken = '',
    tokenFile = null,
    webhookUrl,
    webhookSecret,
    webhookPath,
    ...rest
  } = telegram
  const everywhere = (rest.groupAllowFrom ?? []).map(plainId)
  return {
    botToken: tokenFile === null ? botToken : '',
    tokenFile,
    account: telegramAccount(botToken),
    apiRoot: (rest.apiRoot ?? 'https://api.telegram.org').replace(/\/+$/, ''),
    webhook:
      webhookUrl === undefined || webhookSecret === undefined
        ? null
        : { url: webhookUrl, secret: webhookSecret, path: webhookPath ?? HOOK_PATHS.telegram },
    dmPolicy: rest.dmPolicy ?? 'pairing',
    allowFrom: (rest.allowFrom ?? []).map(plainId),
    ...approversOf(rest.execApprovals, plainId),
    groupPolicy: rest.groupPolicy ?? 'allowlist',
    groups: Object.fromEntries(
      Object.entries(rest.groups ?? {}).map(([room, { requireMention, allowFrom }]) => [
        plainId(room),
        {
          requireMention: requireMention ?? true,
          allowFrom: allowFrom === undefined ? everywhere : allowFrom.map(plainId),
        },
      ]),
    ),
  }
}

/** Fills in the webhook channel's defaults; null: not configured, or not enabled. */
export function resolveWebhookChannel(
  webhook: WebhookConfig | undefined,
): ResolvedWebhookChannel | null {
  if (webhook === undefined || webhook.enabled === false) return null
  return {
    secret: webhook.secret ?? '',
    path: webhook.path ?? HOOK_PATHS.webhook,
    url: webhook.url ?? null,
    allowPrivate: webhook.allowPrivate ?? false,
    dmPolicy: webhook.dmPolicy ?? 'allowlist',
    allowFrom: webhook.allowFrom ?? [],
    ...approversOf(webhook.execApprovals),
    groupPolicy: webhook.groupPolicy ?? 'allowlist',
    groups: Object.fromEntries(
      Object.entries(webhook.groups ?? {}).map(([room, { requireMention, allowFrom }]) => [
        room,
        { requireMention: requireMention ?? true, allowFrom: allowFrom ?? [] },
      ]),
    ),
  }
}

function plainId(id: string | number): string {
  return String(id).replace(/^(?:tg|telegram):/, '')
}

/** Names whose token it is: it begins with its bot's id; of one that does not, a digest is told. */
export function telegramAccount(botToken: string): string {
  const [, id] = /^(\d{1,19}):/.exec(botToken) ?? []
  return id ?? createHash('sha256').update(botToken).digest('hex').slice(0, 16)
}
