/**
 * Places: how many sockets may be open, of whom. Before step 1 of 8.
 *
 *   tcp ──request read──► (gone)
 *    └──upgraded──► waiting ──admitted──► seated
 *
 * Strangers, one address and this machine each have a bound of their own, so that none of them can
 * use up what the others need; above the whole a few places are left for owners' devices that have
 * no socket yet. All counts are plain numbers: judging costs the same in a storm.
 */
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Admission } from './admission.ts'

/** Where sockets come from, as far as bounds look at it. */
export interface Origin {
  readonly address: string
  readonly loopback: boolean
}

/** One socket's place; `leave` may be called twice. */
export interface Place {
  /**
   * Moves from the strangers to the admitted.
   * @throws {GatewayError} UNAVAILABLE: the house is full for a device like this.
   */
  readonly seat: (admission: Admission) => void
  readonly leave: () => void
}

/** Counts by name; a name that has none is not kept. */
class Tally {
  #counts = new Map<string, number>()

  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  add(name: string, change: 1 | -1): void {
    const count = this.of(name) + change
    if (count <= 0) this.#counts.delete(name)
    else this.#counts.set(name, count)
  }
}

/** Keeps count of all sockets. */
export class Places {
  #open = 0
  #waiting = 0
  #waitingRemote = 0
  #byAddress = new Tally()
  #waitingByAddress = new Tally()
  #byDevice = new Tally()

  get size(): number {
    return this.#open
  }

  get waiting(): number {
    return this.#waiting
  }

  /** Why an address may not open one more WebSocket now; null: it may. */
  refusal({ address, loopback }: Origin): string | null {
    const all = limits.connectionsMax + limits.connectionsReserved
    if (this.#open >= all || this.#waiting >= limits.connectionsPreAuthMax) {
      return 'too many connections'
    }
    if (loopback) {
      const local = this.#waiting - this.#waitingRemote
      return local >= limits.preAuthLoopbackMax ? 'too many unfinished local connections' : null
    }
    if (this.#byAddress.of(address) >= limits.connectionsPerAddressMax) {
      return 'too many connections of this address'
    }
    const strangers = this.#waitingByAddress.of(address)
    return strangers >= limits.preAuthPerAddressMax ||
      this.#waitingRemote >= limits.preAuthRemoteMax
      ? 'too many unfinished connections'
      : null
  }

  /** Takes a place among those who are not admitted yet. */
  take(origin: Origin): Place {
    const { address } = origin
    let device: string | null = null
    let state: 'waiting' | 'seated' | 'left' = 'waiting'
    this.#open += 1
    this.#byAddress.add(address, 1)
    this.#wait(origin, 1)
    return {
      seat: (admission) => {
        if (state !== 'waiting') return
        this.#judgeSeat(admission)
        state = 'seated'
        device = admission.deviceId
        this.#byDevice.add(device, 1)
        this.#wait(origin, -1)
      },
      leave: () => {
        if (state === 'left') return
        if (state === 'waiting') this.#wait(origin, -1)
        if (device !== null) this.#byDevice.add(device, -1)
        state = 'left'
        this.#open -= 1
        this.#byAddress.add(address, -1)
      },
    }
  }

  // Strangers count as open: who is judged here is one of them.
  #judgeSeat({ deviceId, scopes }: Admission): void {
    if (this.#open <= limits.connectionsMax) return
    if (scopes.includes('operator.admin') && this.#byDevice.of(deviceId) === 0) return
    const text = `connect: ${limits.connectionsMax} connections are open, what is left is the owner's`
    throw new GatewayError('UNAVAILABLE', text)
  }

  #wait({ address, loopback }: Origin, change: 1 | -1): void {
    this.#waiting += change
    if (!loopback) this.#waitingRemote += change
    this.#waitingByAddress.add(address, change)
  }
}
