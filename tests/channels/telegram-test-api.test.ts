/**
 * The channel contract on telegram-test-api, which nobody here wrote. It has no long poll, marks an
 * update as read with its first fetch (so nothing comes again), and refuses nothing.
 */
import { createRequire } from 'node:module'
import { openTelegram } from '../../actors/channels/telegram.ts'
import { freePort } from '../support/free-port.ts'
import { TELEGRAM_TOKEN } from '../support/telegram-fake.ts'
import { channelContract } from './contract.ts'
import type { ChannelWorld } from './stage.ts'
import { TELEGRAM, telegramConfig } from './telegram-world.ts'

/** What we use of it; its own types name a package that is not installed. */
interface TestApi {
  readonly config: { readonly apiURL: string }
  readonly storage: { readonly botMessages: readonly { readonly message: { text: string } }[] }
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
  readonly getClient: (token: string, options: object) => TestUser
}

interface TestUser {
  readonly makeMessage: (text: string) => object
  readonly sendMessage: (message: object) => Promise<unknown>
}

const TestServer = createRequire(import.meta.url)('telegram-test-api') as new (
  config: object,
) => TestApi

channelContract({
  ...TELEGRAM,
  name: 'telegram-test-api',
  start,
  absent: null,
  noticesDrops: true,
  redelivers: false,
})

async function start(): Promise<ChannelWorld> {
  const port = await freePort()
  const open = async (): Promise<TestApi> => {
    const server = new TestServer({ port, host: '127.0.0.1' })
    await server.start()
    return server
  }
  let server = await open()
  let running = true
  const before: string[] = [] // What it forgets with its end.
  const heard = (): string[] => server.storage.botMessages.map(({ message }) => message.text)
  const stop = async (): Promise<void> => {
    if (!running) return
    running = false
    before.push(...heard())
    await server.stop()
  }
  return {
    adapter: (host, services) => openTelegram(telegramConfig(server.config.apiURL), host, services),
    say: async (text) => {
      const ann = server.getClient(TELEGRAM_TOKEN, { userId: 501, chatId: 501, firstName: 'Ann' })
      await ann.sendMessage(ann.makeMessage(text))
    },
    heard: () => (running ? [...before, ...heard()] : before),
    person: { target: '501', senderId: '501' },
    stop,
    start: async () => {
      server = await open()
      running = true
    },
    close: stop,
  }
}
