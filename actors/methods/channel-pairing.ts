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
  type Senders,
} from '../../machines/rules/senders.ts'
import { digestPairingCode, readPairingCode } from '../../protocol/auth/pairing-code.ts'
import { equalSecrets } from '../../protocol/auth/token.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote, type StreamId, streamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { MethodParams } from '../../protocol/methods.ts'
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

/** Lets the sender in who was told a code, by it or by id; `{ channel, senderId, position }`. */
export const channelPairingApprove: Handler<'channel.pairing.approve'> = async (
  house,
  params,
  origin,
) => {
  const { channel, code, senderId } = oneNamed(params)
  if (code !== undefined) {
    return approveSender(house, await askedByCode(house, { channel, code }, origin), origin)
  }
  const waiting = waitingSender(house, channel, senderId)
  if (waiting === null) throw unknownSender(channel)
  return approveSender(house, waiting, origin)
}

/** Turns away the sender who was told a code, by it or by id, or one that was let in, by id. */
export const channelPairingReject: Handler<'channel.pairing.reject'> = async (
  house,
  params,
  origin,
) => {
  const { channel, code, senderId } = oneNamed(params)
  if (code !== undefined) {
    return rejectSender(house, await askedByCode(house, { channel, code }, origin), origin)
  }
  const { senders } = find(house, channel)
  const known = senders.approved.find((approved) => approved === senderId)
  if (known !== undefined)
    return rejectSender(house, { channel, senderId: known, digest: '' }, origin)
  const waiting = waitingSender(house, channel, senderId)
  if (waiting === null) throw unknownSender(channel)
  return rejectSender(house, waiting, origin)
}

type Named = MethodParams<'channel.pairing.reject'>

function oneNamed(params: Named): Named {
  if ((params.code === undefined) !== (params.senderId === undefined)) return params
  const details = { path: 'code' }
  throw new GatewayError('INVALID_REQUEST', 'params: expected code or senderId', details)
}

function waitingSender(
  house: MethodHouse,
  channel: string,
  senderId: string | undefined,
): AskingSender | null {
  const { senders } = find(house, channel)
  const [found] = openOf(senders, house.services.clock.now()).filter(
    (pending) => pending.senderId === senderId && pending.rejected !== true,
  )
  return found === undefined ? null : { channel, senderId: found.senderId, digest: found.digest }
}

/** A sender of a channel; `digest` is that of their code, empty for one that was let in. */
export interface AskingSender {
  readonly channel: string
  readonly senderId: string
  readonly digest: string
}

/** What a sender's judgement answers. */
export interface SenderAnswer {
  readonly channel: string
  readonly senderId: string
  readonly position: number
}

/** Lets a sender in. @throws {GatewayError} UNAVAILABLE: nobody more can be; NOT_FOUND */
export async function approveSender(
  house: MethodHouse,
  sender: AskingSender,
  origin: Origin,
): Promise<SenderAnswer> {
  const { channel, senderId } = sender
  if (isHouseFull(find(house, channel).senders)) {
    const text = `${channel}: ${limits.sendersApprovedMax} senders are let in already`
    throw new GatewayError('UNAVAILABLE', text)
  }
  const position = await judge({ house, origin }, 'sender.approved', sender)
  return { channel, senderId, position }
}

/** Turns a sender away. @throws {GatewayError} NOT_FOUND */
export async function rejectSender(
  house: MethodHouse,
  sender: AskingSender,
  origin: Origin,
): Promise<SenderAnswer> {
  const { channel, senderId } = sender
  const position = await judge({ house, origin }, 'sender.rejected', sender)
  return { channel, senderId, position }
}

/**
 * Finds the sender of a channel whose code a person typed; a wrong one is a record.
 * @throws {GatewayError} CHANNEL_UNKNOWN, NOT_FOUND; RATE_LIMITED: too many were wrong
 */
