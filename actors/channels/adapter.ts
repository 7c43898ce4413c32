/**
 * What a channel adapter is: the thin piece between a platform's library and the channel actor.
 *
 * An adapter keeps no state that matters: it dials when told, hands inbound messages to its host,
 * delivers text, and reports when the link drops. Reconnection, retry, policy and memory belong to
 * machines. The library's own reconnection is off.
 */
import type { InboundMessage } from '../../protocol/message.ts'
import type { Services } from '../services.ts'

/** What the gateway gives to an adapter. */
export interface ChannelHost {
  /**
   * Takes one inbound message, and where the platform has one, the cursor behind it; resolves when
   * both are on disk, in one record. Only then may the platform be told that we have it. Rejects
   * where it cannot be taken now: then it must come again, or be said to be lost.
   */
  readonly received: (message: InboundMessage, cursor?: string) => Promise<void>
  /** Tells that all up to a cursor was looked at and nothing was taken of it; kept within seconds. */
  readonly passed: (cursor: string) => void
  /** Lists targets of the conversations that are known, the newest first. */
  readonly conversations: () => readonly string[]
  /**
   * Tells that the platform has given a room another id; resolves when that is on disk. Rejects where
   * it cannot be kept now.
   */
  readonly moved: (from: string, room: string) => Promise<void>
  /** Tells that messages which the platform believes we have are lost for good, and why. */
  readonly lost: (count: number, why: string) => void
  /** Tells of any sign of life of the other side; whoever tells it once must go on telling. */
  readonly heard: () => void
  /** Tells that an open link has ended. Called at most once for each successful `open`. */
  readonly dropped: (reason: string, how?: LinkEnd) => void
}

/** What is known of a link that did not come up, or has ended. */
export interface LinkEnd {
  readonly final?: boolean // dialling again would end the same way: the channel has failed
  readonly retryAfterMs?: number | null // as the other side asks
}

/** Why a link does not come up, where more than the text is known. */
export class LinkFault extends Error {
  readonly end: LinkEnd

  constructor(message: string, end: LinkEnd) {
    super(message)
    this.name = 'LinkFault'
    this.end = end
  }
}

/** Where to go on reading: the newest cursor that is on disk. */
export interface Resume {
  readonly cursor: string
  readonly at: number // ms since epoch: when it was kept
}

/** One message on its way out. */
export interface OutboundMessage {
  readonly target: string // the platform's name for a person or room
  readonly text: string
  readonly deliveryId: string // stable over retries: for platforms that take a client id
}

/** What the platform said of a delivered message. */
export interface DeliveryReceipt {
  readonly messageId: string | null // the platform's, where it gives one
}

/**
 * Why a delivery did not succeed.
 * `sent: 'no'` the platform cannot have it: retrying is safe. `sent: 'maybe'` it may have it.
 */
export class DeliveryFault extends Error {
  readonly sent: 'no' | 'maybe'
  readonly retryable: boolean
  readonly retryAfterMs: number | null

  constructor(
    message: string,
    sent: 'no' | 'maybe',
    retryable: boolean,
    retryAfterMs: number | null = null,
  ) {
    super(message)
    this.name = 'DeliveryFault'
    this.sent = sent
    this.retryable = retryable
    this.retryAfterMs = retryAfterMs
  }
}

/** Nobody was there to deliver to: surely not sent, and it says nothing of the message. */
export class Unreached extends DeliveryFault {
  constructor(message: string) {
    super(message, 'no', true)
    this.name = 'Unreached'
  }
}

/** A request that came to the door for an adapter; its body is bounded and not yet believed. */
export interface HookRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Buffer
}

/** What is answered to it. */
export interface HookAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly retryAfterMs?: number
}

/** A path of our own HTTP server to which a platform posts. */
export interface ChannelHook {
  readonly path: string
  /** Judges and takes one request; called only while the link is up. Never rejects. */
  readonly answer: (request: HookRequest) => Promise<HookAnswer>
}

export interface ChannelAdapter {
  /**
   * Dials and registers; resolves when messages can flow. A rejection leaves nothing open; one with
   * a GatewayError UNAUTHORIZED or a final LinkFault is not tried again by itself.
   */
  readonly open: (signal: AbortSignal, resume: Resume | null) => Promise<void>
  /** Delivers one message, in pieces where the platform needs it. @throws {DeliveryFault} */
  readonly deliver: (message: OutboundMessage) => Promise<DeliveryReceipt>
  /** Says goodbye and closes; never throws; `dropped` is not called for it. */
  readonly close: () => Promise<void>
  /** Where the platform comes to us; absent: it does not. */
  readonly hook?: ChannelHook
}

/** Makes an adapter from its checked configuration. */
export type OpenAdapter<Config> = (
  config: Config,
  host: ChannelHost,
  services: Services,
) => ChannelAdapter
