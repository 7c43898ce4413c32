/** Methods that only read: sessions and their messages, ends of runs; and the change of a subscription. */
import type { SessionRow } from '../../machines/projections/sessions.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { MethodParams } from '../../protocol/methods.ts'
import { canonicalSessionKey } from '../../protocol/session-key.ts'
import { readTranscript } from '../transcript.ts'
import { findRun, waitForRun } from './find-run.ts'
import type { Handler, MethodHouse } from './house.ts'

/** A page of sessions. */
export interface SessionList {
  readonly rows: readonly SessionRow[]
  readonly total: number // that fit, on all pages
  readonly nextOffset: number | null // null: this is the last page
}

/** Lists the sessions that fit, the newest first. */
export function listSessions(
  { work, services }: Pick<MethodHouse, 'work' | 'services'>,
  { limit, offset = 0, ...wanted }: MethodParams<'sessions.list'>,
): SessionList {
  const now = services.clock.now()
  const found = [...work.sessions.values()].filter((row) => fits(row, wanted, now))
  found.sort((a, b) => b.lastMessageAt - a.lastMessageAt || (a.key < b.key ? -1 : 1))
  const end = limit === undefined ? found.length : offset + limit
  const nextOffset = end < found.length ? end : null
  return { rows: found.slice(offset, end), total: found.length, nextOffset }
}

function fits(
  { key, peer, facts, lastMessageAt }: SessionRow,
  { search, archived, activeMinutes, label }: MethodParams<'sessions.list'>,
  now: number,
): boolean {
  if (archived !== undefined && archived !== (facts.archived === true)) return false
  if (label !== undefined && facts.label !== label) return false
  if (activeMinutes !== undefined && lastMessageAt < now - activeMinutes * 60_000) return false
  if (search === undefined) return true
  const term = search.toLowerCase()
  return [key, peer, facts.label].some((text) => text?.toLowerCase().includes(term) === true)
}

/**
 * `{ sessions: [...] }`, newest first; every row has all seven fields. Who asks for a page is told
 * `total` and `nextOffset` too.
 */
export const sessionsList: Handler<'sessions.list'> = (house, params) => {
  const { rows, total, nextOffset } = listSessions(house, params)
  const isPage = params.limit !== undefined || params.offset !== undefined
  return { sessions: rows.map(formatRow), ...(isPage ? { total, nextOffset } : {}) }
}

function formatRow(row: SessionRow): Record<string, unknown> {
  return {
    key: row.key,
    channel: row.channel,
    peer: row.peer,
    model: row.model,
    created: new Date(row.createdAt).toISOString(),
    lastMessageAt: new Date(row.lastMessageAt).toISOString(),
    messageCount: row.messages,
  }
}

/** A page of a session's messages (`Transcript`). */
export const sessionsHistory: Handler<'sessions.history'> = (house, { key, ...page }) =>
  readTranscript(house, { key: canonicalSessionKey(key), ...page })

/** The end of a run (`RunEnd`), or `timeout`; `runId` may be the caller's own name of it. */
export const agentWait: Handler<'agent.wait'> = (house, { runId, timeoutMs }, { caller }) => {
  const run = findRun(house, { owner: caller.admission.deviceId, key: runId })
  if (run !== null) return waitForRun(house, run.runId, timeoutMs ?? limits.runWaitMsDefault)
  const text = `params.runId: no run ${quote(runId)} has been asked for`
  throw new GatewayError('NOT_FOUND', text, { path: 'runId' })
}

/** `{ subscribe, position }`: from now on these event types and no others. */
export const subscribe: Handler<'subscribe'> = async (_house, { events }, { caller, cause }) => {
  const { position } = await caller.subscribe(events, cause)
  return { subscribe: events, position }
}
