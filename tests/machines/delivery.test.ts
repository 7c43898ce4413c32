/** One delivery: sent, tried again, or uncertain. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { requested } from '../support/facts.ts'
import { given } from '../support/given.ts'

const delivery = suite('delivery')

const failed = (attempt: number, changes: Record<string, unknown>): JournalEvent => ({
  type: 'effect.failed',
  effect: '1.e0',
  name: 'message.deliver',
  attempt,
  class: 'reset',
  retryable: true,
  retryAfterMs: null,
  random: 0,
  sent: 'no',
  ...changes,
})
const lost = (started: boolean): JournalEvent => ({
  type: 'effect.lost',
  effect: '1.e0',
  name: 'message.deliver',
  attempt: 1,
  started,
})
const request = requested('d1')

delivery('V1 a request is attempted, and what was sent stays sent', () => {
  const { effects } = given('delivery', []).when(request)
  const sent = given('delivery', [request]).when({
    type: 'effect.done',
    effect: '1.e0',
    name: 'message.deliver',
    attempt: 1,
    messageId: null,
  })

  assert.equal(
    effects.map(({ name, params }) => [name, params['target']]),
    [['message.deliver', 'ann']],
  )
  assert.is(sent.value, 'sent')
})

delivery('V2 what surely was not sent is tried again, later each time', () => {
  const first = given('delivery', [request]).when(failed(1, {}))
  const second = given('delivery', [request, failed(1, {}), { type: 'retry.due' }]).when(
    failed(2, {}),
  )

  assert.is(first.waits[0]?.dueAt, 1_000 + limits.deliveryBackoffMs)
  assert.is(second.waits[0]?.dueAt, 3_000 + limits.deliveryBackoffMs * 5)
})

delivery('K6 PR5 what may have been sent is never sent again in silence', () => {
  const maybe = given('delivery', [request]).when(failed(1, { sent: 'maybe' }))
  const started = given('delivery', [request]).when(lost(true))

  for (const { value, effects, waits } of [maybe, started]) {
    assert.equal([value, effects, waits], ['uncertain', [], []])
  }
})

delivery('K6 what was never started is attempted anew', () => {
  const { value, effects } = given('delivery', [request]).when(lost(false))

  assert.equal([value, effects[0]?.params['attempt']], ['attempting', 2])
})

delivery('V3 a platform’s final no ends it at once', () => {
  assert.is(given('delivery', [request]).when(failed(1, { retryable: false })).value, 'failed')
})

delivery('D-27 a message with a session is filed there once it is sent, and not before', () => {
  const filed = requested('d1', { fileIn: 'agent:main:main' })
  const sent: JournalEvent = {
    type: 'effect.done',
    effect: '1.e0',
    name: 'message.deliver',
    attempt: 1,
    messageId: null,
  }

  assert.equal(given('delivery', []).when(filed).sends, [])
  const { sends } = given('delivery', [filed]).when(sent)
  assert.equal([sends[0]?.to, sends[0]?.event.type], ['session:agent:main:main', 'message.filed'])
  assert.equal(given('delivery', [request]).when(sent).sends, [])
})

delivery('V4 attempts end', () => {
  const tries = [1, 2, 3, 4].flatMap((n) => [failed(n, {}), { type: 'retry.due' }])

  assert.is(
    given('delivery', [request, ...tries]).when(failed(limits.deliveryAttemptsMax, {})).value,
    'failed',
  )
})

const inTime = { ...request, expiresAt: 9_000 }

delivery(
  'V5 what cannot be sent waits for a person, who sends it again with attempts of its own',
  () => {
    const dead = given('delivery', [inTime]).when(failed(1, { retryable: false }))
    const again = [inTime, failed(1, { retryable: false }), RESUBMITTED]
    const anew = given('delivery', again.slice(0, 2)).when(RESUBMITTED)
    const tries = [2, 3, 4, 5].flatMap((n) => [failed(n, {}), { type: 'retry.due' }])
    const last = given('delivery', [...again, ...tries]).when(failed(6, {}))

    assert.equal([dead.value, dead.context['fault']], ['dead', 'reset'])
    assert.equal(
      [anew.value, anew.effects[0]?.params['attempt'], anew.effects[0]?.params['expiresAt']],
      ['attempting', 2, 99_000],
    )
    assert.is(
      given('delivery', [...again, ...tries.slice(0, -1)]).when(tries.at(-1) as JournalEvent).value,
      'attempting',
    )
    assert.is(last.value, 'dead')
  },
)

delivery('V16 what is worth nothing once it has expired is no dead letter either', () => {
  const passing = requested('d1', { expiresAt: 9_000, passing: true })
  const over = failed(1, { class: 'expired', retryable: false })

  assert.is(given('delivery', [passing]).when(over).value, 'failed')
  assert.is(given('delivery', [requested('d1', { expiresAt: 9_000 })]).when(over).value, 'dead')
  assert.is(given('delivery', [passing]).when(lost(true)).value, 'uncertain')
})

delivery('V10 what the gateway itself says is no dead letter: it fails, and is over', () => {
  const phrase = { ...inTime, ref: '', phrase: { id: 'status', facts: {} } }

  assert.is(given('delivery', [phrase]).when(failed(1, { retryable: false })).value, 'failed')
})

const RESUBMITTED: JournalEvent = { type: 'delivery.resubmitted', expiresAt: 99_000, by: 'me' }

delivery('V6 a person ends what is uncertain, once', () => {
  const maybe = [inTime, failed(1, { sent: 'maybe' })]
  const judged = (sent: boolean): JournalEvent => ({ type: 'delivery.resolved', sent, by: 'me' })

  assert.is(given('delivery', maybe).when(judged(true)).value, 'sent')
  const unsent = given('delivery', maybe).when(judged(false))
  assert.equal([unsent.value, unsent.context['fault']], ['dead', 'reset'])
  assert.is(given('delivery', maybe).when(RESUBMITTED).value, 'attempting')
  assert.is(given('delivery', [...maybe, judged(true)]).when(RESUBMITTED).ignored, 'unhandled')
  assert.is(given('delivery', [inTime]).when(RESUBMITTED).ignored, 'unhandled')
})

delivery('V7 where nobody was there, the attempt does not count: the time ends them', () => {
  const away = (n: number): JournalEvent[] => [
    failed(n, { unreached: true }),
    { type: 'retry.due' },
  ]
  const outage = [1, 2, 3, 4, 5, 6, 7].flatMap(away)
  const seventh = given('delivery', [inTime, ...outage.slice(0, -2)]).when(outage.at(-2)!)
  const refused = [8, 9, 10, 11].flatMap((n) => [failed(n, {}), { type: 'retry.due' }])
  const counted = given('delivery', [inTime, ...outage, ...refused.slice(0, -2)]).when(
    failed(11, {}),
  )
  const spent = given('delivery', [inTime, ...outage, ...refused])
  const last = spent.when(failed(12, {}))

  assert.equal(
    [seventh.value, seventh.waits[0]?.dueAt],
    ['waiting', 13_000 + limits.channelBackoffMsMax],
  )
  assert.is(counted.value, 'waiting')
  assert.is(last.value, 'dead')
  assert.is(spent.when(failed(12, { unreached: true })).value, 'waiting')
})

delivery('V7 without an expiry the number of attempts ends them, whoever was there', () => {
  const tries = [1, 2, 3, 4].flatMap((n) => [failed(n, { unreached: true }), { type: 'retry.due' }])

  assert.is(
    given('delivery', [request, ...tries]).when(failed(5, { unreached: true })).value,
    'failed',
  )
})

delivery('V8 lives that ended before it began use up no attempts', () => {
  const lives = [1, 2, 3, 4, 5, 6].map((attempt) => ({ ...lost(false), attempt }))
  const step = given('delivery', [inTime, ...lives]).when(failed(7, {}))

  assert.equal([step.value, step.waits[0]?.dueAt], ['waiting', 7_000 + limits.deliveryBackoffMs])
})

delivery('V8 in a journal of before such a life counts, and leaves no mark', () => {
  const step = given('delivery', [request]).when(lost(false))

  assert.not.ok('spared' in step.context)
})

delivery(
  'V9 a time that the other side has set is known as such, until the next attempt failed',
  () => {
    const asked = given('delivery', [inTime]).when(failed(1, { retryAfterMs: 9_000 }))
    const later = [inTime, failed(1, { retryAfterMs: 9_000 }), { type: 'retry.due' }]

    assert.is(asked.context['paced'], true)
    assert.is(given('delivery', later).when(failed(2, {})).context['paced'], false)
    assert.is(given('delivery', [inTime]).when(failed(1, {})).context['paced'], undefined)
  },
)

delivery.run()
