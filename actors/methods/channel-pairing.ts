/**
 * `channel.pairing.*`: senders who wait at a channel, and the owner's word on them. Step 4 of 8.
 *
 * A code is looked for by its digest, in constant time, and wrong ones are counted in the journal:
 * after `limits.codeMissesMax` none is looked at for a while, whoever asks.
 */
import type { ChannelContext, SenderJudged } from '../../machines/channel.ts'
import {
  isHouseFull,
  lockedMs,
  NO_SENDERS,
  openOf,
  type PendingSender,
  type Senders,
} from '../../machines/rules/senders.ts'
import { digestPairingCode, readPairingCode } from '../../protocol/auth/pairing-code.ts'
import { equalSecrets } from '../../protocol/auth/token.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote, type StreamId, streamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { Origin } from '../caller.ts'
import type { Handler, MethodHouse } from './house.ts'

/** Lists who waits and who was let in; `{ channel, pending, approved }`, without any code. */
export const channelPairingList: Handler<'channel.pairing.list'> = (house, { channel }) => {
  const { senders } = find(house, channel)
  const pending = openOf(senders, house.services.clock.now()).map(
    ({ senderId, askedAt, rejected = false }) => ({
      senderId,
      askedAt,
      expiresAt: askedAt + limits.senderCodeMs,
      rejected,
    }),
  )
  return { channel, pending, approved: senders.approved }
}

/** Lets the sender in who was told a code; `{ channel, senderId, position }`. */
export const channelPairingApprove: Handler<'channel.pairing.approve'> = async (
  house,
  { channel, code },
  origin,
) => {
  const { stream, senders } = find(house, channel)
  const { senderId, digest } = await match({ house, stream, senders, origin }, code)
  if (isHouseFull(senders)) {
    const text = `${channel}: ${limits.sendersApprovedMax} senders are let in already`
    throw new GatewayError('UNAVAILABLE', text)
  }
  const position = await judge({ house, stream, origin }, 'sender.approved', { senderId, digest })
  return { channel, senderId, position }
}

/** Turns away the sender who was told a code, or one that was let in, by id. */
export const channelPairingReject: Handler<'channel.pairing.reject'> = async (
  house,
  { channel, code, senderId: named },
  origin,
) => {
  const { stream, senders } = find(house, channel)
  if ((code === undefined) === (named === undefined)) {
    const details = { path: 'code' }
    throw new GatewayError('INVALID_REQUEST', 'params: expected code or senderId', details)
  }
  if (named !== undefined && !senders.approved.includes(named)) throw unknownSender(channel)
  const { senderId, digest } =
    code === undefined
      ? { senderId: named ?? '', digest: '' }
      : await match({ house, stream, senders, origin }, code)
  const position = await judge({ house, stream, origin }, 'sender.rejected', { senderId, digest })
  return { channel, senderId, position }
}

interface Asked {
  readonly house: MethodHouse
  readonly stream: StreamId
  readonly origin: Origin
}

function find(house: MethodHouse, channel: string): { stream: StreamId; senders: Senders } {
  if (!Object.hasOwn(house.channels.states(), channel)) {
    const text = `params.channel: no channel named ${quote(channel)}`
    throw new GatewayError('CHANNEL_UNKNOWN', text, { path: 'channel' })
  }
  const stream = streamId('channel', channel)
  const { senders } = house.registry.snapshot(stream).context as ChannelContext
  return { stream, senders: senders ?? NO_SENDERS }
}

// Every pending digest is compared, whichever fits; a wrong code is a record.
async function match(
  { house, stream, senders, origin }: Asked & { readonly senders: Senders },
  text: string,
): Promise<PendingSender> {
  const now = house.services.clock.now()
  const waitMs = lockedMs(senders, now)
  if (waitMs > 0) {
    const details = { retryAfterMs: waitMs }
    throw new GatewayError('RATE_LIMITED', 'too many wrong codes; wait', details)
  }
  const digest = digestPairingCode(readPairingCode(text) ?? '')
  const found = openOf(senders, now).filter(
    (pending) => equalSecrets(digest, pending.digest) && !pending.rejected,
  )
  const [pending] = found
  if (pending !== undefined) return pending
  await tell({ house, stream, origin }, { type: 'code.missed' })
  throw new GatewayError('NOT_FOUND', 'params.code: no sender waits with this code', {
    path: 'code',
  })
}

async function judge(
  asked: Asked,
  type: SenderJudged['type'],
  sender: Pick<SenderJudged, 'senderId' | 'digest'>,
): Promise<number> {
  const { position, ignored } = await tell(asked, { type, ...sender })
  // Judged on what was on disk then; another word may have come first.
  if (ignored !== null) throw unknownSender(asked.stream)
  return position
}

function tell(
  { house, stream, origin }: Asked,
  event: Readonly<{ type: string } & Record<string, unknown>>,
): Promise<JournalRecord> {
  const { caller, cause, correlationId } = origin
  const by = caller.admission.deviceId
  return house.registry.offer(stream, { event: { ...event, by }, cause, correlationId })
}

function unknownSender(channel: string): GatewayError {
  return new GatewayError('NOT_FOUND', `${channel}: no such sender`)
}
