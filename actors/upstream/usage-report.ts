/**
 * Reports of usage in upstream's shape: sums of tokens, messages and times, by session, day and
 * model. What they cost is not known here, so every answer counts as one without a price.
 */
import { partsOf } from './methods/models.ts'
import type { Found, Question, Turn } from './usage-scan.ts'

type Row = Readonly<Record<string, unknown>>

/** Sums of tokens; no price is known of any. */
export function formatTotals(turns: readonly Turn[]) {
  const answers = turns.filter(({ status }) => status === 'done')
  const input = sum(answers.map(({ inputTokens }) => inputTokens))
  const output = sum(answers.map(({ outputTokens }) => outputTokens))
  const prices = { totalCost: 0, inputCost: 0, outputCost: 0, cacheReadCost: 0, cacheWriteCost: 0 }
  const caches = { cacheRead: 0, cacheWrite: 0 }
  const missingCostEntries = answers.length
  return { input, output, ...caches, totalTokens: input + output, ...prices, missingCostEntries }
}

/** The usage of one session. */
export function formatSessionUsage({ questions, turns }: Found): Row {
  const times = [...questions, ...turns].map(({ at }) => at)
  const firstActivity = Math.min(...times)
  const lastActivity = Math.max(...times)
  const dates = datesOf({ questions, turns })
  return {
    ...(times.length === 0
      ? {}
      : { firstActivity, lastActivity, durationMs: lastActivity - firstActivity }),
    activityDates: dates,
    dailyBreakdown: formatDaily(turns),
    dailyMessageCounts: dates.map((date) => ({
      date,
      ...formatCounts({ questions: on(date, questions), turns: on(date, turns) }),
    })),
    dailyLatency: formatDailyLatency(turns),
    dailyModelUsage: formatDailyModels(turns),
    messageCounts: formatCounts({ questions, turns }),
    toolUsage: NO_TOOLS,
    modelUsage: formatModels(turns),
    ...latencyOf(turns),
    ...formatTotals(turns),
  }
}

const NO_TOOLS = { totalCalls: 0, uniqueTools: 0, tools: [] }

/** What is beside the sessions themselves: sums over all of them. */
export function formatAggregates(
  { questions, turns }: Found,
  { agentId, channelOf }: { agentId: string; channelOf: (key: string) => string | null },
): Row {
  const keys = new Set([...questions, ...turns].map(({ key }) => key))
  const dates = datesOf({ questions, turns })
  const byChannel = [...group(turns, ({ key }) => channelOf(key) ?? '')].filter(
    ([channel]) => channel !== '',
  )
  return {
    sessionCount: keys.size,
    messages: formatCounts({ questions, turns }),
    tools: NO_TOOLS,
    byModel: formatModels(turns),
    byProvider: [...group(turns, (turn) => namedBy(turn).provider)].map(([provider, own]) => ({
      provider,
      count: own.length,
      totals: formatTotals(own),
    })),
    byAgent: turns.length === 0 ? [] : [{ agentId, totals: formatTotals(turns) }],
    byChannel: byChannel.map(([channel, own]) => ({ channel, totals: formatTotals(own) })),
    byCreator: [], // Nobody is asked who he is.
    costDaily: formatDaily(turns),
    ...latencyOf(turns),
    dailyLatency: formatDailyLatency(turns),
    modelDaily: formatDailyModels(turns),
    daily: dates.map((date) => {
      const own = { questions: on(date, questions), turns: on(date, turns) }
      const { total, errors } = formatCounts(own)
      const tokens = formatTotals(own.turns).totalTokens
      return { date, tokens, cost: 0, messages: total, toolCalls: 0, errors }
    }),
  }
}

function formatCounts({ questions, turns }: Found) {
  const assistant = turns.filter(({ status }) => status === 'done').length
  const errors = turns.length - assistant
  const user = questions.length
  return { total: user + assistant, user, assistant, toolCalls: 0, toolResults: 0, errors }
}

function formatDaily(turns: readonly Turn[]): Row[] {
  return [...group(turns, ({ day }) => day)].map(([date, own]) => {
    const totals = formatTotals(own)
    return { date, tokens: totals.totalTokens, cost: 0, ...totals }
  })
}

function formatModels(turns: readonly Turn[]): Row[] {
  return [...group(turns, ({ model }) => model ?? '')].map(([, own]) => ({
    ...namedBy(own[0]),
    count: own.length,
    totals: formatTotals(own),
  }))
}

function formatDailyModels(turns: readonly Turn[]): Row[] {
  return [...group(turns, ({ day, model }) => `${day} ${model ?? ''}`)].map(([, own]) => ({
    date: own[0].day,
    ...namedBy(own[0]),
    tokens: formatTotals(own).totalTokens,
    cost: 0,
    count: own.length,
  }))
}

function formatDailyLatency(turns: readonly Turn[]): Row[] {
  return [...group(turns, ({ day }) => day)].flatMap(([date, own]) => {
    const { latency } = latencyOf(own)
    return latency === undefined ? [] : [{ date, ...latency }]
  })
}

// From the question to the end of its run.
function latencyOf(turns: readonly Turn[]) {
  const times = turns
    .flatMap(({ at, askedAt }) => (askedAt === null ? [] : [Math.max(0, at - askedAt)]))
    .sort((a, b) => a - b)
  const [minMs] = times
  const maxMs = times.at(-1)
  if (minMs === undefined || maxMs === undefined) return {}
  const p95Ms = times[Math.min(times.length - 1, Math.floor(times.length * 0.95))] ?? maxMs
  const avgMs = sum(times) / times.length
  return { latency: { count: times.length, avgMs, p95Ms, minMs, maxMs } }
}

function namedBy({ model }: Turn): { provider: string; model: string } {
  return model === null ? { provider: 'unknown', model: 'unknown' } : partsOf(model)
}

function datesOf({ questions, turns }: Found): string[] {
  return [...new Set([...questions, ...turns].map(({ day }) => day))].sort()
}

function on<T extends Question>(date: string, rows: readonly T[]): T[] {
  return rows.filter(({ day }) => day === date)
}

/** Gathers what has the same name, in the order of the names. */
export function group<T>(
  rows: readonly T[],
  nameOf: (row: T) => string,
): Map<string, readonly [T, ...T[]]> {
  const groups = new Map<string, [T, ...T[]]>()
  for (const row of rows) {
    const own = groups.get(nameOf(row))
    if (own === undefined) groups.set(nameOf(row), [row])
    else own.push(row)
  }
  return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
