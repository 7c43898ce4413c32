/** Calls of tools, step by step: judged, asked for, run once; and the run that waits for them. */
import '../../actors/trap.ts'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { RunContext } from '../../machines/run.ts'
import { kinds } from '../../machines/kinds.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { accepted } from '../support/facts.ts'
import { given } from '../support/given.ts'

const call = suite('call')

const asked = { channel: null, room: null, sender: null, at: 0 }
const head = { runId: 'r', sessionKey: 'agent:main:main', asked }
const requested = { type: 'call.requested', callId: 'c1', name: 'exec', ref: 'b:args', ...head }
const outcome = { effect: '1.e0', attempt: 1 }
const judged = (verdict: string, more: object = {}): JournalEvent => ({
  type: 'effect.done',
  ...outcome,
  name: 'tool.judge',
  verdict,
  rule: 'tools.ask[0]',
  source: 'built-in',
  timeoutMs: 9_000,
  ...more,
})
const asking = judged('ask', { askRef: 'b:q', askTextRef: 'b:t', askMs: 60_000, mayAlways: true })
const ended = (decision: string, approvalId = 'c1'): JournalEvent => ({
  type: 'approval.ended',
  approvalId,
  decision,
  by: 'owner',
})
const lost = (name: string, started: boolean, attempt = 1): JournalEvent => ({
  type: 'effect.lost',
  effect: '1.e0',
  name,
  attempt,
  started,
})
const result = { type: 'effect.done', ...outcome, name: 'tool.call', ref: 'b:r', bytes: 5 }
const toldOf = (sends: readonly { event: JournalEvent }[]): unknown[] => {
  const { type, fault, ref } = sends.at(-1)!.event
  return [type, fault, ref]
}

call('TO1 an allowed call runs with its deadline, and its run hears the result', () => {
  const began = given('call', [requested]).when(judged('allow'))
  const over = given('call', [requested, judged('allow')]).when(result)

  assert.equal([began.value, began.effects[0]?.name], ['calling', 'tool.call'])
  assert.equal(
    began.waits.map(({ dueAt }) => dueAt),
    [10_000],
  )
  assert.is(over.value, 'done')
  assert.is(over.sends[0]?.to, 'run:r')
  assert.equal(toldOf(over.sends), ['call.finished', '', 'b:r'])
})

call('TO2 what a rule denies never runs, and the run is told why', () => {
  const { value, effects, sends, context } = given('call', [requested]).when(judged('deny'))

  assert.equal([value, effects.length, context['rule']], ['refused', 0, 'tools.ask[0]'])
  assert.equal(toldOf(sends), ['call.finished', 'denied', ''])
})

call('TO3 what is asked for waits for an approval of that call, whose end decides', () => {
  const waiting = given('call', [requested]).when(asking)
  const { to, event } = waiting.sends[0]!

  assert.equal(
    [waiting.value, to, event['ref'], event['callId']],
    ['asking', 'approval:c1', 'b:q', 'c1'],
  )
  assert.is(given('call', [requested, asking]).when(ended('allowed')).effects[0]?.name, 'tool.call')
  for (const [decision, fault] of [
    ['denied', 'refused'],
    ['expired', 'expired'],
  ] as const) {
    const { value, sends, effects } = given('call', [requested, asking]).when(ended(decision))
    assert.equal([value, effects.length], ['refused', 0])
    assert.equal(toldOf(sends), ['call.finished', fault, ''])
  }
})

call('TO34 a question that has a way to a person is sent there, as long as it waits', () => {
  const notice = { ref: 'b:n', channel: 'irc', target: 'ann' }
  const { sends } = given('call', [requested]).when({ ...asking, notice })

  const facts = { deliveryId: 'ask-c1', ...notice, fileIn: null, expiresAt: 61_000, passing: true }
  assert.equal(sends[1], {
    to: 'delivery:ask-c1',
    event: { type: 'delivery.requested', ...facts },
  })
  assert.is(sends[0]?.event['expiresAt'], 61_000)
  assert.is(given('call', [requested]).when(asking).sends.length, 1)
})

