/**
 * The recipe of a prompt: which entries of a session's history one of its runs shows to its model.
 *
 * A function of two snapshots and the params of one call, so any prompt of the past can be made
 * again: by the driver when it calls, by `history prompt` when somebody asks.
 */
import type { ModelCallParams } from '../effects.ts'
import type { RunContext } from '../run.ts'
import type { SessionContext } from '../session.ts'
import type { HistoryEntry } from '../session-events.ts'
import { hashOf } from './history.ts'

/** What of a call names its entries. */
export type Recipe = Pick<ModelCallParams, 'runId' | 'entries' | 'leftOut'>

/** Lists the entries of a call's prompt; empty where its message has left the kept history. */
export function promptEntries(
  session: Pick<SessionContext, 'history'>,
  run: Pick<RunContext, 'entries'>,
  { runId, entries: count = 0, leftOut = 0 }: Recipe,
): HistoryEntry[] {
  const said = promptOf(session, runId)
  if (said === null) return []
  const summary = leftOut > 0 && said[0]?.role === 'summary' ? said.slice(0, 1) : []
  const shown = leftOut > 0 ? fromQuestion(said.slice(leftOut)) : said
  return [...summary, ...shown, ...(run.entries?.slice(0, count) ?? [])]
}

// A history that was shortened meanwhile is cut elsewhere; a result never stands without its call.
function fromQuestion(entries: readonly HistoryEntry[]): readonly HistoryEntry[] {
  return entries.slice(
    Math.max(
      0,
      entries.findIndex(({ role }) => role === 'user'),
    ),
  )
}

/** Names the entries of a prompt, as the outcome of its call records them. */
export function promptFacts(entries: readonly HistoryEntry[]): {
  promptEntries: number
  promptHash: string
} {
  return { promptEntries: entries.length, promptHash: hashOf(entries) }
}

/**
 * Reads the prompt of a run off its session: the history up to the run's own message, or null
 * where the run has not begun or its message has left the kept history.
 */
export function promptOf(
  { history }: Pick<SessionContext, 'history'>,
  runId: string,
): readonly HistoryEntry[] | null {
  const index = history.findLastIndex((entry) => entry.role === 'user' && entry.runId === runId)
  return index === -1 ? null : history.slice(0, index + 1)
}
