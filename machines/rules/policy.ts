/**
 * Who may talk to the agent on a channel, and by which rule that was decided.
 *
 * Decisions look at stable ids only, never at shown names. Every decision names its rule, so that
 * "why was this dropped" has an answer in the record.
 */
import type { PeerKind } from '../../protocol/message.ts'

export interface RoomPolicy {
  readonly requireMention: boolean
  readonly allowFrom: readonly string[] // sender ids, or '*'
}

export interface ChannelPolicy {
  readonly dmPolicy: 'pairing' | 'allowlist' | 'open' | 'disabled'
  readonly allowFrom: readonly string[] // sender ids, or '*'
  readonly groupPolicy: 'allowlist' | 'open' | 'disabled'
  readonly rooms: Readonly<Record<string, RoomPolicy>> // by room id, by space, or '*'
  readonly approvers?: readonly string[] // sender ids; absent: whom allowFrom lists
}

export interface PolicySubject {
  readonly peer: PeerKind
  readonly senderId: string
  readonly roomId: string
  readonly spaceId?: string | undefined // absent: the room is a part of nothing
  readonly mentioned: boolean
}

export interface Verdict {
  readonly admitted: boolean
  readonly rule: string
}

/** Judges one inbound message by the policy of its channel. */
export function judge(policy: ChannelPolicy, subject: PolicySubject): Verdict {
  return subject.peer === 'direct' ? judgeDirect(policy, subject) : judgeRoom(policy, subject)
}

/**
 * Tells whether somebody may decide what waits for a person: whom the channel itself names for it, or
 * lists by id. Not everybody, not whom a room lists, and not who was let in by a code.
 */
export function mayDecide(policy: ChannelPolicy, senderId: string): boolean {
  const { allowFrom, approvers = allowFrom } = policy
  return senderId !== '*' && approvers.includes(senderId)
}

function judgeDirect(policy: ChannelPolicy, { senderId }: PolicySubject): Verdict {
  if (policy.dmPolicy === 'disabled') return refuse('dm.disabled')
  if (policy.dmPolicy === 'open') return admit('dm.open')
  if (isListed(policy.allowFrom, senderId)) return admit('dm.allowFrom')
  return refuse(policy.dmPolicy === 'pairing' ? 'dm.pairing' : 'dm.allowlist')
}

function judgeRoom(policy: ChannelPolicy, subject: PolicySubject): Verdict {
  if (policy.groupPolicy === 'disabled') return refuse('group.disabled')
  const room = roomOf(policy, subject)
  if (room === null) {
    if (policy.groupPolicy === 'allowlist') return refuse('group.notListed')
    return subject.mentioned ? admit('group.open') : refuse('group.notMentioned')
  }
  if (room.allowFrom.length > 0 && !isListed(room.allowFrom, subject.senderId)) {
    return refuse('group.allowFrom')
  }
  if (room.requireMention && !subject.mentioned) return refuse('group.notMentioned')
  return admit('group.listed')
}

// What is nearest speaks. A room may be named like a member that every object has.
function roomOf({ rooms }: ChannelPolicy, { roomId, spaceId }: PolicySubject): RoomPolicy | null {
  const names = [roomId, ...(spaceId === undefined ? [] : [spaceId]), '*']
  const name = names.find((each) => Object.hasOwn(rooms, each))
  return name === undefined ? null : (rooms[name] ?? null)
}

function isListed(list: readonly string[], senderId: string): boolean {
  return list.includes('*') || list.includes(senderId)
}

function admit(rule: string): Verdict {
  return { admitted: true, rule }
}

function refuse(rule: string): Verdict {
  return { admitted: false, rule }
}
