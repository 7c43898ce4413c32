/**
 * The Discord adapter: one bot.
 *
 * Promises: `open` resolves when the token was accepted and a session has begun or was resumed;
 * `deliver` when Discord has given the message an id. The libraries are optional peers, imported when
 * a link is opened: where one is missing the channel fails, and says what to install. Steps 1 and 7
 * of 8.
 */
import type * as Core from '@discordjs/core/http-only'
import type * as Rest from '@discordjs/rest'
import type * as Ws from '@discordjs/ws'
import type { ResolvedDiscord } from '../../protocol/config/discord.ts'
import { messageOf } from '../../protocol/errors.ts'
import { memberOf } from '../../protocol/members.ts'
import type { Services } from '../services.ts'
import { type ChannelAdapter, type ChannelHost, LinkFault, Unreached } from './adapter.ts'
import { DiscordApi } from './discord-api.ts'
import type { Intents } from './discord-link.ts'
import { DiscordSession } from './discord-session.ts'

/** What has to be installed, as a shell tells npm; short enough to be shown whole. */
export const DISCORD_PACKAGES = '@discordjs/{core@2.6.0,rest@2.6.3,ws@2.0.4}'

/** The libraries that are used. */
export interface DiscordLibraries {
  readonly core: typeof Core
  readonly rest: typeof Rest
  readonly ws: typeof Ws
}

/** Makes the Discord adapter; `load` imports the libraries. */
export function openDiscord(
  config: ResolvedDiscord,
  host: ChannelHost,
  services: Services,
  load: () => Promise<DiscordLibraries> = loadAll,
): ChannelAdapter {
  let session: DiscordSession | null = null
  const close = async (): Promise<void> => {
    session?.close()
    session = null
  }
  return {
    open: async (signal, resume) => {
      await close()
      const { core, rest, ws } = await loadLibraries(load)
      const api = new DiscordApi(core, rest, config, services.clock)
      const intents = intentsOf(core)
      const next = new DiscordSession({ ws, token: config.token, intents, host, services, api })
      session = next
      await next.begin(signal, resume)
    },
    deliver: async (message) => {
      if (session?.isUp !== true) throw new Unreached('discord: not connected')
      return session.deliver(message)
    },
    close,
  }
}

// What people write, and in which guilds there are threads.
function intentsOf({ GatewayIntentBits: each }: typeof Core): Intents {
  const wanted = [each.Guilds, each.GuildMessages, each.DirectMessages, each.MessageContent]
  return wanted.reduce((sum, bit) => sum | bit)
}

async function loadAll(): Promise<DiscordLibraries> {
  const [core, rest, ws] = await Promise.all([
    import('@discordjs/core/http-only'),
    import('@discordjs/rest'),
    import('@discordjs/ws'),
  ])
  return { core, rest, ws }
}

async function loadLibraries(load: () => Promise<DiscordLibraries>): Promise<DiscordLibraries> {
  try {
    return await load()
  } catch (thrown) {
    const isMissing = memberOf(thrown, 'code') === 'ERR_MODULE_NOT_FOUND'
    const why = isMissing
      ? `discord: npm i ${DISCORD_PACKAGES}`
      : `discord: not loaded: ${messageOf(thrown)}`
    throw new LinkFault(why, { final: true })
  }
}
