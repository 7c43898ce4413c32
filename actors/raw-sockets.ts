/**
 * Raw sockets: TCP that has not shown a request yet. Before step 1 of 8.
 *
 * A connection that says nothing, or drips its head, is answered 408 and gone at the deadline; of
 * one address only so many may be in that state. Node's own deadline looks every 30 s and takes no
 * fake clock, so that this one is kept here.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { limits } from '../protocol/limits.ts'
import type { Cancel, Clock } from './services.ts'

/** An address without the prefix of IPv4 in IPv6, and whether it is this machine. */
export function addressOf(remote: string | undefined): { address: string; loopback: boolean } {
  const address = (remote ?? '').replace(/^::ffff:/, '')
  return { address, loopback: address === '::1' || address.startsWith('127.') }
}

/** Answers a request that never became one, and lets go of its socket. */
export function endWith(socket: Duplex, status: string, headers = ''): void {
  if (!socket.writable) return void socket.destroy()
  // Who is refused may keep its half open for ever; ours is closed with the answer.
  socket.end(`HTTP/1.1 ${status}\r\n${headers}connection: close\r\ncontent-length: 0\r\n\r\n`, () =>
    socket.destroy(),
  )
}

/** Keeps the sockets that have not shown a request yet. */
export class RawSockets {
  #clock: Clock
  #isPlain: boolean
  #deadlines = new Map<string, Cancel>()
  #byAddress = new Map<string, number>()

  constructor(clock: Clock, isPlain: boolean) {
    this.#clock = clock
    this.#isPlain = isPlain
  }

  /** Sockets in this state now. */
  get size(): number {
    return this.#deadlines.size
  }

  /** Takes a new socket; false: it was one too many and is gone. */
  take(socket: Socket): boolean {
    const { address, loopback } = addressOf(socket.remoteAddress)
    const count = this.#byAddress.get(address) ?? 0
    if (count >= (loopback ? limits.rawLoopbackMax : limits.rawPerAddressMax)) {
      socket.destroy()
      return false
    }
    this.#byAddress.set(address, count + 1)
    const cancel = this.#clock.after(limits.headerDeadlineMs, () => {
      if (this.#isPlain) endWith(socket, '408 Request Timeout')
      else socket.destroy() // Plain words would break the TLS of who has not said anything in it.
    })
    const end = endOf(socket)
    const settle = (): void => {
      cancel()
      this.#forget(address)
    }
    this.#settle(end) // Its port was used before, and that end is not told yet.
    this.#deadlines.set(end, settle)
    socket.once('close', () => {
      if (this.#deadlines.get(end) === settle) this.#settle(end)
    })
    return true
  }

  /** The socket has shown a request; under TLS it is another object than the one that was taken. */
  spoke(socket: Socket): void {
    this.#settle(endOf(socket))
  }

  #settle(end: string): void {
    this.#deadlines.get(end)?.()
    this.#deadlines.delete(end)
  }

  #forget(address: string): void {
    const left = (this.#byAddress.get(address) ?? 1) - 1
    if (left <= 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, left)
  }
}

// The other side's end, which no other open socket of this server has.
function endOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
