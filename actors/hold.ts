/**
 * The crash-loop breaker as it runs: after too many crashes in a short time the gateway serves, but
 * its channels are held, because one of them may be the reason. The gateway's machine decides when
 * that begins and ends (machines/gateway.ts); here it is read, said, and obeyed.
 */
import type { GatewayContext } from '../machines/gateway.ts'
import { GATEWAY } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { Channels } from './channel.ts'
import type { Driver } from './outbox.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'

/** A hold that is on. */
export interface Hold {
  readonly since: number // ms since epoch: the boot that began or renewed it
  readonly until: number // ms since epoch
  readonly crashes: number // in limits.crashLoopMs before it
}

/** Reads whether channels are held; null where they are not. */
export function readHold(registry: Registry): Hold | null {
  const { heldAt = 0, crashedAt = [] } = registry.snapshot(GATEWAY).context as GatewayContext
  if (heldAt === 0) return null
  return { since: heldAt, until: heldAt + limits.holdMs, crashes: crashedAt.length }
}

/** Says in one sentence what is held, why, and how it ends. */
export function sayHold({ until, crashes }: Hold): string {
  const minutes = Math.round(limits.crashLoopMs / 60_000)
  const time = new Date(until).toISOString()
  return (
    `channels are held after ${crashes} crashes in ${minutes} minutes; ` +
    `they start at ${time}, or now: openclaw gateway release`
  )
}

/** Holds the channels at a boot, loudly. */
export async function holdChannels(
  hold: Hold,
  channels: Channels,
  { log, chance }: Services,
  cause: string,
): Promise<void> {
  log.error('channels are held', { reason: sayHold(hold) })
  await channels.hold(cause, chance.hex(limits.correlationIdBytes))
}

/** The driver of `channels.start`, which ends a hold. */
export function releaseDriver(channels: Channels, { log }: Services): [string, Driver] {
  const driver: Driver = {
    visible: false,
    run: async (_effect, { address, correlationId }) => {
      log.warn('channels are released', {})
      await channels.start(address, correlationId)
      return { type: 'effect.done' }
    },
  }
  return ['channels.start', driver]
}
