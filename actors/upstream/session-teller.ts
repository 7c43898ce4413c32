/**
 * Sessions as upstream's clients follow them: `session.message` for each message, `sessions.changed`
 * for whatever else a list shows. Only to those who asked for them.
 */
import { streamName } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { agentOf, DEFAULT_AGENT_ID } from '../../protocol/session-key.ts'
import { whenFolded } from '../methods/sessions.ts'
import type { MethodHouse } from '../methods/house.ts'
import { messageAdded } from '../transcript.ts'
import type { Feed, Teller } from './feed.ts'
import { formatMessage, formatSession } from './rows.ts'

const REASONS: Readonly<Record<string, string>> = {
  'message.accepted': 'send',
  'run.finished': 'agent.input.settled',
  'message.filed': 'send',
  'message.injected': 'inject',
  'session.created': 'create',
  'session.patched': 'patch',
  'session.reset': 'reset',
  'session.deleted': 'delete',
  'session.aborted': 'abort',
}

/** Makes the teller of sessions. */
export function sessionTeller(house: MethodHouse): Teller {
  return (record, feed) => {
    const reason = REASONS[record.event.type]
    if (reason === undefined || !record.stream.startsWith('session:')) return
    const key = streamName(record.stream)
    if (!feed.hasFollowers(key)) return
    // Lists show it a moment later; what is told must not be older than what is read.
    whenFolded(house, record.position)
      .then(() => tell(house, feed, { record, key, reason }))
      .catch((error: unknown) =>
        house.services.log.error('session not told', { key, error: String(error) }),
      )
  }
}

interface Told {
  readonly record: JournalRecord
  readonly key: string
  readonly reason: string
}

function tell(house: MethodHouse, feed: Feed, { record, key, reason }: Told): void {
  const agentId = agentOf(key) ?? DEFAULT_AGENT_ID
  const session = formatSession(house, key)
  const added = messageAdded(house, record)
  if (added !== null) {
    const ids = { messageId: added.id, messageSeq: added.seq }
    const message = formatMessage(added)
    feed.toFollowers(key, 'session.message', { sessionKey: key, agentId, message, ...ids, session })
  }
  const ts = record.at
  feed.toFollowers(key, 'sessions.changed', { sessionKey: key, agentId, reason, ts, session })
}
