/**
 * One socket: bytes in order in, frames out. Steps 1 to 4 of 8 meet here.
 *
 *   waiting ──connect──► judging ──admitted──► open ──► closed
 *      │  ▲                 └── challenged: answered, and it may try again with a signature
 *      │  └─────────────────────┘
 *      └── anything else, 10 s, a refusal: answered where it can be, then closed with 1008 ──┘
 *
 * A challenge belongs to this socket, is answered once, and is gone with the answer, right or wrong.
 * Until `connect` is judged a socket is memory only. After that the caller (actors/caller.ts) keeps
 * its stream.
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { type Challenge, challengeEnd } from '../protocol/auth/challenge.ts'
import { formatFault, formatResult } from '../protocol/dialect/seed.ts'
import { GatewayError, toGatewayError } from '../protocol/errors.ts'
import {
  formatFrame,
  parseRequest,
  type RequestFrame,
  type ResponseFrame,
} from '../protocol/frame.ts'
import { limits } from '../protocol/limits.ts'
import { Caller } from './caller.ts'
import type { ConnectionHouse } from './connections.ts'
import { Guard } from './guard.ts'
import type { Peer } from './peer.ts'
import { SeedSpeech } from './seed-speech.ts'
import type { Cancel } from './services.ts'
import type { Line, Opening, Speech } from './speech.ts'
import { setPayloadLimit } from './ws-limits.ts'

type Phase = 'waiting' | 'judging' | 'open' | 'closed'

/** Serves one socket from its opening to its end. */
export class Connection implements Line {
  readonly id: string
  readonly peer: Peer
  /** Resolves when the socket is closed and its closing recorded. */
  readonly ended: Promise<void>
  #socket: WebSocket
  #link: Duplex
  #corked = false
  #house: ConnectionHouse
  #phase: Phase = 'waiting'
  #speech: Speech | null = null // From the first request on.
  #caller: Caller | null = null
  #guard: Guard
  #outstanding = 0
  #inFlight = new Set<string>() // Ids under which two answers could not be told apart.
  #cancelDeadline: Cancel
  #challenge: Challenge | null
  #challenges = 1

