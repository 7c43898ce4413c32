/**
 * The webhook channel's words: what a program posts to us, and what we post to it.
 *
 * Pure. Both ways carry `x-openclaw-timestamp` (s since epoch) and `x-openclaw-signature`,
 * `sha256=` and the hex of HMAC-SHA256 over `<timestamp>.<body>`, so that an old post cannot be
 * given a new time. What a post says is believed because of that signature, and of nothing else.
 */
import { createHmac } from 'node:crypto'
import { boolean, define, type Infer, optional, type as shape } from 'superstruct'
import { equalSecrets } from '../auth/token.ts'
import { GatewayError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { InboundMessage } from '../message.ts'
import { shapeOf } from '../shape.ts'

export const TIMESTAMP_HEADER = 'x-openclaw-timestamp'
export const SIGNATURE_HEADER = 'x-openclaw-signature'
export const DELIVERY_HEADER = 'x-openclaw-delivery'

/** Signs a body at a time, in s since epoch. */
export function signPost(secret: string, timestamp: string, body: string | Buffer): string {
  const hmac = createHmac('sha256', secret).update(`${timestamp}.`).update(body)
  return `sha256=${hmac.digest('hex')}`
}

/** What a post shows of who made it and when. */
export interface PostProof {
  readonly timestamp: unknown
  readonly signature: unknown
  readonly body: Buffer
}

/** Judges a post at a time, in ms; why it is not believed, or null. */
export function judgePost(secret: string, proof: PostProof, now: number): string | null {
  const { timestamp, signature, body } = proof
  if (typeof timestamp !== 'string' || !/^\d{1,12}$/.test(timestamp)) return 'no timestamp'
  if (typeof signature !== 'string') return 'no signature'
  if (!equalSecrets(signPost(secret, timestamp, body), signature)) return 'the signature is wrong'
  const age = Math.abs(now - Number(timestamp) * 1_000)
  return age > limits.webhookReplayMs ? 'the timestamp is too old, or a clock is wrong' : null
}

// Names become parts of session keys and facts of records.
const word = () =>
  define<string>(
    `a text of 1 to ${limits.webhookIdCharsMax} characters`,
    (value) =>
      typeof value === 'string' &&
      value.trim() !== '' &&
      value.length <= limits.webhookIdCharsMax &&
      !/[\p{Cc}\p{Cs}]/u.test(value),
  )

// Else an answer to somebody would go to the room that they are named like.
const person = () =>
  define<string>(
    'a name that does not begin with "room:"',
    (value) => word().is(value) && !value.startsWith('room:'),
  )

const text = () =>
  define<string>(
    'a text that says something',
    (value) => typeof value === 'string' && value.trim() !== '',
  )

const post = shape({
  id: word(), // the same for the same message, however often it is posted
  from: person(),
  name: optional(word()), // as shown
  room: optional(word()), // absent: a direct message
  thread: optional(word()),
  mentioned: optional(boolean()),
  text: text(),
})

/** What a program posts. */
export type WebhookPost = Infer<typeof post>

/**
 * Reads a post whose signature holds as a message.
 * @throws {GatewayError} INVALID_REQUEST: what it says is no message; the path is named
 */
export function parseWebhookPost(body: Buffer): InboundMessage {
  const shaped = shapeOf<WebhookPost>(post, parse(body))
  if (!shaped.ok) {
    const path = shaped.failure.path.map(String).join('.')
    const message = `${path === '' ? 'the body' : path}: expected ${shaped.failure.type}`
    throw new GatewayError('INVALID_REQUEST', message, { path })
  }
  const { id, from, name = from, room, thread, mentioned = room === undefined, text } = shaped.value
  return {
    messageId: id,
    peer: room === undefined ? 'direct' : 'group',
    senderId: from,
    senderName: name,
    roomId: room ?? from,
    ...(thread === undefined || room === undefined ? {} : { threadId: thread }),
    replyTarget: room === undefined ? from : formatRoomTarget(room, thread),
    mentioned: room === undefined || mentioned,
    text,
    sentAt: null,
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw new GatewayError('INVALID_REQUEST', 'the body is no JSON', {}, cause)
  }
}

/** Where an answer goes: a person's id, or `room:` and a room's, and `thread:` behind it. */
export interface WebhookTarget {
  readonly to: string // a person, where there is no room
  readonly room?: string
  readonly thread?: string
}

function formatRoomTarget(room: string, thread: string | undefined): string {
  const name = `room:${encodeURIComponent(room)}`
  return thread === undefined ? name : `${name}:thread:${encodeURIComponent(thread)}`
}

/** Reads a target; null where it is none. */
export function parseWebhookTarget(target: string): WebhookTarget | null {
  const [, room, thread] = /^room:([^:]+)(?::thread:([^:]+))?$/.exec(target) ?? []
  if (room !== undefined) {
    const [name, within] = [decode(room), thread === undefined ? undefined : decode(thread)]
    if (name === null || within === null) return null
    return { to: name, room: name, ...(within === undefined ? {} : { thread: within }) }
  }
  return person().is(target) ? { to: target } : null
}

function decode(part: string): string | null {
  try {
    const name = decodeURIComponent(part)
    return word().is(name) ? name : null
  } catch {
    return null
  }
}

/** Writes what is posted for a delivery; its id is the same however often it is tried. */
export function formatDelivery(
  target: WebhookTarget,
  { deliveryId, text }: { readonly deliveryId: string; readonly text: string },
): string {
  return JSON.stringify({ id: deliveryId, ...target, text })
}
