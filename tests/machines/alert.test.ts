/** The alert machine: told once in a cooldown, one summary at the end, a webhook that is retried. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'
import { given } from '../support/given.ts'

const alert = cases('alert machine')

const route = { webhook: true, channel: null, target: null, cooldownMs: 60_000 }
const chat = { ...route, webhook: false, channel: 'irc', target: 'ann' }

const noticed = (key: string, changes: object = {}): JournalEvent => ({
  type: 'trouble.noticed',
  key,
  alertId: `n-${key}`,
  ref: 'b:01',
  route,
  ...changes,
})
const ended = (key: string, ref = 'b:02'): JournalEvent => ({
  type: 'trouble.ended',
  key,
  alertId: `e-${key}`,
  ref,
  route,
})
const outcome = (type: string, changes: object = {}): JournalEvent => ({
  type,
  effect: '1.e0',
  name: 'alert.post',
  attempt: 1,
  class: 'HTTP 503',
  random: 0,
  retryable: true,
  retryAfterMs: null,
  started: true,
  sent: 'no',
  ...changes,
})
const done = outcome('effect.done')

alert('AL1 a trouble is posted; the same within its cooldown is counted and not told', () => {
  const first = given('alert', []).when(noticed('disk'))
  const again = given('alert', [noticed('disk'), done, ended('disk', '')]).when(noticed('disk'))
  const later = given('alert', [noticed('disk'), done, ended('disk', '')]).when(
    noticed('disk', { route: { ...route, cooldownMs: 1_000 } }),
  )

  assert.is(first.value, 'posting')
  assert.equal(first.effects, [
    { name: 'alert.post', params: { alertId: 'n-disk', ref: 'b:01', attempt: 1 } },
  ])
  assert.equal([again.value, again.effects, again.context['suppressed']], ['idle', [], 1])
  assert.is(later.effects.length, 1)
})

alert('AL2 the end of the last trouble that was told is one summary', () => {
  const both = [noticed('disk'), done, noticed('channel:irc'), done]

  const one = given('alert', both).when(ended('disk', ''))
  const all = given('alert', [...both, ended('disk', '')]).when(ended('channel:irc'))
  const untold = given('alert', [noticed('disk'), done, ended('disk', ''), noticed('disk')])

  assert.equal([one.value, one.effects], ['idle', []])
  assert.equal(one.context['ended'], ['disk'])
  assert.equal(all.effects[0]?.params, { alertId: 'e-channel:irc', ref: 'b:02', attempt: 1 })
  assert.equal(all.context['ended'], [])
  assert.equal(untold.when(ended('disk', '')).effects, [])
})

alert('AL3 to a channel it is a delivery of its own', () => {
  const { sends, effects, value } = given('alert', []).when(noticed('disk', { route: chat }))

  assert.equal([value, effects.length], ['idle', 0])
  assert.is(sends[0]?.to, 'delivery:n-disk')
  const { type, channel, target, ref } = sends[0]!.event
  assert.equal([type, channel, target, ref], ['delivery.requested', 'irc', 'ann', 'b:01'])
})

alert('AL4 a webhook that fails is tried again, with back-off, up to a bound', () => {
  const failed = outcome('effect.failed')
  const { value, waits } = given('alert', [noticed('disk')]).when(failed)
  const again = given('alert', [noticed('disk'), failed]).when({ type: 'retry.due' })
  const refused = given('alert', [noticed('disk')]).when(
    outcome('effect.failed', { retryable: false, class: 'HTTP 404' }),
  )
  const tries = Array.from({ length: limits.alertAttemptsMax - 1 }, (_, n): JournalEvent[] => [
    outcome('effect.failed', { attempt: n + 1 }),
    { type: 'retry.due' },
  ]).flat()
  const last = given('alert', [noticed('disk'), ...tries]).when(
    outcome('effect.failed', { attempt: limits.alertAttemptsMax }),
  )

  assert.is(value, 'backingOff')
  assert.is(waits[0]?.dueAt, 1_000 + limits.alertBackoffMs)
  assert.is(again.effects[0]?.params['attempt'], 2)
  assert.equal([refused.value, refused.context['failed']], ['idle', 1])
  assert.equal([last.value, last.context['failed'], last.context['waiting']], ['idle', 1, []])
})

alert('AL5 what comes meanwhile waits for its turn, and only so much of it', () => {
  const many = Array.from({ length: limits.alertsWaitingMax + 2 }, (_, n) => noticed(`t${n}`))
  const { context } = given('alert', many).when(noticed('last'))
  const next = given('alert', [noticed('a'), noticed('b')]).when(done)

  assert.is((context['waiting'] as unknown[]).length, limits.alertsWaitingMax)
  assert.is(context['suppressed'], 3)
  assert.equal(next.effects[0]?.params, { alertId: 'n-b', ref: 'b:01', attempt: 1 })
})

alert('K6 one that may have been posted is not posted again; one that never began is', () => {
  const maybe = given('alert', [noticed('disk')]).when(outcome('effect.lost'))
  const never = given('alert', [noticed('disk')]).when(outcome('effect.lost', { started: false }))

  assert.equal([maybe.value, maybe.effects], ['idle', []])
  assert.is(never.effects[0]?.params['attempt'], 2)
})

alert.run()
