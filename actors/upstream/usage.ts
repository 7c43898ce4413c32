/**
 * What models were asked for, day by day: tokens from the ends of runs in the journal. What they
 * cost is not known here, so every answer counts as one without a price.
 */
import { endedRuns } from '../../protocol/runs.ts'
import { limits } from '../../protocol/limits.ts'
import { parseRecord } from '../../protocol/record.ts'
import type { MethodHouse } from '../methods/house.ts'

const DAY_MS = 86_400_000

interface Day {
  readonly date: string // UTC
  input: number
  output: number
  answers: number
}

/** The report of so many days, today the last; others are served meanwhile. */
export async function readUsage(
  { store, services }: Pick<MethodHouse, 'store' | 'services'>,
  count: number,
): Promise<unknown> {
  const now = services.clock.now()
  const first = Math.floor(now / DAY_MS) - count + 1
  const days: Day[] = Array.from({ length: count }, (_, index) => {
    const date = new Date((first + index) * DAY_MS).toISOString().slice(0, 10)
    return { date, input: 0, output: 0, answers: 0 }
  })
  const head = store.head().position
  const oldest = Math.max(1, head - limits.usageRecordsMax + 1)
  for (let to = head; to >= oldest; to -= limits.readTransactionRecordsMax) {
    const from = Math.max(oldest, to - limits.readTransactionRecordsMax + 1)
    const isPast = addRange(store, { from, to }, { days, first })
    if (isPast) break
    await new Promise<void>((turn) => {
      setImmediate(turn)
    })
  }
  const totals = days.reduce(
    (sum, { input, output, answers }) => ({
      input: sum.input + input,
      output: sum.output + output,
      answers: sum.answers + answers,
    }),
    { input: 0, output: 0, answers: 0 },
  )
  return {
    updatedAt: now,
    days: count,
    daily: days.map(({ date, ...sums }) => ({ date, ...formatSums(sums) })),
    totals: formatSums(totals),
    cacheStatus: { status: 'fresh', cachedFiles: 0, pendingFiles: 0, staleFiles: 0 },
  }
}

// True where the range began before the first day: what is before it counts no more.
function addRange(
  store: MethodHouse['store'],
  { from, to }: { from: number; to: number },
  { days, first }: { days: Day[]; first: number },
): boolean {
  let isPast = false
  for (const stored of store.range(from, to)) {
    const record = parseRecord(stored, stored.fields)
    const day = days[Math.floor(record.at / DAY_MS) - first]
    if (day === undefined) {
      isPast = true
      continue
    }
    for (const { inputTokens, outputTokens, status } of endedRuns(record)) {
      if (status !== 'done') continue
      day.input += inputTokens
      day.output += outputTokens
      day.answers += 1
    }
  }
  return isPast
}

function formatSums({ input, output, answers }: Omit<Day, 'date'>): Record<string, number> {
  const none = { cacheRead: 0, cacheWrite: 0, totalCost: 0, inputCost: 0, outputCost: 0 }
  const caches = { cacheReadCost: 0, cacheWriteCost: 0 }
  const totalTokens = input + output
  return { input, output, totalTokens, ...none, ...caches, missingCostEntries: answers }
}
