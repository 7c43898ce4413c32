/** What models have cost, by quarter of an hour; and a day in the zone of its host. */
import * as assert from 'uvu/assert'
import { spentDay } from '../../actors/day-budget.ts'
import {
  emptyOpenWork,
  restoreOpenWork,
  saveOpenWork,
} from '../../machines/projections/open-work.ts'
import { foldUsage, tokensSince, type Usage } from '../../machines/projections/usage.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'

const MIDNIGHT = new Date(2026, 10, 25).getTime()
const HOUR_MS = 3_600_000

function spent(at: number, inputTokens: number, changes: object = {}): JournalRecord {
  const event = {
    type: 'effect.done',
    name: 'model.call',
    inputTokens,
    outputTokens: 1,
    ...changes,
  }
  return { event, at } as unknown as JournalRecord
}

const usage = cases('usage')

usage('US1 tokens are summed since a moment', () => {
  const costs: Usage = new Map()
  foldUsage(costs, spent(MIDNIGHT - 1, 100))
  foldUsage(costs, spent(MIDNIGHT, 10))
  foldUsage(costs, spent(MIDNIGHT + HOUR_MS, 20))

  assert.is(tokensSince(costs, MIDNIGHT), 32)
  assert.is(tokensSince(costs, 0), 133)
})

usage('US2 what is no answer of a model costs nothing', () => {
  const costs: Usage = new Map()
  foldUsage(costs, spent(MIDNIGHT, 5, { name: 'message.deliver' }))
  foldUsage(costs, spent(MIDNIGHT, 5, { type: 'effect.failed' }))
  foldUsage(costs, spent(MIDNIGHT, NaN))

  assert.is(costs.size, 0)
})

usage('US3 only the last days are kept, and a checkpoint keeps them', () => {
  const work = emptyOpenWork()
  for (let index = 0; index < limits.usageQuartersMax + 5; index += 1) {
    foldUsage(work.usage, spent(index * limits.usageQuarterMs, 1))
  }
  const again = restoreOpenWork(structuredClone(saveOpenWork(work)))
  const { usage: _, ...old } = saveOpenWork(work) as Record<string, unknown>

  assert.is(work.usage.size, limits.usageQuartersMax)
  assert.equal([...(again?.usage ?? [])], [...work.usage])
  assert.is(restoreOpenWork(old)?.usage.size, 0)
})

usage('US4 a day is the host’s own, and yesterday is over at midnight', () => {
  const costs: Usage = new Map([
    [MIDNIGHT - limits.usageQuarterMs, 500],
    [MIDNIGHT + HOUR_MS, 40],
  ])
  const now = MIDNIGHT + 23 * HOUR_MS

  assert.is(spentDay(costs, now, null), null)
  assert.is(spentDay(costs, now, 41), null)
  const offsetMinutes = 0 - new Date(now).getTimezoneOffset()
  const day = { day: '2026-11-25', offsetMinutes, tokens: 40, tokensMax: 40 }
  assert.equal(spentDay(costs, now, 40), day)
  assert.is(spentDay(costs, MIDNIGHT - 1, 500)?.day, '2026-11-24')
})

usage.run()
