/** One session: queue, history, answers. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { promptOf } from '../../machines/rules/prompt.ts'
import type { SessionContext } from '../../machines/session.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { accepted } from '../support/facts.ts'
import { given } from '../support/given.ts'

const session = suite('session')

const finished = (runId: string, changes: Record<string, unknown> = {}): JournalEvent => ({
  type: 'run.finished',
  runId,
  status: 'done',
  fault: '',
  ref: `b:answer-${runId}`,
  inputTokens: 1,
  outputTokens: 1,
  ...changes,
})
const ann = { route: { channel: 'irc', target: 'ann' }, channel: 'irc', peer: 'ann' }

session('N1 the first message begins a run', () => {
  const { value, sends } = given('session', []).when(accepted('r1'))

  assert.is(value, 'running')
  assert.equal(
    sends.map(({ to, event }) => [to, event.type]),
    [['run:r1', 'run.requested']],
  )
})

session('N2 a message during a run waits, and its run begins when the first ends', () => {
  const waiting = given('session', [accepted('r1')]).when(accepted('r2'))
  const begun = given('session', [accepted('r1'), accepted('r2')]).when(finished('r1'))

  assert.equal([waiting.value, waiting.sends], ['running', []])
  assert.equal([begun.value, begun.sends[0]?.to], ['running', 'run:r2'])
})

session('N3 each answer follows its question in the history, whatever came between', () => {
  const { context, value } = given('session', [
    accepted('r1'),
    accepted('r2'),
    finished('r1'),
  ]).when(finished('r2'))

  const entries = (context as unknown as SessionContext).history.map(
    ({ role, runId }) => `${role} ${runId}`,
  )
  assert.equal(entries, ['user r1', 'assistant r1', 'user r2', 'assistant r2'])
  assert.equal([value, context['messages']], ['idle', 4])
})

session('N4 an answer goes where its own message came from', () => {
  const { sends } = given('session', [accepted('r1', ann), accepted('r2')]).when(finished('r1'))

  const delivery = sends.find(({ to }) => to === 'delivery:reply-r1')
  assert.equal(
    [delivery?.event['channel'], delivery?.event['target'], delivery?.event['ref']],
    ['irc', 'ann', 'b:answer-r1'],
  )
  const none = given('session', [accepted('r1')]).when(finished('r1'))
  assert.equal(none.sends, [])
})

session('N4 a run is told who asked, where and when, for the system message', () => {
  const direct = given('session', []).when(accepted('r1', { ...ann, sender: 'ann' }))
  const room = given('session', []).when(
    accepted('r1', { channel: 'irc', peer: '#home', sender: 'ann' }),
  )

  assert.equal(direct.sends[0]?.event['asked'], {
    channel: 'irc',
    room: null,
    sender: 'ann',
    at: 0,
  })
  assert.equal(room.sends[0]?.event['asked'], {
    channel: 'irc',
    room: '#home',
    sender: 'ann',
    at: 0,
  })
})

session('N11 the client’s own name of a run goes along, and is nowhere where there is none', () => {
  const named = given('session', [accepted('r1')]).when(accepted('r2', { runKey: 'mine' }))
  const begun = given('session', [accepted('r1'), accepted('r2', { runKey: 'mine' })]).when(
    finished('r1'),
  )

  const { current, queue } = named.context as unknown as SessionContext
  assert.equal([Object.hasOwn(current ?? {}, 'runKey'), queue[0]?.runKey], [false, 'mine'])
  assert.is(begun.sends[0]?.event['runKey'], 'mine')
})

session('N5 PR15 a failed run is not answered and does not stop the next one', () => {
  const events = [accepted('r1', ann), accepted('r2', ann)]
  const { sends, context } = given('session', events).when(
    finished('r1', { status: 'failed', ref: '' }),
  )

  assert.equal(
    sends.map(({ to }) => to),
    ['run:r2'],
  )
  assert.is(context['messages'], 2)
})

session('N6 the end of a run that is not in hand is refused', () => {
  const { ignored, value } = given('session', [accepted('r1')]).when(finished('r9'))

  assert.equal([ignored, value], ['refused', 'running'])
})

session('N7 the queue takes so many and refuses the next', () => {
  const many = Array.from({ length: limits.sessionQueueMax + 1 }, (_, n) => accepted(`r${n}`))

  assert.is(given('session', many.slice(0, -1)).when(accepted('last')).ignored, null)
  assert.is(given('session', many).when(accepted('last')).ignored, 'refused')
  assert.is(given('session', many).when(accepted('last', ann)).ignored, null) // Judged at the door.
})

session('N8 the history keeps so many messages, the newest', () => {
  const events = [1, 2, 3].flatMap((n) => [
    accepted(`r${n}`, { messagesMax: 3 }),
    finished(`r${n}`),
  ])
  const { context } = given('session', events).when(accepted('r4', { messagesMax: 3 }))

  const kept = (context as unknown as SessionContext).history.map(
    ({ role, runId }) => `${role} ${runId}`,
  )
  assert.equal(kept, ['user r3', 'assistant r3', 'user r4'])
})

session('N9 a prompt ends with its own message, also when more is known', () => {
  const { context } = given('session', [accepted('r1'), finished('r1')]).when(accepted('r2'))
  const known = context as unknown as SessionContext

  assert.equal(
    promptOf(known, 'r1')?.map(({ ref }) => ref),
    ['b:r1'],
  )
  assert.equal(
    promptOf(known, 'r2')?.map(({ ref }) => ref),
    ['b:r1', 'b:answer-r1', 'b:r2'],
  )
  assert.is(promptOf(known, 'r3'), null)
})

session('D-27 a filed message joins the history and begins no run', () => {
  const filing = {
    type: 'message.filed',
    sessionKey: 'agent:main:main',
    deliveryId: 'd1',
    ref: 'b:filed',
  }
  const { context, value, sends } = given('session', []).when(filing)

  assert.equal((context as unknown as SessionContext).history, [
    { role: 'assistant', ref: 'b:filed', runId: 'd1' },
  ])
  assert.equal([value, sends, context['messages']], ['idle', [], 1])
})

session('K1 a context holds no text longer than a fact', () => {
  const { context } = given('session', [accepted('r1', ann)]).when(accepted('r2', ann))

  const texts: string[] = []
  JSON.stringify(context, (_key, value: unknown) => {
    if (typeof value === 'string') texts.push(value)
    return value
  })
  assert.ok(texts.length > 5)
  assert.equal(
    texts.filter((text) => text.length > limits.contextTextCharsMax),
    [],
  )
})

session.run()