call(
  'TO35 whoever was asked in a channel is told that the time is over, and of no other end',
  () => {
    const notice = { ref: 'b:n', channel: 'irc', target: 'ann' }
    const told = (decision: string, judge: object): unknown[] => {
      const { sends } = given('call', [requested, { ...asking, ...judge }]).when(ended(decision))
      return sends.map(({ to, event }) => [to, (event['phrase'] as { id: string } | undefined)?.id])
    }

    assert.equal(told('expired', { notice }), [
      ['run:r', undefined],
      ['delivery:over-c1', 'approval.expired'],
    ])
    assert.is(told('denied', { notice }).length, 1)
    assert.is(told('expired', {}).length, 1)
  },
)

call(
  'TI25 a call of a client’s own has no run that would be told, and asks only where it may',
  () => {
    const own = { ...requested, invokedBy: 'device', mayAsk: false }
    const begun = given('call', []).when(own)
    const refused = given('call', [own]).when(judged('deny', { fault: 'approval' }))
    const over = given('call', [own, judged('allow')]).when(result)

    assert.equal(
      [begun.effects[0]?.params['mayAsk'], begun.context['invokedBy']],
      [false, 'device'],
    )
    assert.equal(
      [refused.value, refused.context['fault'], refused.sends],
      ['refused', 'approval', []],
    )
    assert.equal([over.value, over.context['resultRef'], over.sends], ['done', 'b:r', []])
  },
)

call('TO4 an approval of another call changes nothing', () => {
  assert.is(given('call', [requested, asking]).when(ended('allowed', 'c2')).ignored, 'refused')
})

call('TO5 the approval of a call tells it its end, once', () => {
  const approval = {
    type: 'exec.requested',
    approvalId: 'c1',
    ref: 'b:q',
    textRef: 'b:t',
    deviceId: '',
    sessionKey: '',
    mayAlways: true,
    expiresAt: 60_000,
    callId: 'c1',
  }
  const allowed = { type: 'exec.allowed', always: false, by: 'owner' }
  const { sends } = given('approval', [approval]).when(allowed)

  assert.equal(
    sends.map(({ to, event }) => [to, event['decision']]),
    [['call:c1', 'allowed']],
  )
  assert.equal(given('approval', [approval, allowed]).when(allowed).sends, [])
})

call(
  'TO6 a call that had begun when the process ended is told as uncertain, and not run again',
  () => {
    const { value, sends, effects } = given('call', [requested, judged('allow')]).when(
      lost('tool.call', true),
    )

    assert.equal([value, effects.length], ['uncertain', 0])
    assert.equal(toldOf(sends), ['call.finished', 'lost', ''])
  },
)

call('TO7 a call that had not begun is run then, and a judgement is made again', () => {
  const again = given('call', [requested, judged('allow')]).when(lost('tool.call', false))
  const judging = given('call', [requested]).when(lost('tool.judge', false))

  assert.equal([again.value, again.effects[0]?.params['attempt']], ['calling', 2])
  assert.equal([judging.value, judging.effects[0]?.name], ['judging', 'tool.judge'])
})

call('TO8 a call that takes too long is cancelled; its late result is ignored', () => {
  const due = { type: 'call.due' }
  const { value, sends, effects } = given('call', [requested, judged('allow')]).when(due)

  assert.equal([value, effects[0]?.name], ['failed', 'tool.cancel'])
  assert.equal(toldOf(sends), ['call.finished', 'timeout', ''])
  assert.is(given('call', [requested, judged('allow'), due]).when(result).ignored, 'unhandled')
})

call('TO9 an aborted run takes its question back, or stops its call, and hears nothing', () => {
  const abort = { type: 'run.aborted', by: 'run' }
  const withdrawn = given('call', [requested, asking]).when(abort)
  const stopped = given('call', [requested, judged('allow')]).when(abort)

  assert.equal(
    withdrawn.sends.map(({ event }) => event.type),
    ['exec.cancelled'],
  )
  assert.equal([withdrawn.value, stopped.value], ['aborted', 'aborted'])
  assert.equal([stopped.effects[0]?.name, stopped.sends.length], ['tool.cancel', 0])
})

