/**
 * `channels.discord`: its shape, with upstream's keys, and its defaults.
 *
 * Upstream orders rooms by guild; policies know rooms by their id, and guilds as spaces. A guild that
 * names channels takes messages in these only, as upstream's does.
 */
import { createHash } from 'node:crypto'
import { Buffer } from 'node:buffer'
import { array, type Infer, object, optional } from 'superstruct'
import { discordSpace } from '../channels/discord.ts'
import { approversOf, execApprovals } from './approvers.ts'
import type { ResolvedAccess, ResolvedGroup } from './channel-defaults.ts'
import {
  accountsRefused,
  directPolicy,
  flag,
  groupPolicy,
  leaf,
  mapOf,
  text,
  unread,
  unreadAll,
} from './leaves.ts'
import { toolPolicy } from './schema-tools.ts'

/** Keys of upstream's that are accepted and not acted on. */
const DISCORD_UNSUPPORTED = [
  'ackReaction',
  'actions',
  'allowBots',
  'blockStreaming',
  'capabilities',
  'chunkMode',
  'commands',
  'configWrites',
  'defaultAccount',
  'dmHistoryLimit',
  'dms',
  'draftChunk',
  'eventQueue',
  'heartbeat',
  'historyLimit',
  'inboundWorker',
  'intents',
  'markdown',
  'maxLinesPerMessage',
  'mediaMaxMb',
  'name',
  'pluralkit',
  'proxy',
  'reactionNotifications',
  'replyToMode',
  'responsePrefix',
  'retry',
  'slashCommand',
  'status',
  'streaming',
  'streamMode',
  'textChunkLimit',
  'threadBindings',
  'ui',
  'voice',
] as const

const isId = (value: string): boolean => /^(?:\*|(?:(?:discord|user):)?\d{1,20})$/.test(value)

// As a number it would have lost its last digits before anybody could see it.
const discordId = () =>
  leaf<string>(
    'a numeric Discord id in quotes, or "*"',
    (value) => typeof value === 'string' && isId(value),
  )

const roomRules = {
  requireMention: optional(flag()),
  users: optional(array(discordId())),
  roles: unread(),
  skills: unread(),
  systemPrompt: unread(),
  tools: unread(),
}

export const discordConfig = object({
  enabled: optional(flag()),
  tools: optional(toolPolicy()), // in its conversations, beside `tools`
  token: optional(text(1, 256)), // of the bot
  accounts: accountsRefused(),
  apiRoot: optional(text(1, 2_048)), // ours; URL of another API server, without its version
  dmPolicy: optional(directPolicy()),
  allowFrom: optional(array(discordId())),
  execApprovals: optional(execApprovals(discordId)),
  dm: optional(
    object({
      enabled: optional(flag()),
      policy: optional(directPolicy()),
      allowFrom: optional(array(discordId())),
      groupEnabled: unread(),
      groupChannels: unread(),
    }),
  ),
  groupPolicy: optional(groupPolicy()),
  guilds: optional(
    mapOf(
      object({
        ...roomRules,
        slug: unread(),
        reactionNotifications: unread(),
        channels: optional(
          mapOf(
            object({
              ...roomRules,
              allow: optional(flag()),
              enabled: optional(flag()),
              autoThread: unread(),
              includeThreadStarter: unread(),
            }),
          ),
        ),
      }),
    ),
  ),
  ...unreadAll(DISCORD_UNSUPPORTED),
})

export type DiscordConfig = Infer<typeof discordConfig>

export interface ResolvedDiscord extends ResolvedAccess {
  readonly token: string
  readonly account: string // whose token it is: to it belongs the cursor
  readonly apiRoot: string // without a slash at its end
}

/** Fills in the defaults; null: not configured, or not enabled. */
export function resolveDiscord(discord: DiscordConfig | undefined): ResolvedDiscord | null {
  if (discord === undefined || discord.enabled === false) return null
  const { apiRoot = 'https://discord.com/api', dm = {} } = discord
  const token = (discord.token ?? '').replace(/^Bot /, '')
  const dmPolicy = discord.dmPolicy ?? dm.policy ?? 'pairing'
  return {
    token,
    account: accountOf(token),
    apiRoot: apiRoot.replace(/\/+$/, ''),
    dmPolicy: dm.enabled === false ? 'disabled' : dmPolicy,
    allowFrom: (discord.allowFrom ?? dm.allowFrom ?? []).map(plainId),
    ...approversOf(discord.execApprovals, plainId),
    groupPolicy: discord.groupPolicy ?? 'allowlist',
    groups: Object.fromEntries(
      Object.entries(discord.guilds ?? {}).flatMap(([id, guild]) => roomsOf(id, guild)),
    ),
  }
}

type Guild = NonNullable<DiscordConfig['guilds']>[string]

// No snowflake is written so: nobody is let in.
const SHUT: ResolvedGroup = { requireMention: true, allowFrom: ['nobody'] }

function roomsOf(id: string, guild: Guild): [string, ResolvedGroup][] {
  const { channels = {} } = guild
  const space = id === '*' ? '*' : discordSpace(id)
  const named = Object.entries(channels).map(([room, rules]): [string, ResolvedGroup] => {
    const isShut = rules.allow === false || rules.enabled === false
    const { users = guild.users, roles = guild.roles } = rules
    const { requireMention = guild.requireMention } = rules
    return [room === '*' ? space : room, isShut ? SHUT : openTo({ requireMention, users, roles })]
  })
  if (channels['*'] !== undefined) return named
  return [...named, [space, named.length === 0 ? openTo(guild) : SHUT]]
}

// Whoever is let in by a role alone is not known here: so nobody is.
function openTo({
  requireMention = true,
  users,
  roles,
}: Pick<Guild, 'requireMention' | 'users' | 'roles'>): ResolvedGroup {
  if (users === undefined && roles !== undefined) return SHUT
  return { requireMention, allowFrom: (users ?? []).map(plainId) }
}

function plainId(id: string): string {
  return id.replace(/^(?:discord|user):/, '')
}

// A token begins with its bot's id in base64; of one that does not, no more than a digest is told.
function accountOf(token: string): string {
  const [first = ''] = token.split('.')
  const id = Buffer.from(first, 'base64').toString('latin1')
  if (/^\d{1,20}$/.test(id)) return id
  return createHash('sha256').update(token).digest('hex').slice(0, 16)
}
