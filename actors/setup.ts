/** From configuration to channels: which adapter serves each, and by which rules. */
import type { ChannelPolicy } from '../machines/rules/policy.ts'
import { foldIrc, isIrcTarget } from '../protocol/channels/irc.ts'
import { parseDiscordTarget } from '../protocol/channels/discord.ts'
import { parseTelegramTarget } from '../protocol/channels/telegram.ts'
import { parseWebhookTarget } from '../protocol/channels/webhook.ts'
import { whatsappAddress } from '../protocol/channels/whatsapp.ts'
import {
  type ResolvedAccess,
  type ResolvedTelegram,
  type ResolvedWebhookChannel,
  telegramAccount,
} from '../protocol/config/channel-defaults.ts'
import type { ResolvedConfig, ResolvedIrc } from '../protocol/config/defaults.ts'
import type { ResolvedDiscord } from '../protocol/config/discord.ts'
import type { ResolvedWhatsApp } from '../protocol/config/whatsapp.ts'
import type { InboundMessage } from '../protocol/message.ts'
import { directSessionKey, roomSessionKey, threadSessionKey } from '../protocol/session-key.ts'
import type { ChannelSetup } from './channel-setup.ts'
import type { ChannelAdapter, ChannelHost } from './channels/adapter.ts'
import { openDiscord } from './channels/discord.ts'
import { openIrc } from './channels/irc.ts'
import { openTelegram } from './channels/telegram.ts'
import { openWebhook } from './channels/webhook.ts'
import { openWhatsApp } from './channels/whatsapp.ts'
import { heldDirectory, openHeldFiles } from './held-files.ts'
import { openSecretFiles, secretsDirectory } from './secret-files.ts'
import { TokenFile } from './token-file.ts'
import { namedFile } from './config-files.ts'
import type { Services } from './services.ts'
import { postWebhook } from './webhook.ts'

const AGENT = 'main'

/** Where things of channels lie beside the configuration. */
export interface ChannelPaths {
  readonly stateDir: string
  readonly configPath: string
}

/** Lists the configured channels. */
export function setUpChannels(
  config: ResolvedConfig,
  services: Services,
  paths: ChannelPaths,
): ChannelSetup[] {
  const { discord, irc, telegram, webhook, whatsapp } = config
  return [
    ...(irc === null ? [] : [setUpIrc(irc, config, services)]),
    ...(discord === null ? [] : [setUpDiscord(discord, config, services)]),
    ...(telegram === null ? [] : [setUpTelegram(telegram, config, services, paths)]),
    ...(webhook === null ? [] : [setUpWebhook(webhook, config, services)]),
    ...(whatsapp === null ? [] : [setUpWhatsApp(whatsapp, config, services, paths)]),
  ]
}

function setUpIrc(irc: ResolvedIrc, config: ResolvedConfig, services: Services): ChannelSetup {
  return {
    name: 'irc',
    // IRC compares names without case, in its own alphabet.
    policy: policyOf(irc, foldIrc),
    open: (host) => openIrc(irc, host, services),
    refuseTarget: (target) =>
      isIrcTarget(target) ? null : `expected a nick or a #room, got ${JSON.stringify(target)}`,
    sessionKey: (message) => sessionKeyOf('irc', message, config),
  }
}

function setUpDiscord(
  discord: ResolvedDiscord,
  config: ResolvedConfig,
  services: Services,
): ChannelSetup {
  return {
    name: 'discord',
    policy: policyOf(discord, (id) => id),
    account: discord.account,
    open: (host) => openDiscord(discord, host, services),
    refuseTarget: (target) =>
      parseDiscordTarget(target) === null
        ? `expected channel:ID or user:ID, got ${JSON.stringify(target)}`
        : null,
    sessionKey: (message) => sessionKeyOf('discord', message, config),
  }
}

function setUpTelegram(
  telegram: ResolvedTelegram,
  config: ResolvedConfig,
  services: Services,
  { configPath }: ChannelPaths,
): ChannelSetup {
  const { account, tokenFile, webhook } = telegram
  const open = (host: ChannelHost, botToken = telegram.botToken): ChannelAdapter =>
    openTelegram({ ...telegram, botToken }, host, services)
  const setup = {
    name: 'telegram',
    policy: policyOf(telegram, (id) => id),
    refuseTarget: (target: string) =>
      parseTelegramTarget(target) === null
        ? `expected a chat such as 123, -100123:topic:7 or @name, got ${JSON.stringify(target)}`
        : null,
    sessionKey: (message: InboundMessage) => sessionKeyOf('telegram', message, config),
  } satisfies Partial<ChannelSetup>
  if (tokenFile === null) return { ...setup, account, open: (host) => open(host) }
  const path = namedFile(tokenFile, configPath)
  const file = new TokenFile({ name: 'telegram', path, accountOf: telegramAccount })
  return {
    ...setup,
    get account() {
      return file.account
    },
    open: (host) => file.adapter((token) => open(host, token), webhook?.path ?? null),
  }
}

function setUpWebhook(
  webhook: ResolvedWebhookChannel,
  config: ResolvedConfig,
  services: Services,
): ChannelSetup {
  return {
    name: 'webhook',
    policy: policyOf(webhook, (id) => id),
    open: (host) => openWebhook(webhook, host, services, postWebhook),
    refuseTarget: (target) =>
      parseWebhookTarget(target) === null
        ? `expected a name or room:NAME, got ${JSON.stringify(target)}`
        : null,
    sessionKey: (message) => sessionKeyOf('webhook', message, config),
  }
}

function setUpWhatsApp(
  whatsapp: ResolvedWhatsApp,
  config: ResolvedConfig,
  services: Services,
  { stateDir }: ChannelPaths,
): ChannelSetup {
  const files = {
    secrets: openSecretFiles(secretsDirectory(stateDir, 'whatsapp')),
    held: openHeldFiles(heldDirectory(stateDir, 'whatsapp')),
  }
  return {
    name: 'whatsapp',
    policy: policyOf(whatsapp, (id) => id),
    open: (host) => openWhatsApp(files, host, services),
    refuseTarget: (target) =>
      whatsappAddress(target) === null
        ? `expected a number such as +8613800138000 or N@g.us, got ${JSON.stringify(target)}`
        : null,
    sessionKey: (message) => sessionKeyOf('whatsapp', message, config),
  }
}

function policyOf(
  { dmPolicy, allowFrom, groupPolicy, groups, approvers }: ResolvedAccess,
  fold: (id: string) => string,
): ChannelPolicy {
  const rooms = Object.entries(groups).map(([room, rules]) => [
    fold(room),
    { requireMention: rules.requireMention, allowFrom: rules.allowFrom.map((id) => fold(id)) },
  ])
  return {
    dmPolicy,
    allowFrom: allowFrom.map((id) => fold(id)),
    groupPolicy,
    rooms: Object.fromEntries(rooms) as ChannelPolicy['rooms'],
    ...(approvers === undefined ? {} : { approvers: approvers.map((id) => fold(id)) }),
  }
}

/** Names the session of an inbound message: a person's own, the room's, or that of its topic. */
function sessionKeyOf(channel: string, message: InboundMessage, config: ResolvedConfig): string {
  const { peer, senderId, roomId, threadId } = message
  if (peer !== 'direct') {
    const room = roomSessionKey(AGENT, channel, peer, roomId)
    if (threadId === undefined) return room
    return threadSessionKey(room, channel === 'telegram' ? 'topic' : 'thread', threadId)
  }
  const from = { channel, account: 'default', peer: senderId }
  return directSessionKey(AGENT, config.session.dmScope, from)
}
