/**
 * Deliveries whose fate is open, oldest first: those on their way, and those that wait for a person.
 *
 *   new, attempting, waiting   on their way
 *   uncertain                  may have been sent: a person says
 *   dead                       could not be sent: a person sends it again, or lets it go
 */
import { streamName } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { DeliveryRequested } from '../delivery.ts'

export interface OpenDelivery {
  readonly channel: string
  readonly target: string
  readonly value: string // of its machine
  readonly requestedAt: number // ms since epoch
  readonly at: number // of its last record
}

/** By delivery id. */
export type OpenDeliveries = Map<string, OpenDelivery>

const MOVING: ReadonlySet<string> = new Set(['new', 'attempting', 'waiting'])
const LEFT: ReadonlySet<string> = new Set(['uncertain', 'dead'])

/** Folds a record in; those of other streams change nothing. */
export function foldDeliveries(deliveries: OpenDeliveries, record: JournalRecord): void {
  if (!record.stream.startsWith('delivery:')) return
  const { value, at, event, stream } = record
  const id = streamName(stream)
  if (!MOVING.has(value) && !LEFT.has(value)) {
    deliveries.delete(id)
    return
  }
  const known = deliveries.get(id)
  if (known !== undefined) deliveries.set(id, { ...known, value, at })
  else if (event.type === 'delivery.requested') {
    const { channel, target } = event as unknown as DeliveryRequested
    deliveries.set(id, { channel, target, value, requestedAt: at, at })
    drop(deliveries)
  }
}

// The journal keeps them all; what a list shows is bounded, and what moves is never dropped.
function drop(deliveries: OpenDeliveries): void {
  if (deliveries.size <= limits.openDeliveriesMax) return
  for (const [id, { value }] of deliveries) {
    if (!LEFT.has(value)) continue
    deliveries.delete(id)
    return
  }
}

/** Tells whether a delivery is on its way. */
export function isMoving({ value }: OpenDelivery): boolean {
  return MOVING.has(value)
}

/** Counts what waits for a person. */
export function countLeft(deliveries: OpenDeliveries): { uncertain: number; dead: number } {
  const values = [...deliveries.values()].map(({ value }) => value)
  const count = (wanted: string): number => values.filter((value) => value === wanted).length
  return { uncertain: count('uncertain'), dead: count('dead') }
}
