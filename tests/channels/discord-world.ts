/** Discord for the contract: the fake with a gateway that demands RESUME and replays. */
import { openDiscord } from '../../actors/channels/discord.ts'
import type { ResolvedDiscord } from '../../protocol/config/discord.ts'
import { DISCORD_BOT, DISCORD_TOKEN, FakeDiscord } from '../support/discord-fake.ts'
import type { ChannelWorld } from './stage.ts'

/** A configuration for a server, changed as wished. */
export function discordConfig(
  apiRoot: string,
  change: Partial<ResolvedDiscord> = {},
): ResolvedDiscord {
  return {
    token: DISCORD_TOKEN,
    account: DISCORD_BOT,
    apiRoot,
    dmPolicy: 'open',
    allowFrom: [],
    groupPolicy: 'allowlist',
    groups: {},
    ...change,
  }
}

/** Starts the fake, with a person who writes to the bot alone. */
export async function startDiscordWorld(): Promise<ChannelWorld> {
  const server = await FakeDiscord.start()
  return {
    adapter: (host, services) => openDiscord(discordConfig(server.url), host, services),
    say: async (text) => void server.say(text),
    heard: () => server.posted.map(({ content }) => content),
    person: { target: 'user:501', senderId: '501' },
    stop: () => server.stop(),
    start: () => server.listen(),
    freeze: () => server.freeze(),
    refuseOnce: () => server.refuse(429, { message: 'wait', retry_after: 2, global: false }),
    revoke: async () => {
      server.token = 'another'
    },
    close: () => server.stop(),
  }
}
