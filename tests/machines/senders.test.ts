/** Unknown senders: one code each, few at a time, and an owner's word (product.md 4.3, 14 and 30). */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import type { ChannelContext } from '../../machines/channel.ts'
import type { ChannelPolicy } from '../../machines/rules/policy.ts'
import { isHouseFull, lockedMs, missCode, NO_SENDERS } from '../../machines/rules/senders.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'
import { directFrom, received } from '../support/facts.ts'
import { given, type Outcome } from '../support/given.ts'

const senders = cases('senders')

const policy: ChannelPolicy = {
  dmPolicy: 'pairing',
  allowFrom: ['owner'],
  groupPolicy: 'disabled',
  rooms: {},
}
const enabled: JournalEvent = { type: 'channel.enabled', channel: 'irc', policy }
const writes = (senderId: string, changes: Record<string, unknown> = {}): JournalEvent =>
  received(`m-${senderId}`, {
    ...directFrom(senderId),
    target: senderId.toUpperCase(),
    codeDigest: `digest-of-${senderId}`,
    ...changes,
  })
const word = (type: string, senderId: string, digest = `digest-of-${senderId}`): JournalEvent => ({
  type,
  senderId,
  digest,
  by: 'phone',
})
const told = (type: string, attempt: number, changes: object): JournalEvent => ({
  type,
  effect: '2.e0',
  name: 'code.tell',
  attempt,
  class: 'x',
  retryable: false,
  retryAfterMs: null,
  random: 0,
  ...changes,
})

const ruleOf = ({ context }: Outcome): unknown => context['rule']
const after = (...events: JournalEvent[]) => given('channel', [enabled, ...events])

senders('D-22 an unknown sender is told one code, as one effect, and nothing is sent on', () => {
  const asked = after().when(writes('ann'))

  assert.equal([ruleOf(asked), asked.sends], ['dm.pairing.code', []])
  assert.equal(
    asked.effects.map(({ name, params }) => [name, params]),
    [['code.tell', { channel: 'irc', target: 'ANN', digest: 'digest-of-ann', attempt: 1 }]],
  )
})

senders('D-22 the same sender gets no second code within the hour, and one after it', () => {
  const again = after(writes('ann')).when(writes('ann', { codeDigest: 'other' }))
  assert.equal([ruleOf(again), again.effects], ['dm.pairing.pending', []])

  const hour = limits.senderCodeMs / 1_000
  const filler = Array.from({ length: hour }, () => ({ type: 'nobody.knows' }))
  const later = after(writes('ann'), ...filler).when(writes('ann'))
  assert.equal([ruleOf(later), later.effects.length], ['dm.pairing.code', 1])
})

senders('S32 no more than three wait for one account, known senders are not among them', () => {
  const three = [writes('a'), writes('b'), writes('c')]

  const fourth = after(...three).when(writes('d'))
  assert.equal([ruleOf(fourth), fourth.effects], ['dm.pairing.full', []])
  assert.is(ruleOf(after(...three).when(writes('owner'))), 'dm.allowFrom')
  const free = after(...three, word('sender.approved', 'b')).when(writes('d'))
  assert.is(ruleOf(free), 'dm.pairing.code')
})

senders('D-22 who is approved is let in by stable id, in every later state', () => {
  const known = [writes('ann'), word('sender.approved', 'ann')]

  const let_in = after(...known).when(writes('ann'))
  assert.equal([ruleOf(let_in), let_in.sends.length], ['dm.paired', 1])
  assert.is(ruleOf(after(...known, enabled).when(writes('ann'))), 'dm.paired')
  assert.is(ruleOf(after(...known).when(writes('ann2'))), 'dm.pairing.code')
  const senders = after(...known).when(enabled).context['senders']
  assert.equal((senders as ChannelContext['senders'])?.approved, ['ann'])
})

senders('S33 a house that is full lets nobody more in', () => {
  const full = (count: number): boolean => {
    const approved = Array.from({ length: count }, (_, n) => `s${n}`)
    return isHouseFull({ ...NO_SENDERS, approved })
  }
  assert.equal(
    [full(limits.sendersApprovedMax - 1), full(limits.sendersApprovedMax)],
    [false, true],
  )
})

senders('S33 an approval is for its own sender and code, once, and within the hour', () => {
  const ask = writes('ann')
  const hour = Array.from({ length: limits.senderCodeMs / 1_000 }, () => ({ type: 'nobody.knows' }))
  const refused: [string, Outcome][] = [
    ['nobody waits', after().when(word('sender.approved', 'ann'))],
    ['another code', after(ask).when(word('sender.approved', 'ann', 'digest-of-bob'))],
    ['another sender', after(ask).when(word('sender.approved', 'bob', 'digest-of-ann'))],
    ['no code', after(ask).when(word('sender.approved', 'ann', ''))],
    ['too late', after(ask, ...hour).when(word('sender.approved', 'ann'))],
    ['twice', after(ask, word('sender.approved', 'ann')).when(word('sender.approved', 'ann'))],
    ['rejected', after(ask, word('sender.rejected', 'ann')).when(word('sender.approved', 'ann'))],
  ]

  for (const [why, outcome] of refused) assert.is.not(outcome.ignored, null, why)
  assert.is(after(ask).when(word('sender.approved', 'ann')).ignored, null)
})

senders(
  'S33 who is rejected hears nothing for the hour, and who was let in can be turned away',
  () => {
    const rejected = after(writes('ann'), word('sender.rejected', 'ann')).when(writes('ann'))
    assert.equal([ruleOf(rejected), rejected.effects], ['dm.pairing.rejected', []])

    const known = [
      writes('ann'),
      word('sender.approved', 'ann'),
      word('sender.rejected', 'ann', ''),
    ]
    assert.is(ruleOf(after(...known).when(writes('ann'))), 'dm.pairing.code')
    const stranger = after().when(word('sender.rejected', 'ann', ''))
    assert.is.not(stranger.ignored, null)
  },
)

senders('K6 a code that was certainly not told is forgotten, one that may have been is not', () => {
  const cases_: [JournalEvent, string][] = [
    [told('effect.failed', 1, { sent: 'no' }), 'dm.pairing.code'],
    [told('effect.failed', 1, { sent: 'maybe' }), 'dm.pairing.pending'],
    [told('effect.lost', 1, { started: false }), 'dm.pairing.code'],
    [told('effect.lost', 1, { started: true }), 'dm.pairing.pending'],
    [told('effect.failed', 2, { sent: 'no' }), 'dm.pairing.pending'],
    [told('effect.done', 1, {}), 'dm.pairing.pending'],
  ]

  for (const [outcome, rule] of cases_) {
    assert.is(
      ruleOf(after(writes('ann'), outcome).when(writes('ann'))),
      rule,
      JSON.stringify(outcome),
    )
  }
})

senders('J1 a channel that tells no codes has the context that it always had', () => {
  const open = { ...enabled, policy: { ...policy, dmPolicy: 'allowlist' } }
  const { context } = given('channel', [open]).when(writes('ann'))

  assert.not.ok('senders' in context)
  assert.is(context['rule'], 'dm.allowlist')
})

senders('S33 five wrong codes lock for ten minutes from the first of them', () => {
  let state = NO_SENDERS
  for (let n = 0; n < limits.codeMissesMax; n += 1) {
    assert.is(lockedMs(state, 100), 0)
    state = missCode(state, n)
  }

  assert.is(lockedMs(state, 100), limits.codeLockMs - 100)
  assert.is(lockedMs(state, limits.codeLockMs), 0)
})

senders.run()
