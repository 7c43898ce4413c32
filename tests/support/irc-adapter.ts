/**
 * An IRC adapter with a host that remembers what it was told.
 */
import type { ChannelAdapter } from '../../actors/channels/adapter.ts'
import { openIrc } from '../../actors/channels/irc.ts'
import { type Clock, silentLog, systemChance, systemClock } from '../../actors/services.ts'
import { type ResolvedIrc, resolveConfig } from '../../protocol/config/defaults.ts'
import { GatewayError } from '../../protocol/errors.ts'
import type { InboundMessage } from '../../protocol/message.ts'
import { thrownBy } from './attempts.ts'
import { hostOf } from './channel-host.ts'

/** What an adapter told its host, and a way to wait for it. */
export interface Heard {
  readonly messages: InboundMessage[]
  readonly dropped: string[]
  lost: number
  readonly until: (done: () => boolean) => Promise<void>
}

/** The configuration of `heron` in `#Home`, changed as wished. */
export function configOf(port: number, change: Partial<ResolvedIrc> = {}): ResolvedIrc {
  const { irc: resolved } = resolveConfig({
    channels: { irc: { host: '127.0.0.1', port, tls: false, nick: 'heron', channels: ['#Home'] } },
  })
  return { ...resolved!, ...change }
}

/** Makes an adapter that the scene closes at its end. */
export function adapterOf(
  scene: { readonly adapters: ChannelAdapter[] },
  config: ResolvedIrc,
  options: { clock?: Clock; received?: (message: InboundMessage) => Promise<void> } = {},
): { adapter: ChannelAdapter; heard: Heard } {
  const waiters = new Set<() => void>()
  const wake = (): void => {
    for (const waiter of waiters) waiter()
  }
  const heard: Heard = {
    messages: [],
    dropped: [],
    lost: 0,
    until: async (done) => {
      while (!done()) {
        await new Promise<void>((resolve) => {
          waiters.add(resolve)
        })
      }
    },
  }
  const adapter = openIrc(
    config,
    hostOf({
      received: async (message) => {
        await options.received?.(message)
        heard.messages.push(message)
        wake()
      },
      dropped: (reason) => {
        heard.dropped.push(reason)
        wake()
      },
      lost: (count) => {
        heard.lost += count
        wake()
      },
    }),
    { clock: options.clock ?? systemClock, chance: systemChance, log: silentLog },
  )
  scene.adapters.push(adapter)
  return { adapter, heard }
}

/** Waits for the GatewayError of an attempt; fails where there is none. */
export const refusalOf = (attempt: Promise<unknown>): Promise<GatewayError> =>
  thrownBy(attempt, GatewayError)
