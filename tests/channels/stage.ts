/**
 * The stage of the channel contract: a server that was started, a person at the other side of it, and
 * adapters with a host that remembers what it was told.
 */
import * as assert from 'uvu/assert'
import {
  type ChannelAdapter,
  type ChannelHost,
  type DeliveryReceipt,
  LinkFault,
  type Resume,
} from '../../actors/channels/adapter.ts'
import { type Services, silentLog, systemChance, systemClock } from '../../actors/services.ts'
import { GatewayError } from '../../protocol/errors.ts'
import type { InboundMessage } from '../../protocol/message.ts'
import { hostOf } from '../support/channel-host.ts'

/** A server that was started, with a person at the other side of it. */
export interface ChannelWorld {
  /** Makes an adapter for it; the suite closes what it makes. */
  readonly adapter: (host: ChannelHost, services: Services) => ChannelAdapter
  /** The person writes to the bot; resolves when the server has it. */
  readonly say: (text: string) => Promise<void>
  /** What the person was sent, in order. */
  readonly heard: () => readonly string[]
  readonly person: { readonly target: string; readonly senderId: string }
  /** Kills the server, and starts it again where it was. */
  readonly stop: () => Promise<void>
  readonly start: () => Promise<void>
  /** Cuts what the server has open towards us, as our own death does. */
  readonly hangUp?: () => void
  /**
   * The server takes what it is sent and answers nothing more, until it is stopped; resolves when
   * something is on its way to it. Absent: this server cannot (`skipped.ts` says so).
   */
  readonly freeze?: () => Promise<void>
  /** The next message is refused: come back in two seconds. Absent: the platform has no such word. */
  readonly refuseOnce?: () => void
  /** Our credentials hold no more. Absent: there are none. */
  readonly revoke?: () => Promise<void>
  readonly close: () => Promise<void>
}

/** A kind of server, and what it can do. */
export interface ChannelKind {
  readonly name: string
  readonly start: () => Promise<ChannelWorld>
  readonly badTargets: readonly string[]
  /** A target that there could be and that there is not; null: the platform does not tell. */
  readonly absent: string | null
  /** Has a link that can be up or down; else every delivery stands for itself. */
  readonly links: boolean
  /** Sees at once that the other side is gone; else it asks from time to time. */
  readonly noticesDrops: boolean
  /** Brings again what was not taken. */
  readonly redelivers: boolean
  /** Longer than one message may be there. */
  readonly longText: string
  /** Puts the pieces of a long text together again. */
  readonly join: (pieces: readonly string[]) => string
}

/** What an adapter told its host. */
export interface Told {
  readonly messages: InboundMessage[]
  readonly cursors: (string | undefined)[]
  readonly dropped: string[]
  readonly finals: boolean[]
  signs: number
}

/** One world, and what makes adapters for it. */
export interface Stage {
  readonly world: ChannelWorld
  readonly make: (received?: (message: InboundMessage) => Promise<void>) => Made
}

/** An adapter and what it told. */
export interface Made {
  readonly adapter: ChannelAdapter
  readonly told: Told
}

const services: Services = { clock: systemClock, chance: systemChance, log: silentLog }

/** Runs one case in a world of its own. */
export async function onStage(
  kind: ChannelKind,
  run: (stage: Stage) => Promise<void>,
): Promise<void> {
  const world = await kind.start()
  const adapters: ChannelAdapter[] = []
  const make: Stage['make'] = (received = async () => {}) => {
    const told: Told = { messages: [], cursors: [], dropped: [], finals: [], signs: 0 }
    const host = hostOf({
      received: async (message, cursor) => {
        await received(message)
        told.messages.push(message)
        told.cursors.push(cursor)
      },
      passed: (cursor) => told.cursors.push(cursor),
      heard: () => {
        told.signs += 1
      },
      dropped: (reason, { final = false } = {}) => {
        told.dropped.push(reason)
        told.finals.push(final)
      },
    })
    const adapter = world.adapter(host, services)
    adapters.push(adapter)
    return { adapter, told }
  }
  try {
    await run({ world, make })
  } finally {
    for (const adapter of adapters) await adapter.close()
    await world.close()
  }
}

/** Delivers a text. */
export const deliver = (
  { adapter }: Made,
  target: string,
  text: string,
): Promise<DeliveryReceipt> =>
  adapter.deliver({ target, text, deliveryId: `d-${text.slice(0, 8)}` })

/** Waits for why an adapter does not open; fails where it does. */
export async function refusalOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => assert.unreachable('it opened'),
    (fault: unknown) => fault,
  )
}

/** What was handed over. */
export const texts = ({ messages }: Told): string[] => messages.map(({ text }) => text)

/** Whether a refusal says that dialling again would end the same way. */
export function isFinal(refusal: unknown): boolean {
  if (refusal instanceof LinkFault) return refusal.end.final === true
  return refusal instanceof GatewayError && refusal.code === 'UNAUTHORIZED'
}

/** Where to go on behind all that was handed over. */
export function resumeOf({ cursors }: Told): Resume | null {
  const cursor = cursors.at(-1)
  return cursor === undefined ? null : { cursor, at: systemClock.now() }
}
