/**
 * The order of what goes out: to one target of one channel, one delivery after the other. Step 7 of 8.
 *
 * A delivery that is tried again keeps its place, so that what was said later does not overtake it;
 * it leaves when its record says that it was sent, failed, or is uncertain. Places are memory only:
 * after a restart they are found again from what is left open. Whoever is set aside leaves as well.
 */
import { firstNameOf } from '../machines/rules/moves.ts'
import type { OpenWork } from '../machines/projections/open-work.ts'
import type { DeliveryContext } from '../machines/delivery.ts'
import { type StreamId, streamKind, streamName } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import { type ChannelHouse, readChannel } from './channel-setup.ts'

const FATES: ReadonlySet<string> = new Set(['sent', 'failed', 'dead', 'uncertain', 'dismissed'])

interface Place {
  readonly deliveryId: string
  go: () => void // told when it is the first
}

/** Where a delivery goes. */
export interface Direction {
  readonly deliveryId: string
  readonly channel: string
  readonly target: string
  readonly expiresAt?: number // ms since epoch; absent: in journals of before
}

/** Everybody's places. */
export class DeliveryOrder {
  #house: ChannelHouse
  #lines = new Map<string, Place[]>() // by channel and target
  #lineOf = new Map<string, string>() // by delivery

  constructor(house: ChannelHouse) {
    this.#house = house
    for (const direction of leftOpen(house)) this.#join(direction)
    house.listen((record) => this.#committed(record))
  }

  /**
   * Null where a delivery is the next one to its target, else resolves when it is, or when its time
   * is over: what the one before waits for, it would wait for as well. Without an expiry it goes after
   * `limits.deliveryOrderMs`.
   */
  turn(direction: Direction): Promise<void> | null {
    const line = this.#join(direction)
    const place = line.find(({ deliveryId }) => deliveryId === direction.deliveryId)
    if (place === undefined || place === line[0]) return null
    return new Promise((resolve) => {
      const { clock } = this.#house.services
      const { expiresAt } = direction
      const waitMs = expiresAt === undefined ? limits.deliveryOrderMs : expiresAt - clock.now()
      const cancel = clock.after(Math.max(0, waitMs), resolve)
      place.go = () => {
        cancel()
        resolve()
      }
    })
  }

  #join({ deliveryId, channel, target }: Direction): Place[] {
    const name = `${channel}\n${this.#placeOf(channel, target)}`
    const line = this.#lines.get(name) ?? []
    if (this.#lineOf.has(deliveryId)) return line
    this.#lines.set(name, line)
    this.#lineOf.set(deliveryId, name)
    line.push({ deliveryId, go: () => {} })
    return line
  }

  // A room that moves in between keeps its line.
  #placeOf(channel: string, target: string): string {
    return firstNameOf(readChannel(this.#house.registry, channel)?.moved, target)
  }

  #committed({ stream, value, event }: JournalRecord): void {
    if (event.type === 'stream.quarantined') this.#leave(String(event['stream']) as StreamId)
    else if (FATES.has(value)) this.#leave(stream)
  }

  #leave(stream: StreamId): void {
    if (streamKind(stream) !== 'delivery') return
    const name = this.#lineOf.get(streamName(stream))
    if (name === undefined) return
    this.#lineOf.delete(streamName(stream))
    const rest = (this.#lines.get(name) ?? []).filter(
      ({ deliveryId }) => deliveryId !== streamName(stream),
    )
    if (rest.length === 0) this.#lines.delete(name)
    else this.#lines.set(name, rest)
    rest[0]?.go()
  }
}

// The first record of a delivery is its wish: by it they were in order.
function leftOpen({ registry, store, work }: ChannelHouse): Direction[] {
  const open = [...openDeliveries(work)].map((stream) => {
    const [wish] = store.stream(stream)
    return { stream, position: wish?.position ?? 0 }
  })
  open.sort((a, b) => a.position - b.position)
  return open.flatMap(({ stream }) => {
    try {
      const { channel, target } = registry.snapshot(stream).context as DeliveryContext
      return [{ deliveryId: streamName(stream), channel, target }]
    } catch {
      return [] // It is set aside, and nobody waits for it.
    }
  })
}

function openDeliveries({ effects, waits }: OpenWork): Set<StreamId> {
  const streams = [...effects.values(), ...waits.values()].map(({ stream }) => stream)
  return new Set(streams.filter((stream) => streamKind(stream) === 'delivery'))
}
