/**
 * Discord's words: dispatches of its gateway as messages, texts in pieces, targets, and the cursor.
 *
 * Pure. A dispatch comes from a network and is read member by member; what is no message of a person
 * is null. Ids are Discord's snowflakes as texts: names change hands and decide nothing. Before
 * step 3 on the way in, behind step 7 on the way out.
 */
import { createHash } from 'node:crypto'
import { limits } from '../limits.ts'
import { memberOf } from '../members.ts'
import type { InboundMessage } from '../message.ts'
import { splitText } from './pieces.ts'

/** Where a message goes: a channel or thread, or a person, whose channel has to be asked for. */
export interface DiscordTarget {
  readonly kind: 'channel' | 'user'
  readonly id: string
}

/** Where a session of the gateway is to be resumed. */
export interface DiscordPlace {
  readonly sessionId: string
  readonly seq: number // of the last dispatch that is on disk
  readonly resumeUrl: string | null // null: where sessions are begun
}

const SNOWFLAKE = /^\d{1,20}$/
const EPOCH_MS = 1_420_070_400_000n // The first second of 2015, from which snowflakes count.
// What people write; all else is said by Discord itself: somebody came, something was pinned.
const WRITTEN: ReadonlySet<unknown> = new Set([0, 19])

/** Reads a target: `channel:ID` (a thread is one too) or `user:ID`; null where it is none. */
export function parseDiscordTarget(text: string): DiscordTarget | null {
  const [, kind, id] = /^(channel|user):(\d{1,20})$/.exec(text) ?? []
  if (id === undefined) return null
  return { kind: kind === 'user' ? 'user' : 'channel', id }
}

/**
 * Reads a MESSAGE_CREATE as a message, or null where no person has written anything. Of a thread it
 * cannot know that it is one: `inThread` tells.
 */
export function parseDiscordMessage(data: unknown, botId: string): InboundMessage | null {
  const author = memberOf(data, 'author')
  const id = snowflakeOf(data, 'id')
  const senderId = snowflakeOf(author, 'id')
  const channelId = snowflakeOf(data, 'channel_id')
  const content = memberOf(data, 'content')
  if (id === null || senderId === null || channelId === null) return null
  if (typeof content !== 'string' || !WRITTEN.has(memberOf(data, 'type') ?? 0)) return null
  if (memberOf(author, 'bot') === true || memberOf(data, 'webhook_id') !== undefined) return null
  const guildId = snowflakeOf(data, 'guild_id')
  const call =
    guildId === null ? { mentioned: true, text: content } : readCall(data, content, botId)
  if (senderId === botId || call.text.trim() === '') return null
  return {
    messageId: id,
    peer: guildId === null ? 'direct' : 'channel',
    senderId,
    senderName: nameOf(author),
    roomId: guildId === null ? senderId : channelId,
    ...(guildId === null ? {} : { spaceId: discordSpace(guildId) }),
    replyTarget: guildId === null ? `user:${senderId}` : `channel:${channelId}`,
    mentioned: call.mentioned,
    text: call.text,
    sentAt: Number((BigInt(id) >> 22n) + EPOCH_MS),
  }
}

/** The smallest id that was given at a time (ms since epoch) or later. */
export function discordSnowflake(at: number): string {
  const ms = BigInt(Math.max(0, Math.floor(at))) - EPOCH_MS
  return String((ms < 0n ? 0n : ms) << 22n)
}

/** Names a guild as policies do. */
export function discordSpace(guildId: string): string {
  return `guild:${guildId}`
}

/** A message of a thread: its room is the channel that the thread belongs to. */
export function inThread(message: InboundMessage, parentId: string): InboundMessage {
  return { ...message, roomId: parentId, threadId: message.roomId }
}

/** The channel that a thread belongs to; null: it is a channel itself. */
export function parentOfThread(channel: unknown): string | null {
  const type = memberOf(channel, 'type')
  // Threads of announcements, public ones, private ones.
  return type === 10 || type === 11 || type === 12 ? snowflakeOf(channel, 'parent_id') : null
}

interface Call {
  readonly mentioned: boolean
  readonly text: string
}

/** Whether a guild's message is meant for us; the call that it begins with is left out. */
function readCall(data: unknown, content: string, botId: string): Call {
  const { mentions, referenced_message: answered } = data as Record<string, unknown>
  const named = Array.isArray(mentions) && mentions.some((user) => memberOf(user, 'id') === botId)
  const [call = ''] = new RegExp(`^\\s*<@!?${botId}>[\\s:,]*`).exec(content) ?? []
  const rest = content.slice(call.length)
  return {
    mentioned: named || snowflakeOf(memberOf(answered, 'author'), 'id') === botId,
    text: rest === '' ? content : rest,
  }
}

function snowflakeOf(value: unknown, name: string): string | null {
  const id = memberOf(value, name)
  return typeof id === 'string' && SNOWFLAKE.test(id) ? id : null
}

function nameOf(author: unknown): string {
  const names = [memberOf(author, 'global_name'), memberOf(author, 'username')]
  return names.find((name) => typeof name === 'string') ?? ''
}

/** Splits a text into messages that Discord takes. */
export function splitDiscordText(text: string): string[] {
  return splitText(text, {
    unitsMax: limits.discordTextUnitsMax,
    piecesMax: limits.discordPiecesMax,
  })
}

/** Names one piece of a delivery, so that Discord knows it again: at most 25 characters there. */
export function discordNonce(deliveryId: string, piece: number): string {
  const digest = createHash('sha256').update(`${deliveryId}:${piece}`).digest('base64url')
  return digest.slice(0, 22)
}

/** Writes a cursor; null where the session has a name that does not fit into one. */
export function formatDiscordCursor({ sessionId, seq, resumeUrl }: DiscordPlace): string | null {
  if (!/^[\w-]{1,48}$/.test(sessionId)) return null
  const [, host] = /^wss:\/\/([\w-]{1,32})\.discord\.gg\/?$/.exec(resumeUrl ?? '') ?? []
  const short = `${sessionId}.${seq}`
  const whole = host === undefined ? short : `${short}.${host}`
  if (whole.length <= limits.contextTextCharsMax) return whole
  return short.length <= limits.contextTextCharsMax ? short : null
}

/** Reads a cursor; null where it is none of ours. */
export function parseDiscordCursor(text: string): DiscordPlace | null {
  const [, sessionId, seq, host] =
    /^([\w-]{1,48})\.(\d{1,15})(?:\.([\w-]{1,32}))?$/.exec(text) ?? []
  if (sessionId === undefined) return null
  const resumeUrl = host === undefined ? null : `wss://${host}.discord.gg`
  return { sessionId, seq: Number(seq), resumeUrl }
}
