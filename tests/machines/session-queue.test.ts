/** One session's queue: the modes, what has to make room, and its expiry. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { FOLLOWUP, type QueuePolicy } from '../../machines/rules/queue.ts'
import type { SessionContext } from '../../machines/session.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent, JournalRecord } from '../../protocol/record.ts'
import { endedRuns } from '../../protocol/runs.ts'
import { cases } from '../store/cases.ts'
import { accepted } from '../support/facts.ts'
import { given } from '../support/given.ts'

const test = cases('session queue')

const STEER: QueuePolicy = { mode: 'steer', debounceMs: 500, cap: 20, drop: 'summarize' }
// Steps are a second apart, so this is still waiting two steps later.
const COLLECT: QueuePolicy = { ...STEER, mode: 'collect', debounceMs: 2_500 }
const BRIEFLY: QueuePolicy = { ...COLLECT, debounceMs: 500 }
const INTERRUPT: QueuePolicy = { ...STEER, mode: 'interrupt' }

const room = { channel: 'irc', target: '#home' }
const ann = { channel: 'irc', target: 'ann' }

const said = (runId: string, queue: QueuePolicy, changes: object = {}): JournalEvent =>
  accepted(runId, { queue, channel: 'irc', peer: 'ann', route: ann, ...changes })

const finished = (runId: string, changes: object = {}): JournalEvent => ({
  type: 'run.finished',
  runId,
  status: 'done',
  fault: '',
  ref: `b:answer-${runId}`,
  inputTokens: 1,
  outputTokens: 1,
  ...changes,
})

const endsOf = (event: JournalEvent, sends: readonly unknown[] = []) =>
  endedRuns({ kind: 'event', ignored: null, event, sends } as unknown as JournalRecord).map(
    ({ runId, status, into }) => [runId, status, into],
  )

const contextOf = ({ context }: { context: unknown }) => context as SessionContext
const told = (step: { sends: readonly { to: string; event: JournalEvent }[] }) =>
  step.sends.map(({ to, event }) => `${event.type} ${to}`)

test('QM1 steer shows the message to the run in hand, and keeps it for a run of its own', () => {
  const step = given('session', [said('r1', STEER)]).when(said('r2', STEER))
  const unread = given('session', [said('r1', STEER), said('r2', STEER)]).when(finished('r1'))

  assert.equal(told(step), ['run.steered run:r1'])
  assert.is(step.sends[0]?.event['ref'], 'b:r2')
  assert.equal(told(unread), ['delivery.requested delivery:reply-r1', 'run.requested run:r2'])
})

test('QM2 a steered message that the run has read is answered with it, and stands before the answer', () => {
  const read = {
    merged: [{ runId: 'r2' }],
    entries: [{ ref: 'b:r2', role: 'user', runId: 'r1' }],
  }
  const step = given('session', [said('r1', STEER), said('r2', STEER)]).when(finished('r1', read))

  assert.is(step.value, 'idle')
  assert.equal(told(step), ['delivery.requested delivery:reply-r1', 'run.merged run:r2'])
  assert.equal(
    contextOf(step).history.map(({ ref }) => ref),
    ['b:r1', 'b:r2', 'b:answer-r1'],
  )
  assert.equal(endsOf(finished('r1', read)), [
    ['r1', 'done', undefined],
    ['r2', 'done', 'r1'],
  ])
})

test('QM2 who waits already is shown to the next run too, so that nobody overtakes them', () => {
  const waiting = [said('r1', STEER), said('r2', STEER), said('r3', STEER, { runKey: 'k3' })]
  const next = given('session', waiting).when(finished('r1'))
  const late = given('session', [...waiting, finished('r1')]).when(said('r4', STEER))

  assert.equal(told(next).slice(1), ['run.requested run:r2'])
  assert.equal(next.sends[1]?.event['steered'], [{ runId: 'r3', ref: 'b:r3', runKey: 'k3' }])
  assert.equal(told(late), ['run.steered run:r2'])
})

test('QM2 nothing is shown to a run before what waits ahead of it for a run of its own', () => {
  const ahead = [said('r1', STEER), said('r2', FOLLOWUP)]
  const behind = given('session', ahead).when(said('r3', STEER))
  const next = given('session', [...ahead, said('r3', STEER)]).when(finished('r1'))

  assert.equal(told(behind), [])
  assert.equal(next.sends.at(-1)?.event['steered'], [{ runId: 'r3', ref: 'b:r3' }])
})

test('QM2 PR29 a run that answers in one place is shown nothing of another', () => {
  const steps = [said('r1', STEER), said('r2', STEER, { route: room })]
  const step = given('session', steps.slice(0, 1)).when(steps[1]!)
  const same = given('session', steps).when(said('r3', STEER))
  const next = given('session', [...steps, said('r3', STEER, { route: room })]).when(finished('r1'))

  assert.equal(told(step), [])
  assert.equal(told(same), ['run.steered run:r1'])
  assert.equal(next.sends.at(-1)?.event['steered'], [{ runId: 'r3', ref: 'b:r3' }])
})

test('QM3 collect waits until nobody writes, then answers all of one place in one run', () => {
  const waiting = [said('r1', COLLECT), said('r2', COLLECT), said('r3', COLLECT)]
  const quiet = given('session', waiting).when(finished('r1'))
  const due = given('session', [...waiting, finished('r1')]).when({
    type: 'queue.due',
    at: 4_500,
  })

  assert.is(quiet.value, 'gathering')
  assert.equal(
    quiet.waits.map(({ id, dueAt }) => [id, dueAt]),
    [['gather', 4_500]],
  )
  assert.equal(told(due), ['run.requested run:r3'])
  assert.equal(due.sends[0]?.event['merged'], [{ runId: 'r2' }])
  assert.equal(
    contextOf(due).history.map(({ ref, runId }) => `${ref} ${runId}`),
    ['b:r1 r1', 'b:answer-r1 r1', 'b:r2 r3', 'b:r3 r3'],
  )
})

test('QM4 collect does not wait where it is quiet already, nor for another place behind it', () => {
  const one = [said('r1', COLLECT), said('r2', COLLECT)]
  const late = given('session', [said('r1', BRIEFLY), said('r2', BRIEFLY)]).when(finished('r1'))
  const other = [...one, said('r3', COLLECT, { route: room })]
  const drained = given('session', other).when(finished('r1'))
  const joined = given('session', [...one, finished('r1')]).when(said('r3', STEER))

  assert.equal(told(late).slice(1), ['run.requested run:r2'])
  assert.equal(told(drained).slice(1), ['run.requested run:r2'])
  assert.equal(told(joined), ['run.requested run:r2'])
  assert.is(joined.value, 'running')
})

test('QM5 interrupt lets go of the run in hand and begins; what waited still waits', () => {
  const step = given('session', [said('r1', STEER), said('r2', STEER)]).when(said('r3', INTERRUPT))

  assert.equal(told(step), ['run.aborted run:r1', 'run.requested run:r3'])
  assert.equal([contextOf(step).current?.runId, contextOf(step).queue.length], ['r3', 1])
  assert.equal(endsOf(said('r3', INTERRUPT), step.sends), [['r1', 'aborted', undefined]])
})

const two = (drop: QueuePolicy['drop']): QueuePolicy => ({
  mode: 'followup',
  debounceMs: 0,
  cap: 2,
  drop,
})

test('QM6 above the cap the oldest makes room, and who wrote it is told', () => {
  const full = ['r1', 'r2', 'r3'].map((id) => said(id, two('old')))
  const step = given('session', full).when(said('r4', two('old')))

  assert.equal(told(step), ['run.aborted run:r2', 'delivery.requested delivery:dropped-r2'])
  assert.equal(step.sends[1]?.event['phrase'], { id: 'queue.dropped', facts: { cap: 2 } })
  assert.equal(
    contextOf(step).queue.map(({ runId }) => runId),
    ['r3', 'r4'],
  )
})

test('QM7 summarize keeps the beginning of what makes room, in the next run of its place', () => {
  const policy = two('summarize')
  const full = ['r1', 'r2', 'r3'].map((id) => said(id, policy))
  const step = given('session', full).when(said('r4', policy))
  const next = given('session', [...full, said('r4', policy)]).when(finished('r1'))

  assert.equal(told(step), [])
  assert.equal(next.sends[1]?.event['merged'], [{ runId: 'r2' }])
  assert.equal(
    contextOf(next)
      .history.slice(2)
      .map(({ ref, brief }) => [ref, brief]),
    [
      ['b:r2', true],
      ['b:r3', undefined],
    ],
  )
})

test('QM8 summarize drops, and tells, where nobody of its place waits or one run would carry too many', () => {
  const policy = two('summarize')
  const elsewhere = [said('r1', policy), said('r2', policy), said('r3', policy, { route: room })]
  const step = given('session', elsewhere).when(said('r4', policy, { route: room }))
  const flood = Array.from({ length: limits.mergedMessagesMax + 3 }, (_, n) =>
    said(`f${n}`, policy),
  )
  const crowded = given('session', flood).when(said('last', policy))

  assert.equal(told(step)[1], 'delivery.requested delivery:dropped-r2')
  assert.ok(crowded.sends.length > 0)
  assert.is(contextOf(crowded).queue.length, 2)
})

test('QM9 drop new refuses a client at the cap, never what a channel has admitted', () => {
  const full = ['r1', 'r2', 'r3'].map((id) => said(id, two('new')))
  const client = given('session', full).when(
    said('r4', two('new'), { channel: null, route: null, peer: null }),
  )
  const channel = given('session', full).when(said('r4', two('new')))

  assert.is(client.ignored, 'refused')
  assert.equal([channel.ignored, contextOf(channel).queue.length], [null, 3])
})

const aborted = (runId: string | null): JournalEvent => ({
  type: 'session.aborted',
  sessionKey: 'agent:main:main',
  runId,
  by: 'dev',
})

test('QM10 an abort while it gathers ends one, or all', () => {
  const gathering = [said('r1', COLLECT), said('r2', COLLECT), said('r3', COLLECT), finished('r1')]
  const one = given('session', gathering).when(aborted('r2'))
  const all = given('session', gathering).when(aborted(null))
  const none = given('session', gathering).when(aborted('r9'))

  assert.equal([one.value, told(one)], ['gathering', ['run.aborted run:r2']])
  assert.equal([all.value, told(all)], ['idle', ['run.aborted run:r2', 'run.aborted run:r3']])
  assert.is(none.ignored, 'refused')
})

test('QM11 an abort by the name of a merged message ends the run that answers it', () => {
  const merged = [
    ...['r1', 'r2', 'r3'].map((id) => said(id, COLLECT)),
    finished('r1'),
    { type: 'queue.due' },
  ]
  const step = given('session', merged).when(aborted('r2'))

  assert.equal([step.value, told(step)], ['idle', ['run.aborted run:r2', 'run.aborted run:r3']])
})

test('QM12 an idle session waits for its expiry and begins anew; a busy one waits for its end first', () => {
  const expiry = { at: 9_000, reason: 'idle', zone: 'UTC', offsetMinutes: 0 }
  const busy = given('session', []).when(said('r1', STEER, { expiry }))
  const idle = given('session', [said('r1', STEER, { expiry })]).when(finished('r1'))
  const wait = idle.waits[0]
  const over = given('session', [said('r1', STEER, { expiry }), finished('r1')]).when({
    type: 'session.reset',
    sessionKey: 'agent:main:main',
    generation: 1,
    reason: 'idle',
    by: '',
  })

  assert.equal(busy.waits, [])
  assert.equal([wait?.id, wait?.dueAt], ['expire', 9_000])
  assert.equal([over.value, contextOf(over).generation, contextOf(over).history], ['idle', 1, []])
})

test.run()
