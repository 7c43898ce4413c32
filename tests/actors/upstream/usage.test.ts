/** Upstream's methods about usage: each once well and once refused; days and sums. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { listDays, readDays } from '../../../actors/upstream/usage-days.ts'
import { usageMethods } from '../../../protocol/dialect/upstream/methods/usage.ts'
import { cases } from '../../store/cases.ts'
import { inUpstream } from '../../support/upstream-client.ts'
import { runMethods, say } from '../../support/upstream-methods.ts'

type Json = Readonly<Record<string, unknown>>

const today = () => new Date().toISOString().slice(0, 10)
const list = (value: unknown) => value as Json[]

runMethods('usage', usageMethods, {
  'usage.cost': {
    well: async (boss) => {
      await say(boss, 'two words')
      const { days, daily, totals } = await boss.get('usage.cost', { days: 2 })
      assert.equal([days, list(daily).length], [2, 2])
      assert.equal((totals as Json)['missingCostEntries'], 1)
      assert.is(list(daily).at(-1)?.['date'], today())
    },
    bad: { days: 0 },
  },
  'usage.status': {
    well: async (boss) => {
      assert.equal((await boss.get('usage.status'))['providers'], [])
    },
    bad: null,
  },
  'sessions.usage': {
    well: async (boss) => {
      await say(boss, 'two words')
      const { sessions, totals, aggregates, startDate, endDate } = await boss.get(
        'sessions.usage',
        {
          startDate: today(),
          endDate: today(),
        },
      )
      assert.equal([startDate, endDate], [today(), today()])
      const [row, ...others] = list(sessions)
      assert.equal([row?.['key'], row?.['model'], others], ['agent:main:main', 'echo', []])
      const usage = row?.['usage'] as Json
      const { total, user, assistant } = usage['messageCounts'] as Json
      assert.equal([total, user, assistant], [2, 1, 1])
      assert.is(usage['totalTokens'], (totals as Json)['totalTokens'])
      const [model] = list((aggregates as Json)['byModel'])
      assert.equal([model?.['model'], model?.['count']], ['echo', 1])
      assert.equal(list((aggregates as Json)['daily'])[0]?.['messages'], 2)
      const past = { startDate: '2020-01-01', endDate: '2020-01-31' }
      assert.equal((await boss.get('sessions.usage', past))['sessions'], [])
      const one = await boss.get('sessions.usage', { key: 'main', range: 'all' })
      assert.is(list(one['sessions']).length, 1)
      for (const asked of [{ key: 'nowhere' }, { startDate: today() }, { agentId: 'other' }]) {
        assert.is((await boss.ask('sessions.usage', asked)).ok, false, JSON.stringify(asked))
      }
    },
    bad: { range: '2w' },
  },
  'sessions.usage.timeseries': {
    well: async (boss) => {
      await say(boss, 'one')
      const { points } = await boss.get('sessions.usage.timeseries', { key: 'main' })
      const [point] = list(points)
      assert.is(list(points).length, 1)
      assert.is(point?.['cumulativeTokens'], point?.['totalTokens'])
      await boss.get('sessions.reset', { key: 'main' })
      const after = await boss.get('sessions.usage.timeseries', { key: 'main' })
      assert.equal(after['points'], [])
      const { error } = await boss.ask('sessions.usage.timeseries', { key: 'nowhere' })
      assert.is(error?.message, 'Invalid session key: no such session')
    },
    bad: {},
  },
  'sessions.usage.logs': {
    well: async (boss) => {
      await say(boss, 'two words')
      const { logs } = await boss.get('sessions.usage.logs', { key: 'main', limit: 10 })
      assert.equal(
        list(logs).map(({ role, content }) => [role, content]),
        [
          ['user', 'say two words'],
          ['assistant', 'echo: say two words'],
        ],
      )
      assert.is(typeof list(logs)[1]?.['tokens'], 'number')
    },
    bad: { key: 'main', limit: 0 },
  },
})

const usage = cases('upstream usage')

const NIGHT = Date.UTC(2026, 2, 1, 23, 30) // half past eleven in London, and in Paris tomorrow

usage('UU1 a day is that of the zone that is asked for', () => {
  const dayIn = (asked: object) => readDays(asked, NIGHT).last
  assert.is(dayIn({}), '2026-03-01')
  assert.is(dayIn({ mode: 'specific', timeZone: 'Europe/Paris' }), '2026-03-02')
  assert.is(dayIn({ mode: 'specific', utcOffset: 'UTC+1' }), '2026-03-02')
  assert.is(dayIn({ mode: 'specific', utcOffset: 'UTC-12:00' }), '2026-03-01')
  assert.match(dayIn({ mode: 'gateway' }), /^2026-03-0[12]$/)
})

usage('UU1 days are counted over months and leap days, and their moments are within', () => {
  const days = readDays({ days: 3 }, NIGHT)
  assert.equal(listDays(days), ['2026-02-27', '2026-02-28', '2026-03-01'])
  assert.ok(days.since <= Date.UTC(2026, 1, 26, 10))
  assert.equal(listDays(readDays({ startDate: '2024-02-28', endDate: '2024-03-01' }, NIGHT)), [
    '2024-02-28',
    '2024-02-29',
    '2024-03-01',
  ])
  assert.is(readDays({ range: '7d' }, NIGHT).first, '2026-02-23')
})

usage('UU1 what is no day, zone or offset is refused by name', () => {
  const faultOf = (asked: object) => {
    try {
      readDays(asked, NIGHT)
      return ''
    } catch (thrown) {
      return (thrown as Error).message
    }
  }
  assert.match(faultOf({ startDate: '2026-02-30', endDate: '2026-03-01' }), /invalid startDate/)
  assert.match(faultOf({ startDate: '2026-03-02', endDate: '2026-03-01' }), /not be after/)
  assert.match(faultOf({ endDate: '2026-03-01' }), /together/)
  assert.match(faultOf({ mode: 'specific', timeZone: 'Mars/Olympus' }), /invalid timeZone/)
  assert.match(faultOf({ mode: 'specific', utcOffset: 'UTC+15' }), /invalid utcOffset/)
})

usage('UU2 sessions are told apart, and together they are the whole', () =>
  inUpstream(async ({ enter }) => {
    const boss = await enter()
    await say(boss, 'one')
    await boss.get('sessions.send', {
      key: 'agent:main:other',
      message: 'two',
      idempotencyKey: 'o',
    })
    await boss.event('chat', ({ runId, state }) => runId === 'o' && state === 'final')
    const { sessions, aggregates, totals } = await boss.get('sessions.usage')
    const rows = list(sessions)
    assert.equal(rows.map(({ key }) => String(key)).toSorted(), [
      'agent:main:main',
      'agent:main:other',
    ])
    const parts = rows.map(({ usage: own }) => Number((own as Json)['totalTokens']))
    assert.is(
      parts.reduce((sum, part) => sum + part, 0),
      (totals as Json)['totalTokens'],
    )
    assert.is((aggregates as Json)['sessionCount'], 2)
    const one = await boss.get('sessions.usage', { limit: 1 })
    assert.equal(list(one['sessions']), rows.slice(0, 1))
    assert.is(rows[0]?.['key'], 'agent:main:other', 'the newest is first')
    assert.is((one['aggregates'] as Json)['sessionCount'], 2)
  }),
)

usage.run()
