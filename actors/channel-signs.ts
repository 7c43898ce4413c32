/**
 * What an adapter tells of its link, and what becomes of it: records on its channel's stream.
 */
import type { Move } from '../machines/rules/moves.ts'
import { toGatewayError } from '../protocol/errors.ts'
import { cutText, streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { hear, type Link, setLink } from './channel-link.ts'
import type { ChannelHouse } from './channel-setup.ts'
import type { ChannelHost, LinkEnd } from './channels/adapter.ts'
import type { Message } from './durable.ts'

/** Makes the part of a host that hears of its adapter's link, and of what it has lost. */
export function signsOf(
  name: string,
  link: Link,
  house: ChannelHouse,
): Pick<ChannelHost, 'heard' | 'dropped' | 'lost' | 'moved'> {
  const { clock } = house.services
  return {
    heard: () => {
      link.proves = true
      hear(link, clock.monotonic())
    },
    dropped: (reason, end = {}) => {
      setLink(link, false, clock.monotonic())
      tellDropped(name, { reason, ...end }, house)
    },
    moved: (from, room) => tellMoved(name, { from, room }, house),
    lost: (count, why) => tellLost(name, { count, why }, house),
  }
}

/** Tells a channel's actor something; what cannot be told is a line of the log. */
export async function tellChannel(
  { registry, services }: ChannelHouse,
  name: string,
  message: Message,
): Promise<void> {
  const stream = streamId('channel', name)
  try {
    await registry.deliver(stream, message)
  } catch (thrown) {
    const { code, message: error } = toGatewayError(thrown)
    services.log.error('channel not told', { stream, event: message.event.type, code, error })
  }
}

function tellDropped(
  name: string,
  { reason, final = false, retryAfterMs = null }: LinkEnd & { readonly reason: string },
  house: ChannelHouse,
): void {
  const { log, chance } = house.services
  const stream = streamId('channel', name)
  log.warn('channel link dropped', { channel: name, stream, reason, final })
  const event = {
    type: 'link.dropped',
    reason: cutText(reason),
    random: chance.fraction(),
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    ...(final ? { final } : {}),
  }
  const correlationId = chance.hex(limits.correlationIdBytes)
  void tellChannel(house, name, { event, cause: `ext:${name}:link`, correlationId })
}

async function tellMoved(
  name: string,
  { from, room }: Move,
  { registry, services: { log, chance } }: ChannelHouse,
): Promise<void> {
  const stream = streamId('channel', name)
  const event = { type: 'room.moved', from, room }
  const correlationId = chance.hex(limits.correlationIdBytes)
  await registry.deliver(stream, { event, cause: `ext:${name}:moved`, correlationId })
  log.info('room moved', { channel: name, stream, correlationId })
}

// Told from inside: a store that refuses new work still takes what says so.
function tellLost(
  name: string,
  { count, why }: { readonly count: number; readonly why: string },
  house: ChannelHouse,
): void {
  const { log, chance } = house.services
  const stream = streamId('channel', name)
  log.error('messages lost', { channel: name, stream, count, why })
  const event = { type: 'messages.lost', count, reason: cutText(why) }
  const correlationId = chance.hex(limits.correlationIdBytes)
  void tellChannel(house, name, { event, cause: `ext:${name}:lost`, correlationId })
}
