/** Rules over several keys of the channels whose platforms speak HTTP. */
import { quote } from '../ids.ts'
import { HOOK_PATHS } from './channel-defaults.ts'
import { isTelegramId } from './channel-schema.ts'
import { checkDiscord } from './discord-check.ts'
import { isHttpRoot, isLocal } from './http-root.ts'
import type { ConfigIssue } from './parse.ts'
import { formatPath } from './path.ts'
import type { GatewayConfig } from './schema.ts'

/** Collects what is wrong with them. */
export function checkHttpChannels(config: GatewayConfig): ConfigIssue[] {
  const discord = checkDiscord(config.channels?.discord)
  return [...checkTelegram(config), ...discord, ...checkWebhook(config), ...checkPaths(config)]
}

function checkTelegram({ channels = {} }: GatewayConfig): ConfigIssue[] {
  const { telegram } = channels
  if (telegram === undefined || telegram.enabled === false) return []
  const { botToken, tokenFile, apiRoot, webhookUrl, webhookSecret, webhookPath } = telegram
  const at = (key: string, reason: string): ConfigIssue =>
    issue(['channels', 'telegram', key], reason)
  const issues: ConfigIssue[] = []
  if (botToken === undefined && tokenFile === undefined) {
    issues.push(at('botToken', 'required while channels.telegram is enabled, or tokenFile'))
  } else if (/[^\w:-]/.test(botToken ?? '')) {
    issues.push(at('botToken', 'expected a token as BotFather gives it'))
  }
  if (apiRoot !== undefined && !isHttpRoot(apiRoot)) {
    const reason = 'expected an https URL, or an http URL of this machine, without a query'
    issues.push(at('apiRoot', reason))
  }
  if (webhookUrl !== undefined && !isPostable(webhookUrl, isLocal(apiRoot))) {
    issues.push(at('webhookUrl', 'expected an https URL without a user'))
  }
  if (webhookUrl !== undefined && webhookSecret === undefined) {
    issues.push(at('webhookSecret', 'required by channels.telegram.webhookUrl'))
  }
  if (webhookSecret !== undefined && !/^[\w-]{16,256}$/.test(webhookSecret)) {
    const reason = 'expected 16 to 256 letters, digits, underscores and hyphens'
    issues.push(at('webhookSecret', reason))
  }
  if (webhookPath !== undefined && !isPath(webhookPath)) {
    issues.push(at('webhookPath', `expected a path of its own, got ${quote(webhookPath)}`))
  }
  for (const room of Object.keys(telegram.groups ?? {})) {
    if (isTelegramId(room)) continue
    const path = ['channels', 'telegram', 'groups', room]
    issues.push(issue(path, 'expected the numeric id of a group, or "*"'))
  }
  return issues
}

function checkWebhook({ channels = {} }: GatewayConfig): ConfigIssue[] {
  const { webhook } = channels
  if (webhook === undefined || webhook.enabled === false) return []
  const { secret, path, url, allowPrivate } = webhook
  const at = (key: string, reason: string): ConfigIssue =>
    issue(['channels', 'webhook', key], reason)
  const issues: ConfigIssue[] = []
  if (secret === undefined) {
    issues.push(at('secret', 'required while channels.webhook is enabled, to sign'))
  } else if (secret.trim() === '') {
    issues.push(at('secret', 'expected a secret, got only spaces'))
  }
  if (path !== undefined && !isPath(path)) {
    issues.push(at('path', `expected a path of its own, got ${quote(path)}`))
  }
  if (url !== undefined && !isPostable(url, allowPrivate === true)) {
    issues.push(at('url', 'expected an https URL without a user'))
  }
  return issues
}

// One path is one channel's.
function checkPaths({ channels = {} }: GatewayConfig): ConfigIssue[] {
  const { telegram, webhook } = channels
  if (telegram?.webhookUrl === undefined || telegram.enabled === false) return []
  if (webhook === undefined || webhook.enabled === false) return []
  const [theirs, ours] = [
    telegram.webhookPath ?? HOOK_PATHS.telegram,
    webhook.path ?? HOOK_PATHS.webhook,
  ]
  if (theirs !== ours) return []
  return [issue(['channels', 'webhook', 'path'], 'is channels.telegram.webhookPath as well')]
}

function isPostable(text: string, mayBePlain: boolean): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  if (`${username}${password}` !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && mayBePlain)
}

const TAKEN = /^\/(?:health|healthz|startupz|readyz|metrics|v1\/.*|control-ui-config\.json)?$/

function isPath(text: string): boolean {
  return /^\/[\w~-][\w./~-]*$/.test(text) && !text.includes('..') && !TAKEN.test(text)
}

function issue(path: readonly string[], reason: string): ConfigIssue {
  const at = formatPath(path)
  return { path: at, message: `${at}: ${reason}` }
}
