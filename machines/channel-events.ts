/** What a channel takes in: events of its link, of the platform, and of its owner. */
import type { Directive } from '../protocol/directives.ts'
import type { PeerKind } from '../protocol/message.ts'
import type { EffectDone, EffectFailed, EffectLost } from './effects.ts'
import type { RunPlan } from './rules/plan.ts'
import type { ChannelPolicy } from './rules/policy.ts'
import type { QueuePolicy } from './rules/queue.ts'
import type { Expiry } from './session-events.ts'

/** A channel is to be up, by such a policy. */
export type ChannelEnabled = {
  type: 'channel.enabled'
  channel: string
  policy: ChannelPolicy
  at: number
}

/** An inbound message as facts; its text is behind `ref`. */
export type MessageReceived = {
  type: 'message.received'
  channel: string
  messageId: string
  peer: PeerKind
  senderId: string
  roomId: string
  spaceId?: string // absent: the room is a part of nothing
  target: string // where an answer goes
  mentioned: boolean
  ref: string
  bytes: number
  sessionKey: string
  pending: number // messages of that session that wait or run, as the door saw it
  runId: string
  model: string
  thinking: string
  messagesMax: number
  plan?: RunPlan // absent: in journals of before
  queue?: QueuePolicy // absent: a run of its own, after those that wait
  expiry?: Expiry // absent: its session stays
  directive?: Directive // it is for the gateway
  rest?: boolean // of a directive: there is a message behind it; absent: no
  codeDigest?: string // of the code that was drawn for an unknown sender
  account?: string // of ours on the platform, to which ids belong; absent: the only one
  cursor?: string // the platform's, behind this message; absent: it has none
  at: number
}

/** Where to go on reading, past things of which nothing was taken. */
export type CursorMoved = {
  type: 'cursor.moved'
  account?: string // absent: the only one
  cursor: string
  at: number
}

/** Where a platform's account was read up to, as far as that is on disk. */
export interface Cursor {
  account: string // empty: the only one
  value: string
  at: number // ms since epoch
}

/** Messages that the platform believes we have could not be taken, and do not come again. */
export type MessagesLost = { type: 'messages.lost'; count: number; reason: string; at: number }

/** What a channel has lost since it was first enabled. */
export interface Loss {
  count: number
  at: number // ms since epoch: of the last one
}

/** The platform has given a room another id. */
export type RoomMoved = { type: 'room.moved'; from: string; room: string; at: number }

/** An owner has let a sender in, or turned them away, by the code that they were told. */
export type SenderJudged = {
  type: 'sender.approved' | 'sender.rejected'
  senderId: string
  digest: string // of the code; empty: by name, only to turn away who was let in
  by: string // device
  at: number
}

/** An open link has ended. */
export type LinkDropped = {
  type: 'link.dropped'
  reason: string
  random: number
  retryAfterMs?: number // as the other side asks; absent: it does not
  final?: true // for good; absent: it may come back
  at: number
}

/** All of them. */
export type ChannelEvent =
  | ChannelEnabled
  | { type: 'channel.disabled'; at: number }
  | MessageReceived
  | CursorMoved
  | MessagesLost
  | RoomMoved
  | SenderJudged
  | { type: 'code.missed'; by: string; at: number }
  | EffectDone
  | EffectFailed
  | EffectLost
  | LinkDropped
  | { type: 'retry.due'; at: number }
