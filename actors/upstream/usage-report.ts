/**
 * Reports of usage in upstream's shape: sums of tokens, messages and times, by session, day and
 * model. What they cost is not known here, so every answer counts as one without a price.
 */
import { partsOf } from './methods/models.ts'
import type { Found, Question, ToolMoment, Turn } from './usage-scan.ts'

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
export function formatSessionUsage(found: Found): Row {
  const { questions, turns, tools } = found
  const times = [...questions, ...turns, ...tools].map(({ at }) => at)
  const firstActivity = times.reduce((a, b) => Math.min(a, b), Infinity)
  const lastActivity = times.reduce((a, b) => Math.max(a, b), 0)
  const dates = datesOf(found)
  return {
    ...(times.length === 0
      ? {}
      : { firstActivity, lastActivity, durationMs: lastActivity - firstActivity }),
    activityDates: dates,
    dailyBreakdown: formatDaily(turns),
    dailyMessageCounts: dates.map((date) => ({ date, ...formatCounts(onDay(date, found)) })),
    dailyLatency: formatDailyLatency(turns),
    dailyModelUsage: formatDailyModels(turns),
    messageCounts: formatCounts(found),
    toolUsage: formatTools(tools),
    modelUsage: formatModels(turns),
    ...latencyOf(turns),
    ...formatTotals(turns),
  }
}

// The most used first.
function formatTools(moments: readonly ToolMoment[]) {
  const calls = moments.filter(({ phase }) => phase === 'asked')
  const tools = [...group(calls, ({ name }) => name)]
    .map(([name, own]) => ({ name, count: own.length }))
    .sort((a, b) => b.count - a.count)
  return { totalCalls: calls.length, uniqueTools: tools.length, tools }
}

/** What is beside the sessions themselves: sums over all of them. */
export function formatAggregates(
  found: Found,
  { agentId, channelOf }: { agentId: string; channelOf: (key: string) => string | null },
): Row {
  const { questions, turns, tools } = found
  const keys = new Set([...questions, ...turns, ...tools].map(({ key }) => key))
  const dates = datesOf(found)
  const byChannel = [...group(turns, ({ key }) => channelOf(key) ?? '')].filter(
    ([channel]) => channel !== '',
  )
  return {
    sessionCount: keys.size,
    messages: formatCounts(found),
    tools: formatTools(tools),
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
      const own = onDay(date, found)
      const { total, toolCalls, errors } = formatCounts(own)
      const tokens = formatTotals(own.turns).totalTokens
      return { date, tokens, cost: 0, messages: total, toolCalls, errors }
    }),
  }
}

function formatCounts({ questions, turns, tools }: Found) {
  const assistant = turns.filter(({ status }) => status === 'done').length
  const errors = turns.length - assistant
  const user = questions.length
  const toolCalls = tools.filter(({ phase }) => phase === 'asked').length
  const toolResults = tools.length - toolCalls
  return { total: user + assistant, user, assistant, toolCalls, toolResults, errors }
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

function datesOf({ questions, turns, tools }: Found): string[] {
  return [...new Set([...questions, ...turns, ...tools].map(({ day }) => day))].sort()
}

function onDay(date: string, { questions, turns, tools }: Found): Found {
  const isOn = ({ day }: Question): boolean => day === date
  return {
    questions: questions.filter(isOn),
    turns: turns.filter(isOn),
    tools: tools.filter(isOn),
  }
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