export async function askedByCode(
  house: MethodHouse,
  { channel, code }: { readonly channel: string; readonly code: string },
  origin: Origin,
): Promise<AskingSender> {
  assertUnlocked(house, [channel])
  const found = matchCode(house, channel, readPairingCode(code) ?? '')
  if (found !== null) return found
  await tell({ house, origin }, channel, { type: 'code.missed' })
  const details = { path: 'code' }
  throw new GatewayError('NOT_FOUND', 'params.code: no sender waits with this code', details)
}

/** Finds, in all channels, the sender whose code a person typed; null: nobody waits with it. */
export function findAnywhere(house: MethodHouse, code: string): AskingSender | null {
  const open = channelsOf(house).filter((channel) => locked(house, channel) === 0)
  // All are looked at, so that time tells nothing of where a code stands.
  const found = open.map((channel) => matchCode(house, channel, code))
  return found.find((sender) => sender !== null) ?? null
}

/**
 * Counts a wrong code in all channels where somebody waits.
 * @throws {GatewayError} RATE_LIMITED: one of them looks at none, so that it may have been right
 */
export async function missAnywhere(house: MethodHouse, origin: Origin): Promise<void> {
  const now = house.services.clock.now()
  const waited = channelsOf(house).filter(
    (channel) => openOf(find(house, channel).senders, now).length > 0,
  )
  assertUnlocked(house, waited)
  await Promise.all(
    waited.map((channel) => tell({ house, origin }, channel, { type: 'code.missed' })),
  )
}

interface Asked {
  readonly house: MethodHouse
  readonly origin: Origin
}

function channelsOf({ channels }: MethodHouse): string[] {
  return Object.keys(channels.states())
}

function find(house: MethodHouse, channel: string): { stream: StreamId; senders: Senders } {
  if (!channelsOf(house).includes(channel)) {
    const text = `params.channel: no channel named ${quote(channel)}`
    throw new GatewayError('CHANNEL_UNKNOWN', text, { path: 'channel' })
  }
  const stream = streamId('channel', channel)
  const { senders } = house.registry.snapshot(stream).context as ChannelContext
  return { stream, senders: senders ?? NO_SENDERS }
}

function locked(house: MethodHouse, channel: string): number {
  return lockedMs(find(house, channel).senders, house.services.clock.now())
}

function assertUnlocked(house: MethodHouse, channels: readonly string[]): void {
  const retryAfterMs = Math.max(0, ...channels.map((channel) => locked(house, channel)))
  if (retryAfterMs === 0) return
  const minutes = Math.ceil(retryAfterMs / 60_000)
  const text = `too many wrong codes: none is looked at for ${minutes} min`
  throw new GatewayError('RATE_LIMITED', text, { retryAfterMs })
}

// Every pending digest is compared, whichever fits.
function matchCode(house: MethodHouse, channel: string, code: string): AskingSender | null {
  const { senders } = find(house, channel)
  const digest = digestPairingCode(code)
  const [found] = openOf(senders, house.services.clock.now()).filter(
    (pending) => equalSecrets(digest, pending.digest) && !pending.rejected,
  )
  return found === undefined ? null : { channel, senderId: found.senderId, digest }
}

async function judge(
  asked: Asked,
  type: SenderJudged['type'],
  { channel, senderId, digest }: AskingSender,
): Promise<number> {
  const { position, ignored } = await tell(asked, channel, { type, senderId, digest })
  // Judged on what was on disk then; another word may have come first.
  if (ignored !== null) throw unknownSender(channel)
  return position
}

function tell(
  { house, origin }: Asked,
  channel: string,
  event: Readonly<{ type: string } & Record<string, unknown>>,
): Promise<JournalRecord> {
  const { caller, cause, correlationId } = origin
  const by = caller.admission.deviceId
  const { stream } = find(house, channel)
  return house.registry.offer(stream, { event: { ...event, by }, cause, correlationId })
}

function unknownSender(channel: string): GatewayError {
  return new GatewayError('NOT_FOUND', `${channel}: no such sender`)
}
