/** Events as tests need them: complete, with the odd field changed. */
import type { JournalEvent } from '../../protocol/record.ts'

/** A message for `agent:main:main`. */
export function accepted(runId: string, changes: Record<string, unknown> = {}): JournalEvent {
  return {
    type: 'message.accepted',
    sessionKey: 'agent:main:main',
    messageId: runId,
    runId,
    ref: `b:${runId}`,
    channel: null,
    peer: null,
    sender: null,
    route: null,
    model: 'echo',
    thinking: 'off',
    messagesMax: 400,
    ...changes,
  }
}

/** A message that somebody sent on IRC: ann, directly, unless the changes say otherwise. */
export function received(messageId: string, changes: Record<string, unknown> = {}): JournalEvent {
  // In the order of the first incident files: made again, they are the same bytes.
  return {
    type: 'message.received',
    channel: 'irc',
    messageId,
    peer: 'direct',
    senderId: 'ann',
    roomId: 'ann',
    target: 'ann',
    mentioned: true,
    ref: `b:${messageId}`,
    bytes: 5,
    sessionKey: 'agent:main:irc:direct:ann',
    pending: 0,
    runId: `run-${messageId}`,
    model: 'echo',
    thinking: 'off',
    messagesMax: 400,
    ...changes,
  }
}

/** What of a message that was received names its sender, who wrote directly. */
export function directFrom(senderId: string): Record<string, unknown> {
  return {
    senderId,
    roomId: senderId,
    target: senderId,
    sessionKey: `agent:main:irc:direct:${senderId}`,
  }
}

/** A wish to deliver. */
export function requested(deliveryId: string, changes: Record<string, unknown> = {}): JournalEvent {
  return {
    type: 'delivery.requested',
    deliveryId,
    channel: 'irc',
    target: 'ann',
    ref: 'b:text',
    fileIn: null,
    ...changes,
  }
}

/** A new device. */
export function approved(deviceId: string): JournalEvent {
  return {
    type: 'device.approved',
    deviceId,
    role: 'client',
    scopes: [],
    tokenHash: 'aa',
    rule: 'loopback.direct',
    evidence: { address: '127.0.0.1', origin: null, forwarded: false, secret: 'none' },
  }
}
