/**
 * WhatsApp's words: messages of its web protocol, texts in pieces, targets.
 *
 * Pure. A message comes from a network and is read member by member; what is no text of a person is
 * null. People are their phone numbers, `+E.164`; one whose number is hidden is `N@lid`, as groups
 * are `N@g.us`. Before step 3 on the way in, behind step 7 on the way out.
 */
import { createHash } from 'node:crypto'
import { limits } from '../limits.ts'
import { memberOf } from '../members.ts'
import type { InboundMessage } from '../message.ts'
import { splitText } from './pieces.ts'

/** Reads a target, `+8613800138000`, `N@g.us` or `N@lid`, as the address there; null: it is none. */
export function whatsappAddress(target: string): string | null {
  const [, number] = /^\+(\d{5,15})$/.exec(target) ?? []
  if (number !== undefined) return `${number}@s.whatsapp.net`
  return /^\d{1,32}(?:-\d{1,16})?@g\.us$|^\d{1,32}@lid$/.test(target) ? target : null
}

/** Names a person by an address: `+E.164`, or `N@lid` where no number is told; null: it is no person's. */
export function whatsappPerson(...addresses: readonly unknown[]): string | null {
  const known = addresses.filter((address) => typeof address === 'string')
  const read = (form: RegExp): string | undefined =>
    known.map((address) => form.exec(address)?.[1]).find((each) => each !== undefined)
  const number = read(/^(\d{5,15})(?::\d+)?@(?:s\.whatsapp\.net|c\.us)$/)
  if (number !== undefined) return `+${number}`
  const hidden = read(/^(\d{1,32})(?::\d+)?@lid$/)
  return hidden === undefined ? null : `${hidden}@lid`
}

/**
 * Names our account by what we are called there: a digest, since a number is somebody's own; null:
 * nobody has said.
 */
export function whatsappAccount([name]: readonly string[]): string | null {
  if (name === undefined) return null
  return createHash('sha256').update(name).digest('hex').slice(0, 16)
}

/** Reads a message, or null where no person has written a text. `us`: our own names there. */
export function parseWhatsAppMessage(
  message: unknown,
  us: readonly string[],
): InboundMessage | null {
  const key = memberOf(message, 'key')
  const [id, room] = [memberOf(key, 'id'), memberOf(key, 'remoteJid')]
  if (typeof id !== 'string' || !/^[\w.-]{1,64}$/.test(id) || memberOf(key, 'fromMe') === true) {
    return null
  }
  if (typeof room !== 'string') return null
  const isGroup = room.endsWith('@g.us') && whatsappAddress(room) !== null
  const senderId = isGroup
    ? whatsappPerson(memberOf(key, 'participant'), memberOf(key, 'participantAlt'))
    : whatsappPerson(room, memberOf(key, 'remoteJidAlt'))
  const content = contentOf(memberOf(message, 'message'))
  if (senderId === null || us.includes(senderId) || content === null) return null
  const call = isGroup ? readCall(content, us) : { mentioned: true, text: content.text }
  if (call.text.trim() === '') return null
  const name = memberOf(message, 'pushName')
  return {
    messageId: id,
    peer: isGroup ? 'group' : 'direct',
    senderId,
    senderName: typeof name === 'string' ? name : '',
    roomId: isGroup ? room : senderId,
    replyTarget: isGroup ? room : senderId,
    mentioned: call.mentioned,
    text: call.text,
    sentAt: timeOf(memberOf(message, 'messageTimestamp')),
  }
}

interface Content {
  readonly text: string
  readonly context: unknown
}

// Messages that vanish, and documents with a caption, are wrapped.
function contentOf(message: unknown): Content | null {
  const inner = ['ephemeralMessage', 'documentWithCaptionMessage']
    .map((wrap) => memberOf(memberOf(message, wrap), 'message'))
    .find((each) => typeof each === 'object' && each !== null)
  const plain = inner ?? message
  const said = memberOf(plain, 'conversation')
  if (typeof said === 'string' && said !== '') return { text: said, context: null }
  for (const [kind, name] of WITH_TEXT) {
    const part = memberOf(plain, kind)
    const text = memberOf(part, name)
    if (typeof text === 'string' && text !== '') {
      return { text, context: memberOf(part, 'contextInfo') }
    }
  }
  return null
}

const WITH_TEXT = [
  ['extendedTextMessage', 'text'],
  ['imageMessage', 'caption'],
  ['videoMessage', 'caption'],
  ['documentMessage', 'caption'],
] as const

/** Whether a group's message is meant for us; the call that it begins with is left out. */
function readCall(
  { text, context }: Content,
  us: readonly string[],
): { readonly mentioned: boolean; readonly text: string } {
  const named = memberOf(context, 'mentionedJid')
  const called = Array.isArray(named) && named.some((each) => isUs(each, us))
  if (!called) return { mentioned: isUs(memberOf(context, 'participant'), us), text }
  const [first = '', number = ''] = /^\s*@(\d{1,32})[\s:,]*/.exec(text) ?? []
  const rest = us.some((each) => each.replace(/\D/g, '') === number)
    ? text.slice(first.length)
    : text
  return { mentioned: true, text: rest === '' ? text : rest }
}

function isUs(address: unknown, us: readonly string[]): boolean {
  const person = whatsappPerson(address)
  return person !== null && us.includes(person)
}

// A number, or what stands for one that is longer than 53 bits might be.
function timeOf(seconds: unknown): number | null {
  const plain = typeof seconds === 'object' ? memberOf(seconds, 'low') : seconds
  return Number.isSafeInteger(plain) ? Number(plain) * 1_000 : null
}

/** Splits a text into messages that WhatsApp takes. */
export function splitWhatsAppText(text: string): string[] {
  return splitText(text, {
    unitsMax: limits.whatsappTextUnitsMax,
    piecesMax: limits.whatsappPiecesMax,
  })
}

/** Names one piece of a delivery, in the form of ids there. */
export function whatsappMessageId(deliveryId: string, piece: number): string {
  const digest = createHash('sha256').update(`${deliveryId}:${piece}`).digest('hex')
  return `3EB0${digest.slice(0, 18).toUpperCase()}`
}
