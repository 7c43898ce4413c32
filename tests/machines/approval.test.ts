/** One approval, step by step: decided once, by whom it may be, or over. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ApprovalContext } from '../../machines/approval.ts'
import { kinds } from '../../machines/kinds.ts'
import { formatValue } from '../../machines/step.ts'
import type { JournalEvent } from '../../protocol/record.ts'

const approval = suite('approval')
const { stepper, waits } = kinds.approval
const AT = 1_800_000_000_000
const REQUESTED = {
  type: 'exec.requested',
  approvalId: 'a',
  ref: 'b:1',
  textRef: 'b:2',
  deviceId: 'asker',
  sessionKey: '',
  mayAlways: true,
  expiresAt: AT + 60_000,
}

function fold(events: readonly JournalEvent[]) {
  let snapshot = stepper.initial
  let ignored: string | null = null
  for (const event of events) {
    const stepped = stepper.step(snapshot, event, AT + 1)
    ignored = stepped.ignored
    snapshot = stepped.snapshot
  }
  const context = snapshot.context as ApprovalContext
  return { value: formatValue(snapshot), context, ignored, waits: waits(snapshot) }
}

approval('AP1 a request waits for its deadline, which is a fact of it', () => {
  const { value, context, waits: armed } = fold([REQUESTED])

  assert.is(value, 'requested')
  assert.equal([context.ref, context.textRef, context.requestedAt], ['b:1', 'b:2', AT + 1])
  assert.equal(armed, [
    { id: 'expiry', dueAt: AT + 60_000, event: { type: 'exec.expired', reason: 'time' } },
  ])
})

approval('AP2 it is decided once: what comes later changes nothing', () => {
  const decisions: [JournalEvent, string][] = [
    [{ type: 'exec.allowed', always: false, by: 'me' }, 'allowed'],
    [{ type: 'exec.allowed', always: true, by: 'me' }, 'allowed'],
    [{ type: 'exec.denied', by: 'me' }, 'denied'],
    [{ type: 'exec.expired', reason: 'time' }, 'expired'],
    [{ type: 'exec.cancelled', deviceId: 'asker' }, 'cancelled'],
  ]
  for (const [first, state] of decisions) {
    const ended = fold([REQUESTED, first])
    assert.equal([ended.value, ended.ignored, ended.waits], [state, null, []])
    assert.is(ended.context.endedAt, AT + 1)
    for (const [later] of decisions) {
      const again = fold([REQUESTED, first, later])
      assert.equal([again.value, again.ignored], [state, 'unhandled'], `${state} ${later.type}`)
    }
  }
})

approval('AP3 what may not be allowed always is not, and only its device takes it back', () => {
  const once = { ...REQUESTED, mayAlways: false }

  const always = fold([once, { type: 'exec.allowed', always: true, by: 'me' }])
  const other = fold([REQUESTED, { type: 'exec.cancelled', deviceId: 'other' }])

  assert.equal([always.value, always.ignored], ['requested', 'refused'])
  assert.equal([other.value, other.ignored], ['requested', 'refused'])
  assert.is(fold([once, { type: 'exec.allowed', always: false, by: 'me' }]).value, 'allowed')
})

approval('AP4 an id is used once', () => {
  assert.is(fold([REQUESTED, REQUESTED]).ignored, 'unhandled')
})

const answered = (decision: string, by = 'ann'): JournalEvent => ({
  type: 'exec.answered',
  decision,
  by,
  channel: 'irc',
  reply: { deliveryId: `told-${by}`, channel: 'irc', target: by },
})
const OF_CALL = { ...REQUESTED, callId: 'c' }

/** Where the outputs of the last event go, and what is said there. */
function outputs(events: readonly JournalEvent[], at = AT + 2): unknown[] {
  let snapshot = stepper.initial
  let sends: readonly { to: string; event: JournalEvent }[] = []
  for (const event of events) {
    const stepped = stepper.step(snapshot, event, at)
    snapshot = stepped.snapshot
    sends = stepped.sends
  }
  return sends.map(({ to, event }) => {
    return [to, (event['phrase'] as { id: string } | undefined)?.id ?? event['decision']]
  })
}

approval('AP20 somebody in a channel decides; call and sender are told, and who it was', () => {
  for (const [decision, state, phrase] of [
    ['allow-once', 'allowed', 'approval.allowed'],
    ['allow-always', 'allowed', 'approval.always'],
    ['deny', 'denied', 'approval.denied'],
  ] as const) {
    const { value, context, waits: armed } = fold([OF_CALL, answered(decision)])

    assert.equal([value, context.by, context.channel, armed], [state, 'ann', 'irc', []])
    assert.is(context.always, decision === 'allow-always')
    assert.equal(outputs([OF_CALL, answered(decision)]), [
      ['call:c', state],
      ['delivery:told-ann', phrase],
    ])
  }
})

approval('AP21 of two who answer the first decides; the other is told what was decided', () => {
  const first = [OF_CALL, answered('deny', 'ann')]

  const second = fold([...first, answered('allow-once', 'bob')])

  assert.equal([second.value, second.context.by, second.ignored], ['denied', 'ann', null])
  assert.equal(outputs([...first, answered('allow-once', 'bob')]), [
    ['delivery:told-bob', 'approval.wasDenied'],
  ])
  for (const [end, phrase] of [
    [{ type: 'exec.allowed', always: false, by: 'phone' }, 'approval.wasAllowed'],
    [{ type: 'exec.expired', reason: 'time' }, 'approval.expired'],
    [{ type: 'exec.cancelled', deviceId: 'asker' }, 'approval.withdrawn'],
  ] as const) {
    const late = outputs([OF_CALL, end, answered('deny', 'bob')])
    assert.equal(late, [['delivery:told-bob', phrase]])
  }
})

approval(
  'AP22 an answer behind the deadline decides nothing, also where that was not told yet',
  () => {
    const asked = stepper.step(stepper.initial, OF_CALL, AT).snapshot
    const late = stepper.step(asked, answered('allow-once'), REQUESTED.expiresAt)
    const last = stepper.step(asked, answered('allow-once'), REQUESTED.expiresAt - 1)

    assert.equal([formatValue(late.snapshot), formatValue(last.snapshot)], ['requested', 'allowed'])
    assert.equal(
      late.sends.map(({ event }) => event['phrase']),
      [{ id: 'approval.expired', facts: { id: 'a' } }],
    )
  },
)

approval('AP23 what may not be allowed always is not, and its sender is told so', () => {
  const once = { ...OF_CALL, mayAlways: false }

  assert.is(fold([once, answered('allow-always')]).value, 'requested')
  assert.equal(outputs([once, answered('allow-always')]), [
    ['delivery:told-ann', 'approval.onceOnly'],
  ])
  assert.is(fold([answered('deny')]).ignored, 'unhandled')
})

approval.run()