// The run.

const plan = { fallbacks: [], callsMax: 3 }
const begun: JournalEvent = { type: 'run.requested', ...head, model: 'a/b', thinking: 'off', plan }
const wants = (attempt: number, ...ids: string[]): JournalEvent => ({
  type: 'effect.done',
  effect: '1.e0',
  name: 'model.call',
  attempt,
  ref: `b:said${attempt}`,
  bytes: 3,
  inputTokens: 1,
  outputTokens: 1,
  calls: ids.map((callId) => ({ callId, name: 'read', ref: `b:${callId}` })),
})
const finished = (callId: string, fault = ''): JournalEvent => ({
  type: 'call.finished',
  callId,
  ref: fault === '' ? `b:of-${callId}` : '',
  bytes: 4,
  isError: fault !== '',
  fault,
})
const rolesOf = (entries: unknown): unknown =>
  (entries as { role: string }[] | undefined)?.map(({ role }) => role)

call(
  'TO10 an answer with calls asks for all of them, and the next one waits for all results',
  () => {
    const { value, sends } = given('run', [begun]).when(wants(1, 'x', 'y'))
    const half = given('run', [begun, wants(1, 'x', 'y')]).when(finished('y'))
    const whole = given('run', [begun, wants(1, 'x', 'y'), finished('y')]).when(finished('x'))

    assert.equal([value, sends.map(({ to }) => to)], ['tools', ['call:x', 'call:y']])
    assert.equal(
      [half.value, half.effects.length, half.context['entries']],
      ['tools', 0, undefined],
    )
    const [asksAgain] = whole.effects
    assert.equal([asksAgain?.name, asksAgain?.params['attempt']], ['model.call', 2])
    assert.is(asksAgain?.params['entries'], 3)
    const entries = whole.context['entries'] as { callId?: string }[]
    assert.equal(rolesOf(entries), ['assistant', 'tool', 'tool'])
    assert.equal(
      entries.map(({ callId }) => callId),
      [undefined, 'x', 'y'],
    )
  },
)

call(
  'TO11 a loop ends with its budget: what it asks for last is not done, what was stays told',
  () => {
    const loop = [begun, wants(1, 'x'), finished('x'), wants(2, 'y'), finished('y')]
    const { value, sends } = given('run', loop).when(wants(3, 'z'))

    assert.is(value, 'failed')
    assert.equal(
      sends.map(({ to }) => to),
      ['session:agent:main:main'],
    )
    const { fault, entries, ref } = sends[0]!.event
    assert.equal([fault, ref], ['budget', ''])
    assert.equal(rolesOf(entries), ['assistant', 'tool', 'assistant', 'tool'])
  },
)

call('TO12 without a plan a loop ends too', () => {
  const { plan: _, ...bare } = begun
  const rounds = Array.from({ length: limits.runCallsMax - 1 }, (__, index) => {
    return [wants(index + 1, `x${index}`), finished(`x${index}`)]
  })
  assert.is(
    given('run', [bare, ...rounds.flat()]).when(wants(limits.runCallsMax, 'z')).value,
    'failed',
  )
})

call('TO13 an abort ends open calls, and each that had no result has one that says so', () => {
  const before = [begun, wants(1, 'x', 'y'), finished('x')]
  const { value, sends } = given('run', before).when({ type: 'run.aborted', by: 'd' })

  assert.equal(
    [value, sends.map(({ to }) => to)],
    ['aborted', ['call:y', 'session:agent:main:main']],
  )
  const entries = sends[1]?.event['entries'] as { fault?: string }[]
  assert.equal(
    entries.map(({ fault }) => fault),
    [undefined, undefined, 'aborted'],
  )
})

