/** Rules over several keys of `channels.discord`. */
import type { DiscordConfig } from './discord.ts'
import { isHttpRoot } from './http-root.ts'
import type { ConfigIssue } from './parse.ts'
import { formatPath } from './path.ts'

/** Collects what is wrong with several keys at once. */
export function checkDiscord(discord: DiscordConfig | undefined): ConfigIssue[] {
  if (discord === undefined || discord.enabled === false) return []
  const { token, apiRoot, guilds = {} } = discord
  const issues: ConfigIssue[] = []
  if (token === undefined) {
    issues.push(issue(['token'], 'required while channels.discord is enabled'))
  } else if (!/^(?:Bot )?[\w.-]+$/.test(token)) {
    issues.push(issue(['token'], 'expected a token as the developer portal gives it'))
  }
  if (apiRoot !== undefined && !isHttpRoot(apiRoot)) {
    const reason = 'expected an https URL, or an http URL of this machine, without a query'
    issues.push(issue(['apiRoot'], reason))
  }
  for (const [id, { channels = {} }] of Object.entries(guilds)) {
    if (!isPlace(id)) issues.push(issue(['guilds', id], 'expected the id of a guild, or "*"'))
    for (const room of Object.keys(channels).filter((each) => !isPlace(each))) {
      const path = ['guilds', id, 'channels', room]
      issues.push(issue(path, 'expected the id of a channel, or "*"'))
    }
  }
  return issues
}

const isPlace = (id: string): boolean => /^(?:\*|\d{1,20})$/.test(id)

function issue(path: readonly string[], reason: string): ConfigIssue {
  const at = formatPath(['channels', 'discord', ...path])
  return { path: at, message: `${at}: ${reason}` }
}
