/** What is settled about a session, its generations, and runs that are let go. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import type { SessionContext } from '../../machines/session.ts'
import { emptyOpenWork, foldOpenWork, type OpenWork } from '../../machines/projections/open-work.ts'
import { restoreOpenWork, saveOpenWork } from '../../machines/projections/open-work.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { sessionIdOf } from '../../protocol/session-id.ts'
import { cases } from '../store/cases.ts'
import { accepted } from '../support/facts.ts'
import { given, type Outcome } from '../support/given.ts'
import { openTestKernel } from '../support/kernel.ts'

const test = cases('session facts')

const KEY = 'agent:main:main'
const told = { sessionKey: KEY, by: 'd' }
const created = (changes: object = {}, generation = 0): JournalEvent => {
  return { type: 'session.created', ...told, generation, changes }
}
const patched = (changes: object, generation = 0): JournalEvent => {
  return { type: 'session.patched', ...told, generation, changes }
}
const renewed = (type: string, generation = 1): JournalEvent => {
  return { type, ...told, generation, reason: 'reset' }
}
const aborted = (runId: string | null = null): JournalEvent => {
  return { type: 'session.aborted', ...told, runId }
}
const finished = (runId: string): JournalEvent => {
  const usage = { inputTokens: 3, outputTokens: 4 }
  return { type: 'run.finished', runId, status: 'done', fault: '', ref: `b:a-${runId}`, ...usage }
}
const contextOf = ({ context }: Outcome): SessionContext => context as unknown as SessionContext
const letGo = ({ sends }: Outcome): string[] =>
  sends.filter(({ event }) => event.type === 'run.aborted').map(({ to }) => to)

test('SF1 a session is created once, and what is settled stands until null or false removes it', () => {
  const first = given('session', []).when(created({ label: 'home', pinned: true }))
  const again = given('session', [created()]).when(created())
  const changed = given('session', [created({ label: 'home', pinned: true })]).when(
    patched({ label: null, pinned: false, model: 'echo' }),
  )

  assert.equal(contextOf(first).facts, { label: 'home', pinned: true })
  assert.equal([first.value, again.ignored], ['idle', 'refused'])
  assert.equal(contextOf(changed).facts, { model: 'echo' })
})

test('SF2 a change of another generation, or of no session, is refused', () => {
  assert.is(given('session', []).when(patched({ label: 'x' })).ignored, 'refused')
  assert.is(given('session', [created()]).when(patched({ label: 'x' }, 1)).ignored, 'refused')
  assert.is(given('session', []).when(renewed('session.reset')).ignored, 'refused')
  const twice = given('session', [created(), renewed('session.reset')])
  assert.is(twice.when(renewed('session.reset')).ignored, 'refused')
  assert.is(twice.when(renewed('session.reset', 2)).ignored, null)
})

test('SF3 a session that was never settled has none of its members', () => {
  const { context } = given('session', [accepted('r1')]).when(finished('r1'))

  const later = ['generation', 'facts', 'deleted']
  assert.equal(
    later.filter((name) => name in context),
    [],
  )
})

test('SF4 a reset empties the history, keeps what is settled and lets go of every run', () => {
  const events = [created({ label: 'home' }), accepted('r1'), accepted('r2', { runKey: 'mine' })]
  const outcome = given('session', events).when(renewed('session.reset'))

  const { history, queue, current, messages, facts, generation } = contextOf(outcome)
  assert.equal([history, queue, current, messages], [[], [], null, 0])
  assert.equal([facts, generation, outcome.value], [{ label: 'home' }, 1, 'idle'])
  assert.equal(letGo(outcome), ['run:r1', 'run:r2'])
  assert.is(outcome.sends[1]?.event['runKey'], 'mine')
})

test('SF5 what a run brings that was let go is ignored, and the next message begins a run', () => {
  const events = [accepted('r1'), renewed('session.reset')]
  const late = given('session', events).when(finished('r1'))
  const next = given('session', events).when(accepted('r2'))

  assert.equal([late.ignored, contextOf(late).history], ['unhandled', []])
  assert.equal([next.value, next.sends[0]?.to], ['running', 'run:r2'])
})

test('SF6 a deleted session takes no change, and begins anew with its next message', () => {
  const gone = [created({ label: 'home' }), renewed('session.deleted')]
  const patch = given('session', gone).when(patched({ label: 'x' }, 1))
  const injected = given('session', gone).when({
    type: 'message.injected',
    ...told,
    messageId: 'm',
    ref: 'b:1',
  })
  const next = given('session', gone).when(accepted('r1'))
  const anew = given('session', gone).when(created({}, 1))

  assert.equal([patch.ignored, injected.ignored], ['refused', 'refused'])
  assert.equal([contextOf(next).generation, contextOf(next).deleted], [1, false])
  assert.is(contextOf(next).facts, null)
  assert.equal([anew.ignored, contextOf(anew).deleted], [null, false])
})

test('SF7 PR15 an abort of the run in hand begins the next one, and of a queued one drops only that', () => {
  const busy = given('session', [accepted('r1'), accepted('r2'), accepted('r3')])
  const first = busy.when(aborted('r1'))
  const queued = busy.when(aborted('r3'))

  assert.equal([letGo(first), contextOf(first).current?.runId], [['run:r1'], 'r2'])
  assert.is(first.sends.at(-1)?.event.type, 'run.requested')
  assert.equal([letGo(queued), contextOf(queued).current?.runId], [['run:r3'], 'r1'])
  assert.equal(
    contextOf(queued).queue.map(({ runId }) => runId),
    ['r2'],
  )
})

test('SF8 an abort without a name ends all, and one of nothing is ignored', () => {
  const busy = given('session', [accepted('r1'), accepted('r2')])
  const all = busy.when(aborted())

  assert.equal([letGo(all), all.value], [['run:r1', 'run:r2'], 'idle'])
  assert.is(busy.when(aborted('r9')).ignored, 'refused')
  assert.is(given('session', [created()]).when(aborted()).ignored, 'refused')
})

test('SF9 an injected message joins the history as the agent’s, also during a run', () => {
  const injected = { type: 'message.injected', ...told, messageId: 'm', ref: 'b:said' }
  const { context, value } = given('session', [accepted('r1')]).when(injected)

  const { history, messages } = context as unknown as SessionContext
  assert.equal(history.at(-1), { ref: 'b:said', role: 'assistant', runId: 'm' })
  assert.equal([messages, value], [2, 'running'])
})

test('SF10 a queued run that is let go ends before it began, and is not begun by a late request', () => {
  const abort = { type: 'run.aborted', by: 'd', runId: 'r', sessionKey: KEY }
  const early = given('run', []).when(abort)
  const request = { type: 'run.requested', ...told, runId: 'r', model: 'echo', thinking: 'off' }
  const late = given('run', [abort]).when({ ...request, asked: null })

  assert.equal([early.value, early.sends, early.effects], ['aborted', [], []])
  assert.is(late.ignored, 'unhandled')
})

async function fold(events: readonly JournalEvent[]): Promise<OpenWork> {
  const { kernel, records, tell } = openTestKernel()
  for (const event of events) await tell(`session:${KEY}`, event)
  await kernel.stop()
  const work = emptyOpenWork()
  for (const record of records()) foldOpenWork(work, record)
  return work
}

test('SF11 a row knows runs, last message, tokens and what is settled', async () => {
  const work = await fold([
    accepted('r1', { thinking: 'high' }),
    finished('r1'),
    accepted('r2', { runKey: 'mine' }),
    patched({ label: 'home', archived: true }),
  ])

  const row = work.sessions.get(KEY)
  assert.equal(
    row?.runs.map(({ runId, runKey }) => [runId, runKey]),
    [['r2', 'mine']],
  )
  assert.equal([row?.last?.ref, row?.last?.role], ['b:r2', 'user'])
  assert.equal([row?.inputTokens, row?.outputTokens, row?.pending], [3, 4, 1])
  assert.equal([row?.facts, row?.thinking], [{ label: 'home', archived: true }, 'off'])
  assert.is(work.runs.get('r2'), KEY)
})

test('SF12 a row ends its runs with a reset, and is gone after a deletion until the next message', async () => {
  const reset = await fold([accepted('r1'), accepted('r2'), renewed('session.reset')])
  const gone = await fold([accepted('r1'), renewed('session.deleted')])
  const anew = await fold([accepted('r1'), renewed('session.deleted'), accepted('r2')])

  const row = reset.sessions.get(KEY)
  assert.equal([row?.pending, row?.runs, row?.messages, row?.generation], [0, [], 0, 1])
  assert.equal([gone.sessions.size, gone.deleted.get(KEY), gone.runs.size], [0, 1, 0])
  assert.equal([anew.sessions.get(KEY)?.generation, anew.deleted.size], [1, 0])
  assert.is.not(sessionIdOf(KEY, 0), sessionIdOf(KEY, 1))
})

test('SF13 a checkpoint keeps rows whole, and one of before has what it can', async () => {
  const work = await fold([accepted('r1', { runKey: 'mine' }), patched({ label: 'home' })])
  const saved = saveOpenWork(work) as { sessions: unknown[][]; deleted?: unknown }
  const old = { ...saved, sessions: saved.sessions.map((row) => row.slice(0, 8)) }
  delete old.deleted

  assert.equal(restoreOpenWork(saved)?.sessions, work.sessions)
  assert.equal(restoreOpenWork(saved)?.runs, work.runs)
  const row = restoreOpenWork(old)?.sessions.get(KEY)
  assert.equal([row?.pending, row?.runs, row?.generation, row?.facts], [1, [], 0, {}])
})

test.run()
