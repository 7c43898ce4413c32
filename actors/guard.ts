/**
 * The guard of one socket: what it may send, and how fast. Step 1 of 8.
 *
 * Requests and control frames each have a bucket; a frame or message that stands half sent is given
 * up after a while; a socket that is ended from our side is told why and gone soon, read or not.
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { type Bucket, type BucketPolicy, fullBucket, takeOne } from '../machines/rules/rate.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Clock } from './services.ts'
import { isHalfSent } from './ws-limits.ts'

const REQUESTS: BucketPolicy = {
  burst: limits.requestsBurst,
  perSecond: limits.requestsPerSecond,
}

const CONTROL_FRAMES: BucketPolicy = {
  burst: limits.controlFramesBurst,
  perSecond: limits.controlFramesPerSecond,
}

/** Watches one socket; the connection asks it, and Connections lets it look from time to time. */
export class Guard {
  #socket: WebSocket
  #link: Duplex
  #clock: Clock
  #requests: Bucket
  #controls: Bucket
  #refused = 0
  #half: { readonly since: number; readonly bytes: number; readonly frames: number } | null = null
  #frames = 0
  #ended = false

  constructor(socket: WebSocket, link: Duplex, clock: Clock) {
    this.#socket = socket
    this.#link = link
    this.#clock = clock
    this.#requests = fullBucket(REQUESTS, clock.monotonic())
    this.#controls = fullBucket(CONTROL_FRAMES, clock.monotonic())
    socket.on('ping', () => this.#control())
    socket.on('pong', () => this.#control())
    socket.on('message', () => {
      this.#frames += 1
    })
  }

  /** Whether it was ended from our side. */
  get ended(): boolean {
    return this.#ended
  }

  /**
   * Counts a request.
   * @throws {GatewayError} RATE_LIMITED with details.retryAfterMs. Who goes on is cut off.
   */
  request(): void {
    const { bucket, waitMs } = takeOne(REQUESTS, this.#requests, this.#clock.monotonic())
    this.#requests = bucket
    if (waitMs === 0) {
      this.#refused = 0
      return
    }
    this.#refused += 1
    if (this.#refused > limits.requestsRefusedMax) this.end(1008, 'rate limit exceeded')
    const text = `more than ${limits.requestsPerSecond} requests a second on this connection`
    throw new GatewayError('RATE_LIMITED', text, { retryAfterMs: waitMs })
  }

  /** Looks whether a frame stands half sent; ends the socket when it has for too long. */
  look(admitted: boolean): void {
    if (!isHalfSent(this.#socket)) {
      this.#half = null
      return
    }
    const now = this.#clock.monotonic()
    const bytes = 'bytesRead' in this.#link ? Number(this.#link.bytesRead) : 0
    const { since, bytes: before, frames } = this.#half ?? { since: now, bytes, frames: -1 }
    if (frames !== this.#frames) {
      this.#half = { since: now, bytes, frames: this.#frames }
    } else if (now - since >= limits.halfFrameMs) {
      // A phone may take minutes for 25 MiB: what moves is let go on.
      const moves = admitted && bytes - before >= limits.halfFrameProgressBytes
      if (moves) this.#half = { since: now, bytes, frames }
      else this.end(1008, 'a frame was not finished in time')
    }
  }

  /** Tells the peer why, and lets go of the socket soon, whether it listens or not. */
  end(code: number, reason: string, graceMs: number = limits.closeGraceMs): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.close(code, reason)
    const cancel = this.#clock.after(graceMs, () => this.#socket.terminate())
    this.#socket.once('close', cancel)
  }

  #control(): void {
    const { bucket, waitMs } = takeOne(CONTROL_FRAMES, this.#controls, this.#clock.monotonic())
    this.#controls = bucket
    if (waitMs > 0) this.end(1008, 'too many control frames')
  }
}