call('TI28 a session that lets a run go keeps its calls whole, behind their question', () => {
  const before = [begun, wants(1, 'x', 'y'), finished('x')]
  const letGo = { type: 'run.aborted', by: 'd', sessionKey: 'agent:main:main' }
  const { sends } = given('run', before).when(letGo)
  const idle = given('run', [begun]).when(letGo)
  const left = sends.find(({ event }) => event.type === 'calls.kept')!
  const talk = [
    accepted('r'),
    { type: 'session.aborted', runId: null, by: 'd', sessionKey: 'agent:main:main', generation: 0 },
    accepted('next'),
  ]
  const kept = given('session', talk).when(left.event)
  const again = given('session', [...talk, left.event]).when(left.event)
  const strange = given('session', [accepted('other')]).when(left.event)
  const current = given('session', [accepted('r')]).when(left.event)

  assert.is(left.to, 'session:agent:main:main')
  assert.equal(
    idle.sends.map(({ event }) => event.type),
    ['run.finished'],
  )
  assert.equal(rolesOf(kept.context['history']), ['user', 'assistant', 'tool', 'tool', 'user'])
  assert.equal([again.ignored, strange.ignored, current.ignored], ['refused', 'refused', 'refused'])
})

call('TO14 what was steered during calls is read behind their results', () => {
  const steered = { type: 'run.steered', runId: 's', ref: 'b:s' }
  const { context } = given('run', [begun, wants(1, 'x'), steered]).when(finished('x'))

  assert.equal(rolesOf(context['entries']), ['assistant', 'tool', 'user'])
})

call('TO15 a result that nobody waits for is ignored', () => {
  assert.is(given('run', [begun, wants(1, 'x')]).when(finished('z')).ignored, 'refused')
  assert.is(
    given('run', [begun, wants(1, 'x', 'y'), finished('x')]).when(finished('x')).ignored,
    'refused',
  )
})

call('TO16 retries are counted anew behind each round of tools', () => {
  const failed = {
    type: 'effect.failed',
    effect: '1.e0',
    name: 'model.call',
    attempt: 2,
    class: 'server',
    retryable: true,
    retryAfterMs: null,
    random: 0,
  }
  const wide = { ...begun, plan: { fallbacks: [], callsMax: 50 } }
  const { value, waits } = given('run', [wide, wants(1, 'x'), finished('x')]).when(failed)

  assert.equal([value, waits[0]?.dueAt], ['waiting', 4_000])
})

call('TO17 no order of events parts a call from its result', () => {
  const event = fc.oneof(
    fc.constantFrom<JournalEvent>(finished('x'), finished('y', 'denied'), finished('z')),
    fc.integer({ min: 1, max: 4 }).map((attempt) => wants(attempt, 'x', 'y')),
    fc.integer({ min: 1, max: 4 }).map((attempt) => wants(attempt, 'z')),
    fc.integer({ min: 1, max: 4 }).map((attempt) => lost('model.call', false, attempt)),
    fc.constantFrom<JournalEvent>(
      { type: 'run.steered', runId: 's', ref: 'b:s' },
      { type: 'run.aborted', by: 'd' },
      { type: 'retry.due' },
    ),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 24 }), (events) => {
      const { stepper } = kinds.run
      let { snapshot } = stepper.step(stepper.initial, begun, 0)
      for (const next of events) {
        const stepped = stepper.step(snapshot, next, 1)
        snapshot = stepped.snapshot
        assertPaired((snapshot.context as RunContext).entries ?? [])
        for (const { event: told } of stepped.sends) assertPaired((told['entries'] ?? []) as never)
      }
    }),
  )
})

function assertPaired(entries: readonly NonNullable<RunContext['entries']>[number][]): void {
  let open: string[] = []
  for (const { role, callId = '', calls = [] } of entries) {
    if (role === 'tool') assert.is(callId, open.shift())
    else assert.equal(open, [])
    if (role === 'assistant') open = calls.map((each) => each.callId)
  }
  assert.equal(open, [])
}

call.run()
