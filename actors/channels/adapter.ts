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
  /** Takes one inbound message; resolves when it is on disk (only then may a cursor move on). */
  readonly received: (message: InboundMessage) => Promise<void>
  /** Tells of any sign of life of the other side; whoever tells it once must go on telling. */
  readonly heard: () => void
  /** Tells that an open link has ended. Called at most once for each successful `open`. */
  readonly dropped: (reason: string) => void
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

export interface ChannelAdapter {
  /** Dials and registers; resolves when messages can flow. A rejection leaves nothing open. */
  readonly open: (signal: AbortSignal) => Promise<void>
  /** Delivers one message, in pieces where the platform needs it. @throws {DeliveryFault} */
  readonly deliver: (message: OutboundMessage) => Promise<DeliveryReceipt>
  /** Says goodbye and closes; never throws; `dropped` is not called for it. */
  readonly close: () => Promise<void>
}

/** Makes an adapter from its checked configuration. */
export type OpenAdapter<Config> = (
  config: Config,
  host: ChannelHost,
  services: Services,
) => ChannelAdapter
