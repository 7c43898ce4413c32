/** Telegram for the contract: the fake that redelivers as the real one does, polled or posting. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { ChannelHooks } from '../../actors/channel-hooks.ts'
import type { ChannelHook } from '../../actors/channels/adapter.ts'
import { openTelegram } from '../../actors/channels/telegram.ts'
import { silentLog } from '../../actors/services.ts'
import type { ResolvedTelegram } from '../../protocol/config/channel-defaults.ts'
import { FakeTelegram, TELEGRAM_TOKEN } from '../support/telegram-fake.ts'
import type { ChannelKind, ChannelWorld } from './stage.ts'

/** A configuration for a server, changed as wished. */
export function telegramConfig(
  apiRoot: string,
  change: Partial<ResolvedTelegram> = {},
): ResolvedTelegram {
  return {
    botToken: TELEGRAM_TOKEN,
    tokenFile: null,
    account: '7700',
    apiRoot,
    webhook: null,
    dmPolicy: 'open',
    allowFrom: [],
    groupPolicy: 'allowlist',
    groups: {},
    ...change,
  }
}

/** What every Telegram server has in common. */
export const TELEGRAM: Omit<ChannelKind, 'name' | 'start' | 'noticesDrops'> = {
  badTargets: ['ann', '', '1 2', '-100:topic:', '@a'],
  absent: '404',
  links: true,
  redelivers: true,
  longText: 'Der Reiher fängt Fische 🐟 '.repeat(400).trim(),
  join: (pieces) => pieces.join(' '),
}

/** Starts the fake; `posts`: it comes to us instead of being polled. */
export async function startTelegramWorld(posts: boolean): Promise<ChannelWorld> {
  const server = await FakeTelegram.start()
  const door = posts ? await openDoor() : null
  const webhook =
    door === null ? null : { url: `${door.url}/tg`, secret: 'sesame-sesame-sesame', path: '/tg' }
  const ann = 501
  return {
    adapter: (host, services) => {
      const adapter = openTelegram(telegramConfig(server.url, { webhook }), host, services)
      if (adapter.hook !== undefined) door?.lead(adapter.hook)
      return adapter
    },
    say: async (text) => void server.say(text, { from: ann }),
    heard: () => server.sent.map(({ text }) => text),
    person: { target: String(ann), senderId: String(ann) },
    stop: () => server.stop(),
    start: () => server.listen(),
    ...(door === null ? {} : { hangUp: () => door.hangUp() }),
    freeze: () => server.freeze(),
    refuseOnce: () => server.refuse('sendMessage', 429, 'Too Many Requests', { retry_after: 2 }),
    revoke: async () => {
      server.token = 'another'
    },
    close: async () => {
      await server.stop()
      await door?.close()
    },
  }
}

/** A door of our own with the hooks of one adapter at a time. */
export interface Door {
  readonly url: string
  readonly lead: (hook: ChannelHook) => void
  readonly hangUp: () => void
  readonly close: () => Promise<void>
}

/** Opens a door, as the listener's: the same class reads what is posted. */
export async function openDoor(): Promise<Door> {
  let led: ChannelHook | null = null
  const find = (path: string): ChannelHook['answer'] | null => {
    const hook = led
    return hook?.path === path ? (request) => hook.answer(request) : null
  }
  const hooks = new ChannelHooks({ hook: find }, silentLog)
  const server = createServer((request, response) => {
    const { method = '', url = '' } = request
    if (hooks.handles(method, url)) void hooks.answer(request, response, url)
    else response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lead: (hook) => {
      led = hook
    },
    hangUp: () => server.closeAllConnections(),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
