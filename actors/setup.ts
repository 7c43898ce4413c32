/** From configuration to channels: which adapter serves each, and by which rules. */
import type { ChannelPolicy } from '../machines/rules/policy.ts'
import { foldIrc, isIrcTarget } from '../protocol/channels/irc.ts'
import type { ResolvedConfig, ResolvedIrc } from '../protocol/config/defaults.ts'
import type { InboundMessage } from '../protocol/message.ts'
import { directSessionKey, roomSessionKey } from '../protocol/session-key.ts'
import type { ChannelSetup } from './channel-setup.ts'
import { openIrc } from './channels/irc.ts'
import type { Services } from './services.ts'

const AGENT = 'main'

/** Lists the configured channels. */
export function setUpChannels(config: ResolvedConfig, services: Services): ChannelSetup[] {
  return config.irc === null ? [] : [setUpIrc(config.irc, config, services)]
}

function setUpIrc(irc: ResolvedIrc, config: ResolvedConfig, services: Services): ChannelSetup {
  return {
    name: 'irc',
    policy: ircPolicy(irc),
    open: (host) => openIrc(irc, host, services),
    refuseTarget: (target) =>
      isIrcTarget(target) ? null : `expected a nick or a #room, got ${JSON.stringify(target)}`,
    sessionKey: (message) => sessionKeyOf('irc', message, config),
  }
}

// IRC compares names without case, in its own alphabet.
function ircPolicy({ dmPolicy, allowFrom, groupPolicy, groups }: ResolvedIrc): ChannelPolicy {
  const rooms = Object.entries(groups).map(([room, rules]) => [
    foldIrc(room),
    { requireMention: rules.requireMention, allowFrom: rules.allowFrom.map((id) => foldIrc(id)) },
  ])
  return {
    dmPolicy,
    allowFrom: allowFrom.map((id) => foldIrc(id)),
    groupPolicy,
    rooms: Object.fromEntries(rooms) as ChannelPolicy['rooms'],
  }
}

/** Names the session of an inbound message: a person's own, or the room's. */
function sessionKeyOf(channel: string, message: InboundMessage, config: ResolvedConfig): string {
  const { peer, senderId, roomId } = message
  if (peer !== 'direct') return roomSessionKey(AGENT, channel, peer, roomId)
  const from = { channel, account: 'default', peer: senderId }
  return directSessionKey(AGENT, config.session.dmScope, from)
}