  /** `link` is the byte stream beneath the socket. */
  constructor(socket: WebSocket, link: Duplex, peer: Peer, house: ConnectionHouse) {
    const { chance, clock } = house.services
    this.id = chance.id()
    this.peer = peer
    this.#socket = socket
    this.#link = link
    this.#house = house
    this.#guard = new Guard(socket, link, clock)
    this.#cancelDeadline = clock.after(limits.connectDeadlineMs, () => this.#expire())
    socket.on('message', (data, isBinary) => this.#received(data as Buffer, isBinary))
    socket.on('error', (error) => this.#failed(error))
    this.ended = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#closed(code, reason.toString('utf8')).then(resolve, resolve)
      })
    })
    this.#challenge = { nonce: chance.id(), issuedAt: clock.now() }
    const payload = { nonce: this.#challenge.nonce, ts: this.#challenge.issuedAt }
    this.write(formatFrame({ type: 'event', event: 'connect.challenge', payload }))
  }

  /** The device that it says it is, from its `connect` on, then its pairing; null before. */
  pairingId: string | null = null

  /** Whether `connect` was accepted. */
  get admitted(): boolean {
    return this.#caller !== null
  }

  isOpen(): boolean {
    return this.#phase === 'open'
  }

  /** No time to send the past: half of what a reader may leave unread waits. */
  isFull(): boolean {
    return this.#socket.bufferedAmount > limits.connectionBufferBytesMax / 2
  }

  async drained(): Promise<void> {
    if (!this.isFull() || this.#link.destroyed) return
    await new Promise<void>((resolve) => {
      this.#link.once('drain', resolve)
      this.#link.once('close', resolve)
    })
  }

  answer(id: string, payload: unknown): void {
    if (this.#phase === 'open') this.#answer(formatResult(id, payload))
  }

  /** Ends the socket from our side. */
  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  /** Looks whether a frame stands half sent; called from time to time. */
  look(): void {
    this.#guard.look(this.admitted)
  }

  terminate(): void {
    this.#socket.terminate()
  }

  /** Ends the socket of a device that may not stay; what it still sends is not read. */
  expel(reason: string): void {
    // In the next turn: the answer to a device that did this to itself leaves first.
    setImmediate(() => this.#drop(1008, reason, limits.expelGraceMs))
  }

  // A reader that does not read costs a bounded amount of memory, then its socket.
  write(text: string): void {
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return
    const { bufferedAmount: bytes } = socket
    if (bytes > 0 && bytes + text.length > limits.connectionBufferBytesMax) {
      const { log } = this.#house.services
      log.warn('websocket closed: slow reader', { connectionId: this.id, bytes })
      return this.#drop(1013, 'slow reader: resume from the last position')
    }
    this.#cork()
    socket.send(text)
  }

  // What has not left is not sent again: a client resumes from what it saw.
  #drop(code: number, reason: string, graceMs?: number): void {
    this.#phase = 'closed'
    this.#speech?.leave()
    this.#guard.end(code, reason, graceMs)
  }

  // The frames of one turn leave in one write: answers to one commit come in bursts.
  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.#link.cork()
    process.nextTick(() => {
      this.#corked = false
      this.#link.uncork()
    })
  }

  #answer(frame: ResponseFrame): void {
    this.write(formatFrame(frame))
  }

  #received(data: Buffer, isBinary: boolean): void {
    if (this.#phase === 'closed' || this.#guard.ended) return
    if (isBinary) return this.#drop(1003, 'text frames only')
    let id = ''
    try {
      const keysMax = this.admitted ? limits.frameKeysMax : limits.preAuthFrameKeysMax
      const frame = parseRequest(data.toString('utf8'), keysMax, (known) => {
        id = known
      })
      if (this.#phase === 'open') this.#serve(frame)
      else this.#greet(frame)
    } catch (thrown) {
      this.#fault(id, toGatewayError(thrown))
    }
  }

  #fault(id: string, error: GatewayError): void {
    if (this.#phase === 'closed') return
    if (this.#phase !== 'open') return this.#refuse(id, error)
    if (error.code === 'INTERNAL') {
      this.#house.services.log.error('request failed', {
        connectionId: this.id,
        id,
        error,
      })
    }
    this.#answer(this.#speech?.fault(id, error) ?? formatFault(id, error))
  }

  #refuse(id: string, error: GatewayError): void {
    const { address } = this.peer
    const { code, message: reason } = error
    const speech = this.#speech ?? new SeedSpeech(this, this.#house)
    const goodbye = speech.refuse(id, error)
    this.#answer(goodbye.frame)
    this.#phase = 'closed'
    this.#house.refused(address, code)
    this.#house.services.log.warn('websocket refused', { address, code, reason })
    this.#guard.end(goodbye.code, goodbye.reason)
  }

  #expire(): void {
    if (this.#phase !== 'waiting' && this.#phase !== 'judging') return
    const text = `no connect within ${limits.connectDeadlineMs / 1_000} s`
    this.#refuse('connect', new GatewayError('TIMEOUT', text))
  }

  // The first request says which dialect is spoken; it stays so.
  #greet(frame: RequestFrame): void {
    if (this.#phase === 'judging') {
      throw new GatewayError('INVALID_REQUEST', 'connect: one frame at a time until it is answered')
    }
    this.#speech ??=
      frame.method === undefined ? new SeedSpeech(this, this.#house) : this.#house.upstream(this)
    const opening = this.#speech.opening(frame)
    this.#phase = 'judging'
    this.pairingId = opening.params.deviceId
    const { id } = frame
    this.#admit(id, this.#speech, opening).catch((error: unknown) =>
      this.#fault(id, toGatewayError(error)),
    )
  }

  // The nonce is burned before it is judged: no second frame can meet it.
  async #admit(id: string, speech: Speech, opening: Opening): Promise<void> {
    const house = this.#house
    const cause = `req:${this.id}:${id}`
    const correlationId = house.services.chance.hex(limits.correlationIdBytes)
    const cited = { cause, correlationId }
    const challenge = this.#challenge
    this.#challenge = null
    const answer = await house.knock({ ...opening, peer: this.peer, challenge, cited })
    if (answer.kind === 'challenge') return this.#challengeAgain(id, speech, answer.why)
    const { admission, deviceToken } = answer
    const { params, node } = opening
    const own = { connectionId: this.id, admission, params, node, correlationId }
    const caller = new Caller(house, own)
    house.seat(this, admission)
    this.pairingId = admission.pairingId
    if (caller.subscribes || node !== null) await caller.record(cause)
    this.#caller = caller
    if (this.#phase !== 'judging') return caller.close(1006, 'gone before it was admitted')
    const admitted = { caller, admission, deviceToken }
    this.#cancelDeadline()
    setPayloadLimit(this.#socket, limits.frameBytesMax)
    // Joined before the answer leaves: nothing can happen between the two unseen.
    const caughtUp = speech.join(admitted)
    this.#phase = 'open'
    this.#answer(formatResult(id, speech.hello(admitted)))
    const { deviceId, role } = admission
    house.services.log.info('websocket connected', { connectionId: this.id, deviceId, role })
    house.presence(this.id, admission, true)
    speech.greeted()
    try {
      await caughtUp
    } catch (thrown) {
      return this.#loseTrack(toGatewayError(thrown))
    }
    await caller.ready(cause)
  }

  #challengeAgain(id: string, speech: Speech, why: string): void {
    const { chance, clock } = this.#house.services
    const issuedAt = clock.now()
    const challenge = { nonce: chance.id(), issuedAt }
    const expiresAt = challengeEnd(challenge)
    const reason = 'identity-required'
    const details = { reason, challenge: challenge.nonce, ts: issuedAt, expiresAt }
    const error = new GatewayError('PAIRING_REQUIRED', `connect: ${why}`, details)
    this.#challenges += 1
    const again = speech.challenges && this.#challenges <= limits.challengesPerConnectionMax
    if (!again) return this.#refuse(id, error)
    if (this.#phase !== 'judging') return
    this.#phase = 'waiting'
    this.#challenge = challenge
    this.#answer(formatFault(id, error))
  }

  // The connect is answered already; to go on behind a gap would hide the gap.
  #loseTrack({ code, message: error }: GatewayError): void {
    this.#house.services.log.error('websocket closed: cannot resume', {
      connectionId: this.id,
      code,
      error,
    })
    this.#drop(1011, code)
  }

  #serve(frame: RequestFrame): void {
    this.#guard.request()
    const caller = this.#caller
    const speech = this.#speech
    if (caller === null || speech === null || this.#outstanding >= limits.outstandingRequestsMax) {
      const text = `${this.#outstanding} requests are outstanding on this connection, wait for answers`
      throw new GatewayError('UNAVAILABLE', text)
    }
    this.#begin(frame, speech)
    speech
      .serve(frame, caller, `req:${this.id}:${frame.id}`)
      .then(
        (payload) => {
          this.#finish(frame)
          return this.#answer(formatResult(frame.id, payload))
        },
        (error: unknown) => {
          this.#finish(frame)
          return this.#fault(frame.id, toGatewayError(error))
        },
      )
      // An answer that cannot be written is our own fault, and must not pass unseen.
      .catch((error: unknown) => this.#fault(frame.id, toGatewayError(error)))
  }

  // Two answers under one id could not be told apart.
  #begin({ id }: RequestFrame, speech: Speech): void {
    if (this.#inFlight.has(id)) {
      const details = { path: 'id' }
      throw new GatewayError('INVALID_REQUEST', 'frame.id: a request with it is in flight', details)
    }
    if (speech.isOwnId(id)) this.#inFlight.add(id)
    this.#outstanding += 1
  }

  #finish({ id }: RequestFrame): void {
    this.#inFlight.delete(id)
    this.#outstanding -= 1
  }

  #failed(error: Error): void {
    const { log } = this.#house.services
    log.warn('websocket error', { connectionId: this.id, error: error.message })
    this.#guard.end(1002, '') // ws has closed it with the fitting code; this bounds the goodbye.
    if (this.#caller === null) this.#house.refused(this.peer.address, 'FRAME_INVALID')
  }

  async #closed(code: number, reason: string): Promise<void> {
    this.#cancelDeadline()
    this.#phase = 'closed'
    this.#speech?.leave()
    if (this.#caller === null) return
    this.#house.presence(this.id, this.#caller.admission, false)
    await this.#caller.close(code, reason)
  }
}
