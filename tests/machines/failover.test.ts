/** Runs with a plan: the next model, budgets, and who is told that no answer comes. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'
import { accepted } from '../support/facts.ts'
import { given } from '../support/given.ts'

const plan = { fallbacks: ['b/two', 'c/three'], callsMax: 20 }
const request: JournalEvent = {
  type: 'run.requested',
  runId: 'r',
  sessionKey: 'agent:main:main',
  model: 'a/one',
  thinking: 'off',
  asked: { channel: null, room: null, sender: null, at: 0 },
  plan,
}

function planned(changes: Record<string, unknown>): JournalEvent {
  return { ...request, plan: { ...plan, ...changes } }
}

function failed(attempt: number, faultClass = 'auth', retryAfterMs: number | null = null) {
  const retryable = ['rate', 'network', 'server'].includes(faultClass)
  const head = { type: 'effect.failed', effect: '1.e0', name: 'model.call', attempt }
  return { ...head, class: faultClass, retryable, retryAfterMs, random: 0 }
}

function done(attempt: number): JournalEvent {
  const head = { type: 'effect.done', effect: '1.e0', name: 'model.call', attempt }
  return { ...head, ref: 'b:1', bytes: 8, inputTokens: 3, outputTokens: 4 }
}

const due: JournalEvent = { type: 'retry.due' }

const NO_FACTS: Record<string, unknown> = {}

const three = [failed(1, 'rate'), due, failed(2, 'rate'), due, failed(3, 'rate'), due]

const failover = cases('failover')

failover('FO1 a refused key, and a refused request, are asked of the next model at once', () => {
  for (const fault of ['auth', 'request']) {
    const { value, effects, context } = given('run', [request]).when(failed(1, fault))

    assert.is(value, 'calling')
    const { model, modelIndex, attempt } = effects[0]?.params ?? {}
    assert.equal([model, modelIndex, attempt], ['b/two', 1, 2])
    assert.equal(context['tried'], [{ model: 'a/one', class: fault, calls: 1 }])
  }
})

failover('FO2 what may pass is asked of the same model until its attempts are up', () => {
  const again = given('run', [request]).when(failed(1, 'rate'))
  const next = given('run', [request, ...three]).when(failed(4, 'rate'))
  const fresh = given('run', [request, ...three, failed(4, 'rate')]).when(failed(5, 'server'))

  assert.is(again.value, 'waiting')
  const { model, modelIndex, attempt } = next.effects[0]?.params ?? {}
  assert.equal([next.value, model, modelIndex, attempt], ['calling', 'b/two', 1, 5])
  assert.equal(next.context['tried'], [{ model: 'a/one', class: 'rate', calls: 4 }])
  // The next model's first wait is as short as the first one's.
  assert.is(fresh.waits[0]?.dueAt, 8 * 1_000 + limits.runBackoffMs)
})

failover('FO3 a Retry-After that is too long is waited for only where nobody else is', () => {
  const long = limits.runBackoffMsMax + 1
  const next = given('run', [request]).when(failed(1, 'rate', long))
  const alone = given('run', [planned({ fallbacks: [] })]).when(failed(1, 'rate', long))
  const short = given('run', [request]).when(failed(1, 'rate', 7_000))

  assert.is(next.effects[0]?.params['model'], 'b/two')
  assert.equal([alone.value, alone.waits[0]?.dueAt], ['waiting', 1_000 + limits.runBackoffMsMax])
  assert.is(short.waits[0]?.dueAt, 8_000)
})

failover('FO4 the session is told which model answered, and which did not', () => {
  const { value, sends } = given('run', [request, failed(1)]).when(done(2))
  const first = given('run', [request]).when(done(1))

  const { model, tried, bytes } = sends[0]?.event ?? NO_FACTS
  assert.is(value, 'done')
  assert.equal([model, bytes], ['b/two', 8])
  assert.equal(tried, [{ model: 'a/one', class: 'auth', calls: 1 }])
  assert.not.ok('model' in (first.sends[0]?.event ?? {}))
  assert.not.ok('tried' in (first.sends[0]?.event ?? {}))
})

failover('FO5 when no model is left the run has failed, and says how each did', () => {
  const { value, sends, effects } = given('run', [request, failed(1), failed(2, 'request')]).when(
    failed(3),
  )

  assert.equal([value, effects], ['failed', []])
  const { fault, tried } = sends[0]?.event ?? NO_FACTS
  assert.is(fault, 'auth')
  assert.equal(tried, [
    { model: 'a/one', class: 'auth', calls: 1 },
    { model: 'b/two', class: 'request', calls: 1 },
    { model: 'c/three', class: 'auth', calls: 1 },
  ])
})

failover('FO6 a fault that is no model’s is asked of nobody else', () => {
  for (const fault of ['budget', 'prompt', 'internal']) {
    const { value, effects, sends } = given('run', [request]).when(failed(1, fault))

    assert.equal([value, effects, sends[0]?.event['fault']], ['failed', [], fault])
  }
})

failover('FO7 a late outcome of an earlier model is refused', () => {
  const { ignored, effects } = given('run', [request, failed(1)]).when(failed(1))

  assert.equal([ignored, effects], ['refused', []])
})

failover('FO8 PR18 the calls of a run are counted over all of its models', () => {
  const two = planned({ callsMax: 2 })
  const { value, sends } = given('run', [two, failed(1)]).when(failed(2))
  const kept = given('run', [planned({ callsMax: 1 })]).when(failed(1, 'rate'))
  const last = given('run', [planned({ callsMax: 1, fallbacks: [] })]).when(failed(1, 'auth'))

  assert.equal([value, sends[0]?.event['fault']], ['failed', 'budget'])
  assert.equal([kept.value, kept.sends[0]?.event['fault']], ['failed', 'budget'])
  // Nobody would have been asked anyway: the fault is what it is.
  assert.is(last.sends[0]?.event['fault'], 'auth')
})

failover('FO9 a call is told what is left of its run’s tokens', () => {
  const bound = given('run', []).when(planned({ tokensMax: 500 }))
  const free = given('run', []).when(request)

  assert.is(bound.effects[0]?.params['tokensLeft'], 500)
  assert.not.ok('tokensLeft' in (free.effects[0]?.params ?? {}))
})

failover('FO10 a run of before knows no plan and hears of none', () => {
  const { plan: _, ...old } = request
  const { value, context, sends } = given('run', [old]).when(failed(1))

  assert.is(value, 'failed')
  for (const name of ['plan', 'tried', 'modelIndex']) assert.not.ok(name in context, name)
  assert.not.ok('tried' in (sends[0]?.event ?? {}))
})

const route = { channel: 'irc', target: 'ann' }

function ended(runId: string, status: string, fault = ''): JournalEvent {
  const usage = { inputTokens: 0, outputTokens: 0 }
  return { type: 'run.finished', runId, status, fault, ref: '', ...usage }
}

const notices = cases('failure notices')

notices('FN1 who asked on a platform is told that no answer comes, without internals', () => {
  const asked = given('session', [accepted('r1', { route, plan })])
  const broken = asked.when(ended('r1', 'failed', 'auth')).sends[0]
  const spent = asked.when(ended('r1', 'failed', 'budget')).sends[0]

  assert.is(broken?.to, 'delivery:notice-r1')
  const { channel, target, ref, phrase, fileIn } = broken?.event ?? NO_FACTS
  assert.equal([channel, target, ref, fileIn], ['irc', 'ann', '', null])
  assert.equal(phrase, { id: 'run.failed', facts: {} })
  assert.equal(spent?.event['phrase'], { id: 'run.budget', facts: {} })
})

notices('FN2 nobody is told of an abort, without a route, or of a run of before', () => {
  const quiet: [JournalEvent, string][] = [
    [accepted('r1', { route, plan }), 'aborted'],
    [accepted('r1', { plan }), 'failed'],
    [accepted('r1', { route }), 'failed'],
  ]

  for (const [message, status] of quiet) {
    const { sends, context } = given('session', [message]).when(ended('r1', status, 'x'))
    assert.equal(sends, [])
    assert.not.ok('failureToldAt' in context)
  }
})

notices('FN3 failures that follow one another are told once in a while', () => {
  const first = [accepted('r1', { route, plan }), ended('r1', 'failed', 'auth')]
  const soon = given('session', [...first, accepted('r2', { route, plan })])
  const pause = Array.from({ length: limits.failureNoticeEveryMs / 1_000 }, (_, index) =>
    accepted(`x${index}`, { sessionKey: '', type: 'nothing' }),
  )
  const late = given('session', [...first, ...pause, accepted('r2', { route, plan })])

  assert.equal(soon.when(ended('r2', 'failed', 'auth')).sends, [])
  assert.is(late.when(ended('r2', 'failed', 'auth')).sends[0]?.to, 'delivery:notice-r2')
})

failover.run()
notices.run()
