/** The recipe of a prompt: which entries of a session's history one of its runs shows to its model. */
import type { SessionContext } from '../session.ts'
import type { HistoryEntry } from '../session-events.ts'

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
