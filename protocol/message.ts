/**
 * A message as every channel speaks of it, whatever the platform called its fields.
 */

/** One message from a platform, before policy has judged it. */
export interface InboundMessage {
  readonly messageId: string // the platform's, or one that the adapter derived; scoped to the room
  readonly peer: PeerKind
  readonly senderId: string // stable id of the writer (IRC: the account or the folded nick)
  readonly senderName: string // as shown; never used for decisions
  readonly roomId: string // where it was written; for a direct message the sender's id
  readonly spaceId?: string // what the room is a part of, as policies name it: `guild:7`; absent: of nothing
  readonly threadId?: string // the topic or thread within a room that is a conversation; absent: none
  readonly account?: string // ours that was written to, where the adapter alone knows it; absent: the channel's
  readonly replyTarget: string // where an answer goes, in the platform's own words
  readonly mentioned: boolean // the bot was addressed by name; true in direct messages
  readonly text: string // unchanged, but for the address prefix the platform demands
  readonly sentAt: number | null // ms since epoch, by the platform's clock, where it tells
}

/** direct: one person; channel and group: a room, as the platform names it. */
export type PeerKind = 'direct' | 'channel' | 'group'
