/**
 * Telegram's words: updates of its Bot API as messages, texts in pieces, and targets.
 *
 * Pure. An update comes from a network and is read member by member; what is no message of a person
 * is null. Ids are Telegram's numbers as texts: names and usernames change hands and decide nothing.
 * Before step 3 on the way in, behind step 7 on the way out.
 */
import { limits } from '../limits.ts'
import { isObject, memberOf } from '../members.ts'
import type { InboundMessage } from '../message.ts'
import { splitText } from './pieces.ts'

/** Who we are there. */
export interface TelegramBot {
  readonly id: number
  readonly username: string // without @
}

/** Where a message goes. */
export interface TelegramTarget {
  readonly chat: string // numeric, or @name of a public channel
  readonly topic: number | null
}

/** Reads a target: `123`, `-100123`, `-100123:topic:7`, `@channel`; null where it is none. */
export function parseTelegramTarget(text: string): TelegramTarget | null {
  const [, chat, topic] = /^(-?\d{1,19}|@[A-Za-z]\w{3,31})(?::topic:(\d{1,15}))?$/.exec(text) ?? []
  if (chat === undefined) return null
  return { chat, topic: topic === undefined ? null : Number(topic) }
}

/** Reads the number of an update, by which Telegram is asked for those behind it; null: it has none. */
export function updateIdOf(update: unknown): number | null {
  const id = memberOf(update, 'update_id')
  return Number.isSafeInteger(id) ? Number(id) : null
}

/** Reads an update as a message, or null where nobody has written anything to us. */
export function parseTelegramUpdate(update: unknown, bot: TelegramBot): InboundMessage | null {
  const message = memberOf(update, 'message')
  if (!isObject(message)) return null
  const chat = message['chat']
  const chatId = idOf(chat)
  const writer = writerOf(message, chat)
  const messageId = message['message_id']
  const written = textOf(message)
  if (chatId === null || writer === null || !Number.isSafeInteger(messageId)) return null
  if (written === null || writer.id === String(bot.id)) return null
  const direct = memberOf(chat, 'type') === 'private'
  const topic = topicOf(message)
  const call = direct ? { mentioned: true, text: written.text } : readCall(message, written, bot)
  if (call.text.trim() === '') return null
  return {
    messageId: String(messageId),
    peer: direct ? 'direct' : 'group',
    senderId: writer.id,
    senderName: writer.name,
    roomId: direct ? writer.id : chatId,
    ...(topic === null || direct ? {} : { threadId: topic }),
    replyTarget: topic === null ? chatId : `${chatId}:topic:${topic}`,
    mentioned: call.mentioned,
    text: call.text,
    sentAt: timeOf(message['date']),
  }
}

/** Reads that a group has become a supergroup, which has another id; null: it tells of none. */
export function parseTelegramMove(
  update: unknown,
): { readonly from: string; readonly room: string } | null {
  const message = memberOf(update, 'message')
  const chat = idOf(memberOf(message, 'chat'))
  const [to, from] = ['migrate_to_chat_id', 'migrate_from_chat_id'].map((name) => {
    const id = memberOf(message, name)
    return Number.isSafeInteger(id) ? String(id) : null
  })
  if (chat === null) return null
  // The old group says where it went, the new one where it came from.
  if (typeof to === 'string') return { from: chat, room: to }
  return typeof from === 'string' ? { from, room: chat } : null
}

interface Written {
  readonly text: string
  readonly entities: readonly unknown[]
}

// A picture's caption is what its sender says; what has neither text nor caption is not read.
function textOf(message: Readonly<Record<string, unknown>>): Written | null {
  for (const [name, list] of [
    ['text', 'entities'],
    ['caption', 'caption_entities'],
  ] as const) {
    const { [name]: text, [list]: entities } = message
    if (typeof text === 'string' && text.trim() !== '') {
      return { text, entities: Array.isArray(entities) ? entities : [] }
    }
  }
  return null
}

// An administrator who writes as the group, or a channel, is that one and no person.
function writerOf(
  message: Readonly<Record<string, unknown>>,
  chat: unknown,
): { id: string; name: string } | null {
  const { from, sender_chat: as } = message
  const isPerson = as === undefined || memberOf(chat, 'type') === 'private'
  const id = idOf(isPerson ? from : as)
  // Two bots that answer each other would never end.
  if (id === null || (isPerson && memberOf(from, 'is_bot') === true)) return null
  const names = isPerson
    ? [memberOf(from, 'first_name'), memberOf(from, 'last_name')]
    : [memberOf(as, 'title')]
  return { id, name: names.filter((name) => typeof name === 'string').join(' ') }
}

// Replies to a message of a group that has no topics have a thread's number too; they are in the room.
function topicOf(message: Readonly<Record<string, unknown>>): string | null {
  const { is_topic_message: isTopic, message_thread_id: topic } = message
  return isTopic === true && Number.isSafeInteger(topic) ? String(topic) : null
}

interface Call {
  readonly mentioned: boolean
  readonly text: string
}

/** Whether a group's message is meant for us; the call that it begins with is left out. */
function readCall(
  message: Readonly<Record<string, unknown>>,
  { text, entities }: Written,
  bot: TelegramBot,
): Call {
  const calls = entities.flatMap((entity) => callIn(entity, text, bot) ?? [])
  const answered = idOf(memberOf(message['reply_to_message'], 'from')) === String(bot.id)
  const first = calls.find(({ offset, isName }) => offset === 0 && isName)
  const rest = first === undefined ? text : text.slice(first.length).replace(/^[\s:,]+/, '')
  return { mentioned: calls.length > 0 || answered, text: rest === '' ? text : rest }
}

// Offsets are UTF-16 units, as ours.
function callIn(
  entity: unknown,
  text: string,
  { id, username }: TelegramBot,
): { offset: number; length: number; isName: boolean } | null {
  if (!isObject(entity)) return null
  const { type, offset, length, user } = entity
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length)) return null
  const [from, size] = [Number(offset), Number(length)]
  const said = text.slice(from, from + size).toLowerCase()
  const name = `@${username.toLowerCase()}`
  const place = { offset: from, length: size }
  if (type === 'mention' && said === name) return { ...place, isName: true }
  if (type === 'text_mention' && idOf(user) === String(id)) return { ...place, isName: true }
  // A command keeps its place: `/stop@heron` means `/stop`, and says so itself.
  if (type === 'bot_command' && said.endsWith(name)) return { ...place, isName: false }
  return null
}

function idOf(value: unknown): string | null {
  const id = memberOf(value, 'id')
  return Number.isSafeInteger(id) ? String(id) : null
}

function timeOf(date: unknown): number | null {
  return Number.isSafeInteger(date) ? Number(date) * 1_000 : null
}

/** Splits a text into messages that Telegram takes. */
export function splitTelegramText(
  text: string,
  unitsMax: number = limits.telegramTextUnitsMax,
): string[] {
  return splitText(text, { unitsMax, piecesMax: limits.telegramPiecesMax })
}
