/** One job, step by step: planned, due, run, and what becomes of times that were missed. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CronContext } from '../../machines/cron.ts'
import { kinds } from '../../machines/kinds.ts'
import { formatValue } from '../../machines/step.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'

const cron = suite('cron')
const { stepper, waits } = kinds.cron
const AT = 1_800_000_000_000
const HOUR = 3_600_000
const EVERY = { kind: 'every', everyMs: HOUR, anchorMs: AT }
const FACTS = {
  ref: 'b:1',
  schedule: EVERY as object,
  sessionKey: 'agent:main:main',
  fresh: false,
  route: null,
  wakeMode: 'now',
  enabled: true,
  deleteAfterRun: false,
}

const created = (changes: object = {}) => ({
  type: 'job.created',
  jobId: 'j',
  facts: { ...FACTS, ...changes },
  by: 'd',
})
const planned = (attempt: number, nextAt: number | null) => ({
  type: 'effect.done',
  effect: '1.e0',
  name: 'cron.plan',
  attempt,
  nextAt,
  zone: 'Europe/Berlin',
  offsetMinutes: 60,
})
const ran = (attempt: number, status = 'ok') => ({
  type: 'effect.done',
  effect: '1.e0',
  name: 'cron.run',
  attempt,
  runKey: 'k',
  status,
  runId: 'r',
  fault: status === 'ok' ? '' : 'rate',
  replyRef: 'b:2',
  startedAt: AT,
})
const due = (dueAt: number) => ({ type: 'job.due', dueAt })

function fold(...events: readonly (JournalEvent | [JournalEvent, number])[]) {
  let snapshot = stepper.initial
  let ignored: string | null = null
  let effects: readonly { name: string; params: Readonly<Record<string, unknown>> }[] = []
  for (const given of events) {
    const [event, at] = Array.isArray(given) ? given : [given, AT]
    const stepped = stepper.step(snapshot, event, at)
    ;({ ignored, effects } = stepped)
    snapshot = stepped.snapshot
  }
  const context = snapshot.context as CronContext
  return { value: formatValue(snapshot), context, ignored, effects, waits: waits(snapshot) }
}

const NEXT = AT + HOUR

cron('CR1 a new job asks the calendar, and waits for what it says', () => {
  const asks = fold(created())
  const waiting = fold(created(), planned(1, NEXT))

  assert.equal(asks.effects, [
    { name: 'cron.plan', params: { schedule: EVERY, after: AT, dueAt: 0, attempt: 1 } },
  ])
  assert.is(waiting.value, 'waiting')
  assert.equal([waiting.context.zone, waiting.context.offsetMinutes], ['Europe/Berlin', 60])
  assert.equal(waiting.waits, [{ id: 'due', dueAt: NEXT, event: { type: 'job.due', dueAt: NEXT } }])
  assert.is(fold(created({ enabled: false })).value, 'disabled')
  assert.is(fold(created(), planned(1, null)).value, 'spent')
})

cron('CR2 when it is due it runs, and is planned anew when it has ended', () => {
  const running = fold(created(), planned(1, NEXT), [due(NEXT), NEXT])
  const after = fold(created(), planned(1, NEXT), [due(NEXT), NEXT], [ran(2), NEXT + 5])

  assert.equal([running.value, running.waits], ['running', []])
  assert.equal(running.effects, [
    {
      name: 'cron.run',
      params: {
        jobId: 'j',
        ref: 'b:1',
        sessionKey: 'agent:main:main',
        fresh: false,
        route: null,
        runKey: `cron:j:${NEXT}`,
        attempt: 2,
      },
    },
  ])
  assert.is(after.value, 'planning')
  assert.equal(after.effects[0]?.params, {
    schedule: EVERY,
    after: NEXT + 5,
    dueAt: NEXT,
    attempt: 3,
  })
  assert.equal(
    [after.context.run?.status, after.context.run?.endedAt, after.context.runs],
    ['ok', NEXT + 5, 1],
  )
})

cron('CR3 a run that failed counts, and the job goes on', () => {
  const base = [created(), planned(1, NEXT), due(NEXT)] as const
  const failed = fold(...base, ran(2, 'error'))
  const broken = fold(...base, {
    type: 'effect.failed',
    effect: '1.e0',
    name: 'cron.run',
    attempt: 2,
    class: 'internal',
    retryable: false,
    retryAfterMs: null,
    random: 0,
  })

  for (const { value, context } of [failed, broken]) {
    assert.equal([value, context.errors, context.run?.status], ['planning', 1, 'error'])
  }
})

cron('CR4 PR34 a run whose process ended is tried again under the same mark', () => {
  const lost = { type: 'effect.lost', effect: '1.e0', name: 'cron.run', attempt: 2, started: false }

  const again = fold(created(), planned(1, NEXT), due(NEXT), lost)

  assert.is(again.value, 'running')
  assert.equal(
    [again.effects[0]?.params['runKey'], again.effects[0]?.params['attempt']],
    [`cron:j:${NEXT}`, 3],
  )
  assert.is(fold(created(), planned(1, NEXT), due(NEXT), lost, ran(2)).ignored, 'refused')
})

cron(
  'CR5 PR34 a time that was missed is made up for once, unless it is more than a day ago',
  () => {
    const late = NEXT + limits.cronMissedMsMax
    const missed = fold(created(), planned(1, NEXT), [due(NEXT), late])
    const old = fold(created(), planned(1, NEXT), [due(NEXT), late + 1])
    const once = { schedule: { kind: 'at', atMs: NEXT } }
    const rather = fold(created(once), planned(1, NEXT), [due(NEXT), late + 30 * 24 * HOUR])

    assert.is(missed.value, 'running')
    assert.equal(
      [old.value, old.context.run?.status, old.context.skipped, old.effects[0]?.name],
      ['planning', 'skipped', 1, 'cron.plan'],
    )
    assert.is(rather.value, 'running', 'a reminder comes late rather than never')
  },
)

cron('CR6 PR34 it never runs twice at a time, and a stale time is refused', () => {
  const running = [created(), planned(1, NEXT), due(NEXT)] as const

  assert.is(fold(...running, { type: 'job.called', by: 'd' }).ignored, 'unhandled')
  assert.is(fold(created(), planned(1, NEXT), due(NEXT - 1)).ignored, 'refused')
  assert.is(fold(...running, ran(1)).ignored, 'refused')
})

cron('CR7 a job that is off runs when it is called, and stays off', () => {
  const off = created({ enabled: false })
  const called = fold(off, [{ type: 'job.called', by: 'd' }, AT + 7])

  assert.equal(
    [called.value, called.effects[0]?.params['runKey']],
    ['running', `manual:j:${AT + 7}`],
  )
  assert.is(fold(off, { type: 'job.called', by: 'd' }, ran(1)).value, 'disabled')
})

cron('CR8 changes are planned anew; an answer of the plan before is refused', () => {
  const updated = { type: 'job.updated', facts: { ...FACTS, ref: 'b:9' }, by: 'd' }
  const off = { ...updated, facts: { ...FACTS, enabled: false } }

  const anew = fold(created(), updated)
  assert.equal([anew.value, anew.context.attempt, anew.context.facts.ref], ['planning', 2, 'b:9'])
  assert.is(fold(created(), updated, planned(1, NEXT)).ignored, 'refused')
  const stopped = fold(created(), planned(1, NEXT), off)
  assert.equal([stopped.value, stopped.waits, stopped.context.nextAt], ['disabled', [], 0])
  const meanwhile = fold(created(), planned(1, NEXT), due(NEXT), off, ran(2))
  assert.is(meanwhile.value, 'disabled')
})

cron('CR9 a job for once goes when it went well, and stays where it did not', () => {
  const once = created({ schedule: { kind: 'at', atMs: NEXT }, deleteAfterRun: true })

  assert.is(fold(once, planned(1, NEXT), due(NEXT), ran(2)).value, 'removed')
  assert.is(fold(once, planned(1, NEXT), due(NEXT), ran(2, 'error')).value, 'planning')
  const failed = [once, planned(1, NEXT), due(NEXT), ran(2, 'error'), planned(3, null)] as const
  assert.is(fold(...failed).value, 'spent')
  assert.is(fold(created(), { type: 'job.removed', by: 'd' }, created()).ignored, 'unhandled')
})

cron.run()
