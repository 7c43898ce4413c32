/** A fake Discord with adapters, for tests of the adapter alone. */
import type { ChannelAdapter, Resume } from '../../actors/channels/adapter.ts'
import { openDiscord } from '../../actors/channels/discord.ts'
import {
  type Clock,
  type Log,
  silentLog,
  systemChance,
  systemClock,
} from '../../actors/services.ts'
import type { InboundMessage } from '../../protocol/message.ts'
import { discordConfig } from '../channels/discord-world.ts'
import { hostOf } from './channel-host.ts'
import { FakeDiscord } from './discord-fake.ts'

/** A fake Discord, and adapters with a host that remembers what it was told. */
export interface DiscordScene {
  readonly server: FakeDiscord
  readonly messages: InboundMessage[]
  readonly cursors: string[]
  readonly dropped: { reason: string; final: boolean }[]
  readonly warnings: string[]
  readonly known: string[] // conversations
  /** Makes an adapter, which is closed at the end. */
  readonly adapter: (options?: Options) => ChannelAdapter
  /** Where the house would resume. */
  readonly resume: () => Resume
}

/** How an adapter is made. */
export interface Options {
  readonly clock?: Clock
  readonly received?: () => Promise<void>
  readonly load?: Parameters<typeof openDiscord>[3]
}

/** Runs a case on a scene of its own. */
export async function onDiscord(run: (scene: DiscordScene) => Promise<void>): Promise<void> {
  const server = await FakeDiscord.start()
  const adapters: ChannelAdapter[] = []
  const messages: InboundMessage[] = []
  const cursors: string[] = []
  const dropped: DiscordScene['dropped'] = []
  const warnings: string[] = []
  const known: string[] = []
  const log: Log = { ...silentLog, warn: (phrase) => warnings.push(phrase) }
  const adapter: DiscordScene['adapter'] = ({ clock = systemClock, received, load } = {}) => {
    const host = hostOf({
      received: async (message, cursor = '') => {
        await received?.()
        messages.push(message)
        cursors.push(cursor)
      },
      passed: (cursor) => cursors.push(cursor),
      conversations: () => known,
      dropped: (reason, { final = false } = {}) => dropped.push({ reason, final }),
    })
    const services = { clock, chance: systemChance, log }
    const made = openDiscord(discordConfig(server.url), host, services, load)
    adapters.push(made)
    return made
  }
  const resume = (): Resume => ({ cursor: cursors.at(-1) ?? '', at: systemClock.now() })
  try {
    await run({ server, messages, cursors, dropped, warnings, known, adapter, resume })
  } finally {
    for (const made of adapters) await made.close()
    await server.stop()
  }
}

/** What was handed over. */
export const texts = ({ messages }: DiscordScene): string[] => messages.map(({ text }) => text)
