/** Standing grants, step by step: given by an approval that allows always, taken back, given again. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import type { JournalEvent } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'
import { given } from '../support/given.ts'

const grants = cases('grant')

const GRANT = {
  grantId: 'g1',
  keyId: 'k1',
  tool: 'exec',
  source: 'built-in',
  agentId: 'main',
  place: { channel: 'irc', room: null, sender: 'ann' },
}
const GIVEN: JournalEvent = {
  type: 'grant.given',
  ...GRANT,
  approvalId: 'c1',
  sessionKey: 'agent:main:main',
  ref: 'b:1',
  textRef: 'b:2',
  by: 'ann',
  channel: 'irc',
}
const REVOKED: JournalEvent = { type: 'grant.revoked', by: 'phone' }
const ASKED: JournalEvent = {
  type: 'exec.requested',
  approvalId: 'c1',
  ref: 'b:1',
  textRef: 'b:2',
  deviceId: '',
  sessionKey: 'agent:main:main',
  mayAlways: true,
  expiresAt: 900_000,
  callId: 'c1',
  grant: GRANT,
}
const answered = (decision: string): JournalEvent => ({
  type: 'exec.answered',
  decision,
  by: 'ann',
  channel: 'irc',
  reply: { deliveryId: 'told-1', channel: 'irc', target: 'ann' },
})

grants('GR1 it stands until it is revoked, and says by whom; it can be given again', () => {
  const stands = given('grant', []).when(GIVEN)
  const revoked = given('grant', [GIVEN]).when(REVOKED)
  const again = given('grant', [GIVEN, REVOKED]).when(GIVEN)

  assert.equal(
    [stands.value, stands.context['by'], stands.context['channel']],
    ['given', 'ann', 'irc'],
  )
  assert.equal([revoked.value, revoked.context['revokedBy']], ['revoked', 'phone'])
  assert.equal(
    [again.value, again.context['revokedBy'], again.context['revokedAt']],
    ['given', '', 0],
  )
  assert.is(given('grant', [GIVEN, REVOKED]).when(REVOKED).ignored, 'unhandled')
  assert.is(given('grant', []).when(REVOKED).ignored, 'unhandled')
})

grants(
  'GR2 an approval that allows always gives it, before its call hears; others give none',
  () => {
    const always = given('approval', [ASKED]).when(answered('allow-always'))

    assert.equal(always.sends[0], { to: 'grant:g1', event: GIVEN })
    assert.is(always.sends[1]?.to, 'call:c1')
    const byClient = { type: 'exec.allowed', always: true, by: 'phone' }
    const { sends } = given('approval', [ASKED]).when(byClient)
    assert.equal([sends[0]?.to, sends[0]?.event['by']], ['grant:g1', 'phone'])
    for (const event of [
      answered('allow-once'),
      answered('deny'),
      { type: 'exec.allowed', always: false, by: 'phone' },
      { type: 'exec.expired', reason: 'time' },
    ]) {
      const ended = given('approval', [ASKED]).when(event)
      assert.not.ok(
        ended.sends.some(({ to }) => to.startsWith('grant:')),
        event.type,
      )
    }
    const { grant: _, ...ofClient } = ASKED as unknown as { grant: unknown }
    const none = given('approval', [ofClient as unknown as JournalEvent]).when(byClient)
    assert.not.ok(none.sends.some(({ to }) => to.startsWith('grant:')))
  },
)

grants('GR3 a call hands on what its judge says can be granted', () => {
  const requested = {
    type: 'call.requested',
    callId: 'c1',
    runId: 'r',
    sessionKey: 'agent:main:main',
    name: 'exec',
    ref: 'b:args',
    asked: { channel: null, room: null, sender: null, at: 0 },
  }
  const judged = {
    type: 'effect.done',
    effect: '1.e0',
    attempt: 1,
    name: 'tool.judge',
    verdict: 'ask',
    askRef: 'b:1',
    askTextRef: 'b:2',
    mayAlways: true,
  }
  const { sends } = given('call', [requested]).when({ ...judged, grant: GRANT })

  assert.equal([sends[0]?.event['grant'], sends[0]?.event['mayAlways']], [GRANT, true])
  assert.not.ok('grant' in (given('call', [requested]).when(judged).sends[0]?.event ?? {}))
})

grants.run()
