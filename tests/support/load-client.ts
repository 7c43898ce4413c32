/**
 * A client that keeps on asking: idempotency keys, several requests in flight, and a memory of what
 * was acknowledged. What was not when its gateway died is asked again, with the same key.
 */
import { isDeepStrictEqual } from 'node:util'
import WebSocket from 'ws'
import type { Frame } from './client.ts'

/** One request as the client made it up; it is asked until it is answered. */
export interface LoadRequest {
  readonly method: 'agent' | 'send'
  readonly params: Readonly<Record<string, unknown>> & { readonly idempotencyKey: string }
}

/** What the gateway promised. */
export interface Promised {
  readonly request: LoadRequest
  readonly payload: Readonly<Record<string, unknown>>
}

const IN_FLIGHT = 4
const AGAIN_MS = 20 // A queue that is full gets some air.

export class LoadClient {
  readonly deviceId: string
  readonly promised = new Map<string, Promised>() // by idempotency key
  readonly faults: string[] = []
  repeated = 0 // answers to keys that had been answered before
  #make: () => LoadRequest
  #again: LoadRequest[] = [] // not acknowledged yet
  #asked = new Map<string, LoadRequest>() // by frame id
  #count = 0

  /** `make` invents the next request. */
  constructor(deviceId: string, make: () => LoadRequest) {
    this.deviceId = deviceId
    this.#make = make
  }

  /**
   * Works against one gateway: until it dies, or, where `last`, until everything is acknowledged.
   * The newest request that was acknowledged is asked once more, and must get the same answer.
   */
  async work(url: string, last = false): Promise<void> {
    const socket = new WebSocket(url)
    socket.on('error', () => {}) // Gateways are killed here.
    socket.on('open', () => this.#send(socket, 'connect', { deviceId: this.deviceId }))
    const known = [...this.promised.values()].at(-1)
    this.#again = [...this.#asked.values(), ...this.#again]
    if (known !== undefined) this.#again.unshift(known.request)
    this.#asked.clear()
    const closed = new Promise<void>((resolve) => {
      socket.on('close', () => resolve())
    })
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Frame
      if (frame.type !== 'res') return
      if (frame.id !== 'connect') this.#answered(frame)
      else if (frame.ok !== true) this.faults.push(`connect: ${frame.error?.message}`)
      this.#fill(socket, last)
    })
    await closed
  }

  #answered({ id = '', ok, payload, error }: Frame): void {
    const request = this.#asked.get(id)
    if (request === undefined) return
    this.#asked.delete(id)
    if (ok === true) this.#keep(request, payload)
    else if (error?.retryable === true) this.#again.push(request)
    else this.faults.push(`${id}: ${error?.code} ${error?.message}`)
  }

  #keep(request: LoadRequest, payload: Promised['payload']): void {
    const { idempotencyKey } = request.params
    const earlier = this.promised.get(idempotencyKey)
    this.promised.set(idempotencyKey, { request, payload })
    if (earlier === undefined) return
    this.repeated += 1
    if (isDeepStrictEqual(earlier.payload, payload)) return
    const answers = `${JSON.stringify(earlier.payload)} and ${JSON.stringify(payload)}`
    this.faults.push(`${idempotencyKey}: answered with ${answers}`)
  }

  #fill(socket: WebSocket, last: boolean): void {
    if (last && this.#asked.size === 0 && this.#again.length === 0) socket.close()
    while (this.#asked.size < IN_FLIGHT && socket.readyState === WebSocket.OPEN) {
      const request = this.#again.shift() ?? (last ? null : this.#make())
      if (request === null) return
      this.#count += 1
      const id = `${request.method}#${this.#count}`
      this.#asked.set(id, request)
      // A refused request waits for its turn; the answer to it fills the gap.
      setTimeout(() => this.#send(socket, id, request.params), this.#pauseMs())
    }
  }

  // Everything asked is waiting for room: not at once again.
  #pauseMs(): number {
    return this.#again.length > 0 ? AGAIN_MS : 0
  }

  #send(socket: WebSocket, id: string, params: object): void {
    if (socket.readyState === WebSocket.OPEN) {
      socket.send(JSON.stringify({ type: 'req', id, params }))
    }
  }
}
