/** Upstream's methods about what models were asked for. Step 4 of 8. */
import type { UpstreamParams } from '../../../protocol/dialect/upstream/methods.ts'
import type { usageMethods } from '../../../protocol/dialect/upstream/methods/usage.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { streamId } from '../../../protocol/ids.ts'
import { limits } from '../../../protocol/limits.ts'
import { parseRecord } from '../../../protocol/record.ts'
import { endedRuns } from '../../../protocol/runs.ts'
import { sessionIdOf } from '../../../protocol/session-id.ts'
import { DEFAULT_AGENT_ID } from '../../../protocol/session-key.ts'
import { readTranscript } from '../../transcript.ts'
import type { Handlers, UpstreamHouse } from '../house.ts'
import { keyNamed } from '../keys.ts'
import { formatSession, usageOf } from '../rows.ts'
import { listDays, readDays } from '../usage-days.ts'
import { formatAggregates, formatSessionUsage, formatTotals, group } from '../usage-report.ts'
import { type Found, scanUsage } from '../usage-scan.ts'

export const usageHandlers: Handlers<typeof usageMethods> = {
  'usage.cost': readCost,
  // No provider that is spoken to here tells how much of a subscription is left.
  'usage.status': ({ services }) => ({ updatedAt: services.clock.now(), providers: [] }),
  'sessions.usage': readSessions,
  'sessions.usage.timeseries': readSeries,
  'sessions.usage.logs': async (house, { key: named, agentId, limit }) => {
    const key = knownKey(house, named, agentId)
    const asked = { key, limit: limit ?? limits.transcriptPageDefault, maxChars: LOG_CHARS }
    const { messages } = await readTranscript(house, asked)
    return {
      logs: messages.map(({ role, text: content, ts: timestamp, usage }) => ({
        timestamp,
        role,
        content,
        ...(usage === undefined ? {} : { tokens: usageOf(usage).totalTokens, cost: 0 }),
      })),
    }
  },
}

const LOG_CHARS = 2_000 // Upstream's; what is longer is cut.
const CACHE = { status: 'fresh', cachedFiles: 0, pendingFiles: 0, staleFiles: 0 }

async function readCost(
  { store, services }: UpstreamHouse,
  asked: UpstreamParams<'usage.cost'>,
): Promise<unknown> {
  const updatedAt = services.clock.now()
  const days = readDays(asked, updatedAt)
  const { turns } = await scanUsage(store, days)
  const byDay = group(turns, ({ day }) => day)
  const daily = listDays(days).map((date) => ({ date, ...formatTotals(byDay.get(date) ?? []) }))
  const totals = formatTotals(turns)
  return { updatedAt, days: daily.length, daily, totals, cacheStatus: CACHE }
}

async function readSessions(
  house: UpstreamHouse,
  asked: UpstreamParams<'sessions.usage'>,
): Promise<unknown> {
  const { key: named, agentId, agentScope, limit = 50 } = asked
  if (agentScope === 'all' && (named !== undefined || agentId !== undefined)) {
    const text = 'agentScope=all cannot be combined with key or agentId'
    throw new GatewayError('INVALID_REQUEST', text, { path: 'agentScope' })
  }
  const only = named === undefined ? null : knownKey(house, named, agentId)
  if (agentId !== undefined) keyNamed({ agentId })
  const updatedAt = house.services.clock.now()
  const days = readDays(asked, updatedAt)
  const found = await scanUsage(house.store, days, only)
  const channelOf = (key: string) => house.work.sessions.get(key)?.channel ?? null
  return {
    updatedAt,
    startDate: days.first,
    endDate: days.last,
    sessions: rowsOf(house, found, Math.min(limit, limits.sessionListMax)),
    totals: formatTotals(found.turns),
    aggregates: formatAggregates(found, { agentId: DEFAULT_AGENT_ID, channelOf }),
    creatorOptions: [],
    cacheStatus: CACHE,
  }
}

