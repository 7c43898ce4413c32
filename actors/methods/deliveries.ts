/**
 * `deliveries.*`: what could not be sent, or may have been, and what a person says of it. Step 4 of 8.
 *
 * Nothing here is done by itself: a message that may have been sent is sent again only by somebody's word.
 */
import type { DeliveryContext, DeliveryJudged } from '../../machines/delivery.ts'
import { isMoving, type OpenDelivery } from '../../machines/projections/deliveries.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote, streamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { wordPhrase } from '../../protocol/phrases.ts'
import { readTextOrMark } from '../bodies.ts'
import type { Origin } from '../caller.ts'
import { deliveryTtlMs } from '../run-plan.ts'
import type { Handler, MethodHouse } from './house.ts'

/** Lists those whose fate is open, oldest first: `{ deliveries, total }`. */
export const deliveriesList: Handler<'deliveries.list'> = (house, params) => {
  const { state, limit = limits.deliveryListMax } = params
  const all = [...house.work.deliveries].filter(([, { value, ...rest }]) => {
    if (state === undefined) return true
    return state === 'moving' ? isMoving({ value, ...rest }) : value === state
  })
  const deliveries = all.slice(0, limit).map(([id, open]) => formatDelivery(house, id, open))
  return { deliveries, total: all.length }
}

/** Sends one again; `{ deliveryId, position }`. @throws {GatewayError} as `judge`. */
export const deliveriesResubmit: Handler<'deliveries.resubmit'> = (house, params, origin) => {
  const { deliveryId } = params
  const { channel, target } = openDelivery(house, deliveryId)
  house.channels.assertTarget(channel, target)
  const now = house.services.clock.now()
  const expiresAt = now + deliveryTtlMs(house.configuration.live.config)
  return judge(house, deliveryId, { type: 'delivery.resubmitted', expiresAt }, origin)
}

/** Says whether an uncertain one was sent; `{ deliveryId, position }`. @throws as `judge`. */
export const deliveriesResolve: Handler<'deliveries.resolve'> = (house, params, origin) =>
  judge(house, params.deliveryId, { type: 'delivery.resolved', sent: params.sent }, origin)

/** Lets one go unsent; `{ deliveryId, position }`. @throws as `judge`. */
export const deliveriesDismiss: Handler<'deliveries.dismiss'> = (house, { deliveryId }, origin) =>
  judge(house, deliveryId, { type: 'delivery.dismissed' }, origin)

type Unsigned<T> = T extends unknown ? Omit<T, 'by' | 'at'> : never

// NOT_FOUND: no such delivery is open. INVALID_REQUEST: it does not wait for that.
async function judge(
  house: MethodHouse,
  deliveryId: string,
  event: Unsigned<DeliveryJudged>,
  { caller, cause, correlationId }: Origin,
): Promise<object> {
  const { value } = openDelivery(house, deliveryId)
  const by = caller.admission.deviceId
  const message = { event: { ...event, by }, cause, correlationId }
  const stream = streamId('delivery', deliveryId)
  const { position, ignored } = await house.registry.deliver(stream, message)
  if (ignored === null) return { deliveryId, position }
  const text = `params.deliveryId: ${quote(deliveryId)} is ${value} and does not wait for that`
  throw new GatewayError('INVALID_REQUEST', text, { path: 'deliveryId', state: value })
}

function openDelivery({ work }: MethodHouse, deliveryId: string): OpenDelivery {
  const open = work.deliveries.get(deliveryId)
  if (open !== undefined) return open
  const text = `params.deliveryId: no delivery ${quote(deliveryId)} is open`
  throw new GatewayError('NOT_FOUND', text, { path: 'deliveryId' })
}

function formatDelivery(house: MethodHouse, deliveryId: string, open: OpenDelivery): object {
  const { channel, target, value: state, requestedAt, at } = open
  const snapshot = house.registry.snapshot(streamId('delivery', deliveryId))
  const { attempt, fault, ref, phrase, expiresAt = null } = snapshot.context as DeliveryContext
  const text = phrase === undefined ? readTextOrMark(house.store, ref) : wordPhrase(phrase)
  return {
    deliveryId,
    channel,
    target,
    state,
    attempts: attempt,
    fault: fault === '' ? null : fault,
    requestedAt,
    changedAt: at,
    expiresAt,
    text: text.slice(0, limits.deliveryExcerptChars).toWellFormed(),
  }
}
