/** Upstream's methods about unknown senders of channels. Step 4 of 8. */
import type { ChannelContext } from '../../../machines/channel.ts'
import { NO_SENDERS, openOf, type PendingSender } from '../../../machines/rules/senders.ts'
import type { UpstreamParams } from '../../../protocol/dialect/upstream/methods.ts'
import type { channelMethods } from '../../../protocol/dialect/upstream/methods/channels.ts'
import { sha256Hex } from '../../../protocol/codec.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { quote, streamId } from '../../../protocol/ids.ts'
import { limits } from '../../../protocol/limits.ts'
import { labelOf } from '../health.ts'
import type { Call, Handlers, UpstreamHouse } from '../house.ts'
import { ACCOUNT } from './system.ts'

export const channelHandlers: Handlers<typeof channelMethods> = {
  'channels.pairing.list': (house, { channel, accountId = ACCOUNT }) => {
    const names = accountId === ACCOUNT ? channelsOf(house) : []
    const shown = names.filter((name) => channel === undefined || name === channel)
    return {
      accounts: shown.map(accountOf),
      requests: shown.flatMap((name) =>
        waitingAt(house, name).map((sender) => formatRequest(name, sender)),
      ),
      commandOwnerConfigured: false,
      limits: { pendingPerAccount: limits.sendersPendingMax, ttlMs: limits.senderCodeMs },
    }
  },
  // Nobody is told of it, and nobody becomes an owner by it: that is asked for in vain, and said.
  'channels.pairing.approve': async (house, params, call) => {
    const senderId = await judge(house, 'channel.pairing.approve', params, call)
    const { requestId, notify = false, bootstrapCommandOwner = false } = params
    return {
      requestId,
      senderId,
      notification: notify ? 'unsupported' : 'not-requested',
      commandOwnerBootstrap: bootstrapCommandOwner ? 'unavailable' : 'not-requested',
    }
  },
  'channels.pairing.dismiss': async (house, params, call) => {
    const senderId = await judge(house, 'channel.pairing.reject', params, call)
    return { requestId: params.requestId, senderId }
  },
}

async function judge(
  house: UpstreamHouse,
  method: 'channel.pairing.approve' | 'channel.pairing.reject',
  { channel, accountId, requestId }: UpstreamParams<'channels.pairing.dismiss'>,
  call: Call,
): Promise<string> {
  if (accountId !== ACCOUNT || !channelsOf(house).includes(channel)) {
    const text = `channel ${quote(channel)} has no account ${quote(accountId)} that is paired`
    throw new GatewayError('INVALID_REQUEST', text, { path: 'channel' })
  }
  const sender = waitingAt(house, channel).find((each) => requestIdOf(channel, each) === requestId)
  if (sender === undefined) throw gone()
  const { senderId } = sender
  try {
    await house.perform({ method, params: { channel, senderId } }, call)
    return senderId
  } catch (thrown) {
    throw thrown instanceof GatewayError && thrown.code === 'NOT_FOUND' ? gone() : thrown
  }
}

function gone(): GatewayError {
  const text = 'pending DM access request no longer exists'
  return new GatewayError('INVALID_REQUEST', text, { path: 'requestId' })
}

function channelsOf({ channels }: UpstreamHouse): string[] {
  return Object.keys(channels.states())
}

function waitingAt({ registry, services }: UpstreamHouse, channel: string): PendingSender[] {
  const { context } = registry.snapshot(streamId('channel', channel))
  const { senders = NO_SENDERS } = context as ChannelContext
  const open = openOf(senders, services.clock.now())
  return open.filter(({ rejected }) => rejected !== true)
}

// Of what anybody may know: the code's own digest would give the code away.
function requestIdOf(channel: string, { senderId, number, askedAt }: PendingSender): string {
  return sha256Hex(`sender\n${channel}\n${senderId}\n${number}\n${askedAt}`).slice(0, 32)
}

function accountOf(channel: string) {
  return { channel, channelLabel: labelOf(channel), accountId: ACCOUNT, notifySupported: false }
}

function formatRequest(channel: string, sender: PendingSender): unknown {
  const { senderId, askedAt } = sender
  const createdAt = new Date(askedAt).toISOString()
  return {
    requestId: requestIdOf(channel, sender),
    ...accountOf(channel),
    senderId,
    senderLabel: senderId,
    createdAt,
    lastSeenAt: createdAt,
    expiresAt: new Date(askedAt + limits.senderCodeMs).toISOString(),
  }
}