// The newest first; only those that are shown are put into words.
function rowsOf(house: UpstreamHouse, { questions, turns, tools }: Found, limit: number): object[] {
  const newest = new Map<string, number>() // by session, in ms since epoch
  for (const { key, at } of [...questions, ...turns, ...tools]) {
    newest.set(key, Math.max(at, newest.get(key) ?? 0))
  }
  const updatedAtOf = (key: string, last: number) => house.work.sessions.get(key)?.updatedAt ?? last
  const shown = [...newest]
    .map(([key, last]) => ({ key, updatedAt: updatedAtOf(key, last) }))
    .sort((a, b) => b.updatedAt - a.updatedAt || (a.key < b.key ? -1 : 1))
    .slice(0, limit)
  const asked = group(questions, ({ key }) => key)
  const ended = group(turns, ({ key }) => key)
  const called = group(tools, ({ key }) => key)
  return shown.map(({ key, updatedAt }) => {
    const usage = formatSessionUsage({
      questions: asked.get(key) ?? [],
      turns: ended.get(key) ?? [],
      tools: called.get(key) ?? [],
    })
    return formatRow(house, { key, updatedAt, usage })
  })
}

interface UsageRow {
  readonly key: string
  readonly updatedAt: number
  readonly usage: object
}

// One that was deleted has its usage, and nothing else any more.
function formatRow(house: UpstreamHouse, { key, updatedAt, usage }: UsageRow): object {
  const { sessionId, ...session } = formatSession(house, key)
  const { label, channel, chatType, modelProvider, model } = session
  const shown = { label, channel, chatType, modelProvider, model }
  return {
    key,
    sessionId,
    scope: 'instance',
    agentId: DEFAULT_AGENT_ID,
    updatedAt,
    ...Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined)),
    usage,
    hasContextWeight: false,
  }
}

// Of the session's life of now: a reset begins with nothing.
function readSeries(
  house: UpstreamHouse,
  { key: named, agentId }: UpstreamParams<'sessions.usage.timeseries'>,
): unknown {
  const key = knownKey(house, named, agentId)
  const { store, work } = house
  const stream = streamId('session', key)
  let points: Point[] = []
  for (const stored of store.stream(stream, firstVersion(store.version(stream)))) {
    const record = parseRecord(stored, stored.fields)
    if (record.event.type === 'session.reset' && record.ignored === null) points = []
    for (const { status, ...tokens } of endedRuns(record)) {
      if (status === 'done') points.push({ timestamp: record.at, ...usageOf(tokens), cost: 0 })
    }
  }
  const sessionId = sessionIdOf(key, work.sessions.get(key)?.generation ?? 0)
  let cumulativeTokens = 0
  return {
    sessionId,
    points: gathered(points).map((point) => {
      cumulativeTokens += point.totalTokens
      return { ...point, cumulativeTokens, cumulativeCost: 0 }
    }),
  }
}

type Point = ReturnType<typeof usageOf> & { readonly timestamp: number; readonly cost: number }

// A curve has so many points; each stands for as many answers, at the time of the last.
function gathered(points: readonly Point[]): Point[] {
  const step = Math.ceil(points.length / limits.usagePointsMax)
  const buckets: Point[] = []
  for (const [index, point] of points.entries()) {
    const bucket = buckets.at(-1)
    if (bucket === undefined || index % step === 0) {
      buckets.push(point)
      continue
    }
    const inputTokens = bucket.input + point.input
    const outputTokens = bucket.output + point.output
    const { timestamp } = point
    buckets[buckets.length - 1] = { timestamp, ...usageOf({ inputTokens, outputTokens }), cost: 0 }
  }
  return buckets
}

const firstVersion = (version: number) => Math.max(1, version - limits.usageRecordsMax)

function knownKey({ work }: UpstreamHouse, named: string, agentId: string | undefined): string {
  const key = keyNamed({ sessionKey: named, agentId })
  if (work.sessions.has(key)) return key
  throw new GatewayError('INVALID_REQUEST', 'Invalid session key: no such session', { path: 'key' })
}
