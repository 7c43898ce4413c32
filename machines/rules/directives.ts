/**
 * What a channel sends on: a message to its session, a directive as what it asks of the session, and
 * what somebody says of an approval to that one, where the channel lists them.
 *
 * A directive names no generation: whoever writes it means the session that is there.
 */
import type { Directive } from '../../protocol/directives.ts'
import { streamId } from '../../protocol/ids.ts'
import type { Phrase } from '../../protocol/phrases.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import type { MessageReceived } from '../channel.ts'
import type { SendParams } from '../effects.ts'
import { planFact } from './plan.ts'
import { type ChannelPolicy, mayDecide } from './policy.ts'
import { FOLLOWUP } from './queue.ts'
import { say } from './session-sends.ts'

type Ordered = Directive & { readonly name: Exclude<Directive['name'], 'approve'> }

/** Lists what is sent for a message that was admitted. */
export function forwards(policy: ChannelPolicy, message: MessageReceived): SendParams[] {
  const { directive, sessionKey, rest } = message
  const to = streamId('session', sessionKey)
  const accepted = { to, event: acceptedBy(message) }
  if (directive === undefined) return [accepted]
  const { name } = directive
  if (name === 'approve') return [answered(policy, message, directive)]
  const done = ordered(message, { ...directive, name })
  const first = 'type' in done ? { to, event: done } : done
  return rest === true ? [first, accepted] : [first]
}

/** Tells a sender that their message was not taken in. */
export function refusal({
  channel,
  target,
  runId,
  queue = FOLLOWUP,
  at,
}: MessageReceived): SendParams {
  const facts = { cap: queue.cap }
  return say({ deliveryId: `full-${runId}`, channel, target }, { id: 'queue.full', facts }, at)
}

function acceptedBy(message: MessageReceived): JournalEvent {
  const { channel, sessionKey, messageId, runId, ref, model, thinking, messagesMax } = message
  const { queue, expiry } = message
  return {
    type: 'message.accepted',
    sessionKey,
    messageId,
    runId,
    ref,
    channel,
    peer: message.peer === 'direct' ? message.senderId : message.roomId,
    sender: message.senderId,
    route: { channel, target: message.target },
    model,
    thinking,
    messagesMax,
    ...planFact(message.plan),
    ...(message.plan === undefined ? {} : { bytes: message.bytes }),
    ...(queue === undefined ? {} : { queue }),
    ...(expiry === undefined ? {} : { expiry }),
  }
}

// Whoever may not decide is told so, whatever they named: what waits is not theirs to find out.
function answered(
  policy: ChannelPolicy,
  { channel, target, runId, senderId, at }: MessageReceived,
  { value, answer = { fault: 'usage' } }: Directive,
): SendParams {
  const reply = { deliveryId: `told-${runId}`, channel, target }
  if (!mayDecide(policy, senderId)) return say(reply, { id: 'approval.forbidden', facts: {} }, at)
  if ('fault' in answer) {
    return say(reply, { id: `approval.${answer.fault}`, facts: { id: value ?? '' } }, at)
  }
  const { approvalId, decision } = answer
  const event = { type: 'exec.answered', decision, by: senderId, channel, reply }
  return { to: streamId('approval', approvalId), event }
}

const SETTINGS = { queue: 'queue', think: 'thinking', model: 'model' } as const

/** What is said of a value that means nothing. */
export function settingUnknown(name: keyof typeof SETTINGS, value: string): Phrase {
  return { id: 'setting.unknown', facts: { setting: SETTINGS[name], value } }
}

function ordered(message: MessageReceived, directive: Ordered): JournalEvent | SendParams {
  const { channel, target, runId, sessionKey, senderId: by } = message
  const reply = { deliveryId: `told-${runId}`, channel, target }
  const { name, value, known } = directive
  const head = { sessionKey, by, reply }
  if (name === 'new') return { type: 'session.reset', ...head, reason: 'new' }
  if (name === 'stop') return { type: 'session.aborted', ...head, runId: null }
  const { model, thinking, queue = FOLLOWUP } = message
  const defaults = { model, thinking, queue: queue.mode }
  if (name === 'status') return { type: 'session.asked', ...head, about: 'status', defaults }
  const setting = SETTINGS[name]
  if (value === null) return { type: 'session.asked', ...head, about: setting, defaults }
  if (!known) return say(reply, settingUnknown(name, value), message.at)
  const changes = { [setting]: value === 'default' ? null : value }
  return { type: 'session.patched', ...head, changes }
}
