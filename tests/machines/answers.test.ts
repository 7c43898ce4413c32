/** Who may decide in a channel what waits for a person: only whom the channel itself lists by id. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import type { ChannelPolicy } from '../../machines/rules/policy.ts'
import type { ApprovalAnswer } from '../../protocol/directives.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'
import { directFrom, received } from '../support/facts.ts'
import { given } from '../support/given.ts'

const answers = cases('answers')

const OPEN: ChannelPolicy = {
  dmPolicy: 'open',
  allowFrom: ['owner'],
  groupPolicy: 'open',
  rooms: { '#home': { requireMention: false, allowFrom: ['guest'] } },
}
const ONCE: ApprovalAnswer = { approvalId: 'a1', decision: 'allow-once' }
const enabled = (changes: Partial<ChannelPolicy> = {}): JournalEvent => ({
  type: 'channel.enabled',
  channel: 'irc',
  policy: { ...OPEN, ...changes },
})
const says = (senderId: string, answer: ApprovalAnswer = ONCE, changes: object = {}) =>
  received('m', {
    ...directFrom(senderId),
    directive: { name: 'approve', value: '1a2b3c4d', known: !('fault' in answer), answer },
    rest: false,
    ...changes,
  })

/** Where what a channel sends on goes, and what it says there. */
function sentBy(event: JournalEvent, before: readonly JournalEvent[] = [enabled()]): unknown[] {
  const { sends } = given('channel', before).when(event)
  return sends.map(({ to, event: { type, phrase } }) => {
    return [to, (phrase as { id: string } | undefined)?.id ?? type]
  })
}

const FORBIDDEN = [['delivery:told-run-m', 'approval.forbidden']]

answers('AA1 whom the channel lists answers the approval itself, with name and channel', () => {
  const { sends } = given('channel', [enabled()]).when(says('owner'))

  const reply = { deliveryId: 'told-run-m', channel: 'irc', target: 'owner' }
  const event = {
    type: 'exec.answered',
    decision: 'allow-once',
    by: 'owner',
    channel: 'irc',
    reply,
  }
  assert.equal(sends, [{ to: 'approval:a1', event }])
})

answers('AA2 nobody else may: not everybody’s star, not a room’s guest, not who was paired', () => {
  const paired = [
    enabled({ dmPolicy: 'pairing' }),
    says('ann', ONCE, { codeDigest: 'd' }),
    { type: 'sender.approved', senderId: 'ann', digest: 'd', by: 'phone' },
  ]
  const inRoom = { peer: 'channel', roomId: '#home', target: '#home' }

  assert.equal(sentBy(says('ann')), FORBIDDEN)
  assert.equal(sentBy(says('ann'), [enabled({ allowFrom: ['*'] })]), FORBIDDEN)
  assert.equal(sentBy(says('*'), [enabled({ allowFrom: ['*'] })]), FORBIDDEN)
  assert.equal(sentBy(says('ann'), paired), FORBIDDEN)
  assert.equal(sentBy(says('guest', ONCE, inRoom)), FORBIDDEN)
  assert.equal(sentBy(says('ann', { fault: 'unknown' })), FORBIDDEN)
})

answers('AA3 whoever is not admitted is not even told that', () => {
  assert.equal(sentBy(says('ann'), [enabled({ dmPolicy: 'allowlist' })]), [])
})

answers('AA4 what names nothing is answered by the channel, each with its own phrase', () => {
  for (const fault of ['usage', 'short', 'unknown', 'ambiguous'] as const) {
    assert.equal(sentBy(says('owner', { fault })), [['delivery:told-run-m', `approval.${fault}`]])
  }
})

answers('AA5 an answer is no message of the session, also while that one is full', () => {
  const full = { pending: 99, queue: { mode: 'followup', cap: 1, drop: 'new', debounceMs: 0 } }

  assert.equal(sentBy(says('owner', ONCE, full)), [['approval:a1', 'exec.answered']])
})

answers('AA6 where a channel names who decides, these do and nobody else', () => {
  const named = (approvers: readonly string[]) => [enabled({ approvers })]

  assert.equal(sentBy(says('ann'), named(['ann'])), [['approval:a1', 'exec.answered']])
  assert.equal(sentBy(says('owner'), named(['ann'])), FORBIDDEN)
  assert.equal(sentBy(says('owner'), named([])), FORBIDDEN)
  assert.equal(sentBy(says('*'), named(['*'])), FORBIDDEN)
})

answers.run()
