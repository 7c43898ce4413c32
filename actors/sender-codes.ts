/**
 * Codes for unknown senders of one channel: drawn before the record, told after it. Steps 4 and 7.
 *
 * The code itself is in memory only, until it is told; the journal has its digest. A process that
 * ends in between leaves a digest that nobody knows the code of: the sender gets another one.
 */
import { type ChannelContext, judgePerson, type Written } from '../machines/channel.ts'
import {
  digestPairingCode,
  makePairingCode,
  PAIRING_CODE_BYTES,
  showPairingCode,
} from '../protocol/auth/pairing-code.ts'
import { cutText } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { type ChannelAdapter, DeliveryFault } from './channels/adapter.ts'
import type { Outcome } from './outbox.ts'
import type { Chance } from './services.ts'

/** Keeps the codes that were drawn and not told yet. */
export class SenderCodes {
  #chance: Chance
  #codes = new Map<string, string>()

  constructor(chance: Chance) {
    this.#chance = chance
  }

  /** Draws a code where the channel would tell one; the digest for the event, or nothing. */
  draw(context: ChannelContext, written: Omit<Written, 'codeDigest'>): { codeDigest?: string } {
    if (judgePerson(context, written).rule !== 'dm.pairing') return {}
    const code = makePairingCode(this.#chance.bytes(PAIRING_CODE_BYTES))
    const codeDigest = digestPairingCode(code)
    this.#codes.set(codeDigest, showPairingCode(code))
    const [oldest] = this.#codes.keys()
    if (this.#codes.size > limits.codesHeldMax && oldest !== undefined) this.#codes.delete(oldest)
    return { codeDigest }
  }

  /** Takes a code out, to be told. */
  take(digest: string): string | null {
    const code = this.#codes.get(digest) ?? null
    this.#codes.delete(digest)
    return code
  }
}

/** What tells a code: the account, where, and its digest. */
export interface Telling {
  readonly channel: string
  readonly target: string
  readonly digest: string
}

/** Tells a sender their code, in one message. */
export async function tellCode(
  { channel, target, digest }: Telling,
  codes: SenderCodes,
  adapter: ChannelAdapter,
): Promise<Outcome> {
  const code = codes.take(digest)
  if (code === null) {
    return { type: 'effect.failed', class: 'unknown code', retryable: false, sent: 'no' }
  }
  const hours = limits.senderCodeMs / 3_600_000
  const text =
    `I do not know you yet. Your code is ${code}. Whoever runs me can let you in with ` +
    `"openclaw pairing approve ${channel} ${code}", within ${hours} h.`
  try {
    await adapter.deliver({ target, text, deliveryId: digest.slice(0, 32) })
    return { type: 'effect.done' }
  } catch (thrown) {
    if (!(thrown instanceof DeliveryFault)) throw thrown
    const { sent, message } = thrown
    return { type: 'effect.failed', class: cutText(message), retryable: false, sent }
  }
}
