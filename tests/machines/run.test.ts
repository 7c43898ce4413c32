/** One run: calls, retries, aborts. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { retryDelayMs } from '../../machines/rules/retry.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { given } from '../support/given.ts'

const run = suite('run')

const request: JournalEvent = {
  type: 'run.requested',
  runId: 'r',
  sessionKey: 'agent:main:main',
  model: 'echo',
  thinking: 'off',
  asked: { channel: null, room: null, sender: null, at: 0 },
}
const named = { ...request, runKey: 'mine' }
const failed = (attempt: number, changes: Record<string, unknown> = {}): JournalEvent => ({
  type: 'effect.failed',
  effect: '1.e0',
  name: 'model.call',
  attempt,
  class: 'rate',
  retryable: true,
  retryAfterMs: null,
  random: 0,
  ...changes,
})
const done = (attempt: number): JournalEvent => ({
  type: 'effect.done',
  effect: '1.e0',
  name: 'model.call',
  attempt,
  ref: 'b:1',
  inputTokens: 3,
  outputTokens: 4,
})
const lost = (attempt: number): JournalEvent => ({
  type: 'effect.lost',
  effect: '1.e0',
  name: 'model.call',
  attempt,
  started: false,
})
const due: JournalEvent = { type: 'retry.due' }

run('U11 the client’s own name of a run is in its calls and in its end, else nowhere', () => {
  const call = given('run', []).when(named)
  const end = given('run', [named]).when(done(1))
  const bare = given('run', []).when(request)

  assert.is(call.effects[0]?.params['runKey'], 'mine')
  assert.is(end.sends[0]?.event['runKey'], 'mine')
  assert.not.ok('runKey' in bare.context || 'runKey' in (bare.effects[0]?.params ?? {}))
})

run('U1 a request calls the model, an answer tells the session', () => {
  assert.equal(
    given('run', [])
      .when(request)
      .effects.map(({ name, params }) => [name, params['attempt']]),
    [['model.call', 1]],
  )

  const { value, sends } = given('run', [request]).when(done(1))

  assert.is(value, 'done')
  assert.equal(sends[0]?.to, 'session:agent:main:main')
  assert.equal([sends[0]?.event['status'], sends[0]?.event['ref']], ['done', 'b:1'])
})

run('U2 a retryable failure waits as long as policy and the server say', () => {
  const { value, waits } = given('run', [request]).when(failed(1))
  const told = given('run', [request]).when(failed(1, { retryAfterMs: 7_000 }))

  assert.equal(
    [value, waits],
    ['waiting', [{ id: 'retry', dueAt: 1_000 + limits.runBackoffMs, event: due }]],
  )
  assert.is(told.waits[0]?.dueAt, 8_000)
})

run('U3 after the wait it calls again, and after the last attempt it gives up', () => {
  const second = given('run', [request, failed(1)]).when(due)
  assert.equal([second.value, second.effects[0]?.params['attempt']], ['calling', 2])

  const all = [request, failed(1), due, failed(2), due, failed(3), due]
  const last = given('run', all).when(failed(limits.runAttemptsMax))

  assert.equal(
    [last.value, last.sends[0]?.event['status'], last.sends[0]?.event['fault']],
    ['failed', 'failed', 'rate'],
  )
})

run('U4 a failure that cannot get better ends the run at once', () => {
  const { value, waits } = given('run', [request]).when(
    failed(1, { class: 'auth', retryable: false }),
  )

  assert.equal([value, waits], ['failed', []])
})

run('K6 a lost call is made again; an answer of an old attempt is refused', () => {
  const again = given('run', [request]).when(lost(1))
  const late = given('run', [request, lost(1)]).when(done(1))

  assert.equal([again.value, again.effects[0]?.params['attempt']], ['calling', 2])
  assert.is(late.ignored, 'refused')
})

run('U5 PR19 an abort cancels the call, tells the session, and late output is ignored', () => {
  const abort = { type: 'run.aborted', by: 'owner' }
  const { value, effects, sends } = given('run', [request]).when(abort)

  assert.equal(
    [value, effects.map(({ name }) => name), sends[0]?.event['status']],
    ['aborted', ['model.cancel'], 'aborted'],
  )
  assert.is(given('run', [request, abort]).when(done(1)).ignored, 'unhandled')
  assert.equal(given('run', [request, failed(1)]).when(abort).waits, [])
})

const steered = (runId: string): JournalEvent => ({ type: 'run.steered', runId, ref: `b:${runId}` })

run('U12 what came meanwhile is read by the next call, and answered with its own message', () => {
  const waiting = [request, steered('s1'), failed(1), steered('s2')]
  const again = given('run', waiting).when(due)
  const end = given('run', [...waiting, due, steered('late')]).when(done(2))

  assert.is(again.effects[0]?.params['entries'], 2)
  const told = end.sends[0]?.event
  assert.equal(told?.['merged'], [{ runId: 's1' }, { runId: 's2' }])
  assert.equal(told?.['entries'], [
    { ref: 'b:s1', role: 'user', runId: 'r' },
    { ref: 'b:s2', role: 'user', runId: 'r' },
  ])
})

run('U12 what waited before the run began is read before what came meanwhile', () => {
  const waited = { ...request, steered: [{ runId: 's1', ref: 'b:s1' }] }
  const first = given('run', []).when(waited)
  const end = given('run', [waited, steered('s2'), lost(1)]).when(done(2))

  assert.is(first.effects[0]?.params['entries'], undefined)
  assert.equal(end.sends[0]?.event['merged'], [{ runId: 's1' }, { runId: 's2' }])
})

run('U13 the first call does not read it, and a run that is over does not hear of it', () => {
  const first = given('run', [request]).when(steered('s1'))
  const answered = given('run', [request, steered('s1')]).when(done(1))
  const over = given('run', [request, done(1)]).when(steered('s1'))

  assert.equal([first.value, first.effects], ['calling', []])
  assert.equal(answered.sends[0]?.event['merged'], undefined)
  assert.is(over.ignored, 'unhandled')
})

run('U14 messages that a run carries from the first are told with its end', () => {
  const merged = [{ runId: 'm1', runKey: 'theirs' }]
  const { sends } = given('run', [{ ...request, merged }]).when(done(1))

  assert.equal(sends[0]?.event['merged'], merged)
})

run('U6 waits double up to their cap, with recorded jitter on top', () => {
  const policy = { attemptsMax: 9, backoffMs: 1_000, backoffMsMax: 5_000, factor: 2 }

  assert.equal(
    [1, 2, 3, 4].map((n) => retryDelayMs(policy, n, 0, null)),
    [1_000, 2_000, 4_000, 5_000],
  )
  assert.is(retryDelayMs(policy, 1, 0.5, null), 1_250)
  assert.is(retryDelayMs(policy, 1, 0.5, 99_000), 5_000)
  assert.is(retryDelayMs(policy, 1, 0.5, -1), 0)
})

run.run()
