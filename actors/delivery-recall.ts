/**
 * What waits for its next attempt is tried at once when its channel's link is back. Step 7 of 8.
 *
 * The wait was for an outage that is over, and all that was said later to the same target stands
 * behind it. Its record cites the opening of the link. A time that the other side has set stays.
 */
import type { DeliveryContext } from '../machines/delivery.ts'
import { retryWait } from '../machines/rules/attempt.ts'
import { toGatewayError } from '../protocol/errors.ts'
import { type StreamId, streamId, streamKind, streamName } from '../protocol/ids.ts'
import type { JournalRecord } from '../protocol/record.ts'
import type { ChannelHouse } from './channel-setup.ts'
import type { Message } from './durable.ts'

const RETRY = retryWait({ attempt: 0, retryAt: 0, fault: '' }).id

/** Watches for links that come up. */
export function recallDeliveries(house: ChannelHouse): void {
  house.listen((record) => {
    if (isLinkUp(record)) recall(house, record)
  })
}

function isLinkUp({ stream, value, event, ignored }: JournalRecord): boolean {
  const opened = event.type === 'effect.done' && event['name'] === 'channel.open'
  return streamKind(stream) === 'channel' && value === 'online' && opened && ignored === null
}

function recall(house: ChannelHouse, { stream: channel, cause }: JournalRecord): void {
  const { log } = house.services
  const waiting = [...house.work.waits.values()].filter(
    ({ id, stream }) => id === RETRY && channelOf(house, stream) === channel,
  )
  for (const { stream, correlationId } of waiting) {
    // Its timer stays armed until it is told, so what fails here costs time only.
    tryNow(house, stream, { event: { type: 'retry.due' }, cause, correlationId }).catch(
      (thrown: unknown) => {
        log.warn('delivery not tried at once', { stream, error: toGatewayError(thrown).message })
      },
    )
  }
}

function channelOf({ work }: ChannelHouse, stream: StreamId): StreamId | null {
  if (streamKind(stream) !== 'delivery') return null
  const open = work.deliveries.get(streamName(stream))
  return open === undefined ? null : streamId('channel', open.channel)
}

async function tryNow(
  { registry }: ChannelHouse,
  stream: StreamId,
  message: Message,
): Promise<void> {
  const { paced } = registry.snapshot(stream).context as DeliveryContext
  if (paced !== true) await registry.deliver(stream, message)
}
