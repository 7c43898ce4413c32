/** Methods that only read: sessions.list, and the change of a subscription. */
import type { SessionRow } from '../../machines/projections/open-work.ts'
import type { Handler } from './house.ts'

/** `{ sessions: [...] }`, newest first; every row has all seven fields. */
export const sessionsList: Handler<'sessions.list'> = ({ work }) => {
  const rows = [...work.sessions.values()]
  rows.sort((a, b) => b.lastMessageAt - a.lastMessageAt || (a.key < b.key ? -1 : 1))
  return { sessions: rows.map(formatRow) }
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

/** `{ subscribe, position }`: from now on these event types and no others. */
export const subscribe: Handler<'subscribe'> = async (_house, { events }, { caller, cause }) => {
  const { position } = await caller.subscribe(events, cause)
  return { subscribe: events, position }
}
