/** The calendar: next times, zones, summer time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { offsetOf, planNext } from '../../actors/cron-plan.ts'
import type { Schedule } from '../../machines/cron.ts'
import { toGatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'

const plan = suite('cron plan')
const at = (text: string): number => Date.parse(text)

async function next(schedule: Schedule, after: string, last = 0): Promise<string | null> {
  const { nextAt } = await planNext(schedule, at(after), last)
  return nextAt === null ? null : new Date(nextAt).toISOString()
}

const berlin = (expr: string): Schedule => ({ kind: 'cron', expr, tz: 'Europe/Berlin' })

plan('CR10 nine in the morning stays nine in the morning over summer time', async () => {
  const winter = await planNext(berlin('0 9 * * *'), at('2026-03-27T12:00:00Z'), 0)
  const summer = await planNext(berlin('0 9 * * *'), at('2026-03-28T12:00:00Z'), 0)

  assert.equal(winter, {
    nextAt: at('2026-03-28T08:00:00Z'),
    zone: 'Europe/Berlin',
    offsetMinutes: 60,
  })
  assert.equal(summer, {
    nextAt: at('2026-03-29T07:00:00Z'),
    zone: 'Europe/Berlin',
    offsetMinutes: 120,
  })
  assert.is(offsetOf('America/St_Johns', at('2026-01-01T00:00:00Z')), -210)
  assert.is(offsetOf('UTC', 0), 0)
})

plan('CR11 an hour that does not exist, or comes twice, makes one run', async () => {
  const gap = await next(berlin('30 2 * * *'), '2026-03-28T12:00:00Z')
  assert.ok(gap !== null && gap.startsWith('2026-03-29T0'), String(gap))
  const twice = await next(berlin('30 2 * * *'), '2026-10-24T12:00:00Z')
  assert.ok(twice !== null && twice.startsWith('2026-10-25T0'), String(twice))
  const behind = await next(berlin('30 2 * * *'), twice, at(twice))
  assert.ok(behind !== null && behind.startsWith('2026-10-26T'), String(behind))
})

plan('CR12 an interval keeps its anchor, whatever went by', async () => {
  const every: Schedule = { kind: 'every', everyMs: 60_000, anchorMs: at('2026-01-01T00:00:30Z') }

  assert.is(await next(every, '2026-01-01T00:00:30Z'), '2026-01-01T00:01:30.000Z')
  assert.is(await next(every, '2026-01-02T09:10:11Z'), '2026-01-02T09:10:30.000Z')
  assert.is(await next(every, '2025-01-01T00:00:00Z'), '2026-01-01T00:01:30.000Z')
})

plan('CR13 a time for once comes once', async () => {
  const once: Schedule = { kind: 'at', atMs: at('2026-01-01T00:00:00Z') }

  assert.is(await next(once, '2025-01-01T00:00:00Z'), '2026-01-01T00:00:00.000Z')
  assert.is(await next(once, '2026-01-01T00:00:01Z', once.atMs), null)
})

plan('CR14 nothing is due sooner than the shortest interval after the last', async () => {
  const seconds: Schedule = { kind: 'cron', expr: '* * * * * *', tz: 'UTC' }
  const last = at('2026-01-01T00:00:00Z')

  const { nextAt } = await planNext(seconds, last, last)

  assert.is(nextAt, last + limits.cronEveryMsMin)
})

plan(
  'CR15 what is no expression or no zone is refused by name; one that never comes has no time',
  async () => {
    const cases: [Schedule, string][] = [
      [{ kind: 'cron', expr: 'whenever', tz: null }, 'schedule.expr'],
      [{ kind: 'cron', expr: '99 * * * *', tz: null }, 'schedule.expr'],
      [{ kind: 'cron', expr: '0 9 * * *', tz: 'Atlantis/Capital' }, 'schedule.tz'],
    ]
    for (const [schedule, path] of cases) {
      const error = await planNext(schedule, 0, 0).then(() => null, toGatewayError)
      assert.equal([error?.code, error?.details['path']], ['INVALID_REQUEST', path])
    }
    assert.is(
      await next({ kind: 'cron', expr: '0 0 30 2 *', tz: 'UTC' }, '2026-01-01T00:00:00Z'),
      null,
    )
  },
)

plan.run()
