/**
 * The Telegram adapter: one bot.
 *
 * Promises: `open` resolves when the token was accepted and updates are asked for, or posted to us;
 * `deliver` when Telegram has given the message a number. grammY is an optional peer, imported when a
 * link is opened: where it is missing the channel fails, and says what to install. Steps 1 and 7 of 8.
 */
import type * as Grammy from 'grammy'
import type { ResolvedTelegram } from '../../protocol/config/channel-defaults.ts'
import { messageOf } from '../../protocol/errors.ts'
import { memberOf } from '../../protocol/members.ts'
import type { Services } from '../services.ts'
import { type ChannelAdapter, type ChannelHost, LinkFault, Unreached } from './adapter.ts'
import { CallFault, TelegramApi } from './telegram-api.ts'
import { TelegramSession } from './telegram-session.ts'

/** What has to be installed, as npm is told. */
export const GRAMMY = 'grammy@1.46.0'

/** Makes the Telegram adapter; `load` imports grammY. */
export function openTelegram(
  config: ResolvedTelegram,
  host: ChannelHost,
  services: Services,
  load: () => Promise<typeof Grammy> = () => import('grammy'),
): ChannelAdapter {
  let session: TelegramSession | null = null
  let opening = new AbortController()
  const close = async (): Promise<void> => {
    opening.abort()
    session?.close()
    session = null
  }
  return {
    open: async (signal, resume) => {
      await close()
      opening = new AbortController()
      const either = AbortSignal.any([signal, opening.signal])
      const api = new TelegramApi(await loadGrammy(load), config, services)
      try {
        const bot = await api.getMe(either)
        const next = new TelegramSession({ config, host, services, api, bot })
        await next.begin(either, resume)
        session = next
      } catch (thrown) {
        throw thrown instanceof CallFault ? thrown.asLinkFault() : thrown
      }
    },
    deliver: async (message) => {
      if (session === null) throw new Unreached('telegram: not connected')
      return session.deliver(message)
    },
    close,
    ...(config.webhook === null
      ? {}
      : {
          hook: {
            path: config.webhook.path,
            answer: async (request) =>
              session === null
                ? { status: 503, body: { error: 'not open' }, retryAfterMs: 1_000 }
                : session.take(request),
          },
        }),
  }
}

async function loadGrammy(load: () => Promise<typeof Grammy>): Promise<typeof Grammy> {
  try {
    return await load()
  } catch (thrown) {
    if (memberOf(thrown, 'code') !== 'ERR_MODULE_NOT_FOUND') {
      throw new LinkFault(`telegram: grammY cannot be loaded: ${messageOf(thrown)}`, {
        final: true,
      })
    }
    throw new LinkFault(`telegram: a package is missing: npm install ${GRAMMY}`, { final: true })
  }
}
