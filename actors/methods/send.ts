/**
 * `send`: a message out through a channel. Step 4 of 8.
 *
 * Answered when the intent is on disk; what became of it follows as `delivery` events.
 */
import type { DeliveryRequested } from '../../machines/delivery.ts'
import { streamId } from '../../protocol/ids.ts'
import { canonicalSessionKey } from '../../protocol/session-key.ts'
import { draftText } from '../bodies.ts'
import { markRequest } from '../idempotency.ts'
import { deliveryTtlMs } from '../run-plan.ts'
import type { Handler } from './house.ts'

/** Accepts a delivery; `{ deliveryId, channel, target, status, position }`. */
export const send: Handler<'send'> = async (house, params, { caller, cause, correlationId }) => {
  const { channels, idempotency, registry, services } = house
  const { channel, target, idempotencyKey } = params
  channels.assertTarget(channel, target)
  const fileIn = params.sessionKey === undefined ? null : canonicalSessionKey(params.sessionKey)
  const owner = caller.admission.deviceId
  const mark =
    idempotencyKey === undefined ? null : markRequest(owner, idempotencyKey, 'send', params)
  const record = await idempotency.once(mark, params.message, () => {
    const body = draftText(services.chance, params.message)
    const deliveryId = services.chance.id()
    const ttlMs = params.ttlMs ?? deliveryTtlMs(house.configuration.live.config)
    const expiresAt = services.clock.now() + ttlMs
    const event = {
      type: 'delivery.requested',
      deliveryId,
      channel,
      target,
      ref: body.ref,
      fileIn,
      expiresAt,
      ...(mark === null ? {} : { idempotency: mark }),
    } satisfies Omit<DeliveryRequested, 'at'>
    const message = { event, cause, correlationId, bodies: [body] }
    return registry.offer(streamId('delivery', deliveryId), message)
  })
  const requested = record.event as unknown as DeliveryRequested
  return {
    deliveryId: requested.deliveryId,
    channel: requested.channel,
    target: requested.target,
    status: 'accepted',
    position: record.position,
  }
}
