/** How upstream's clients name a session: by key, by bare name, or by an id of their own. */
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import {
  agentOf,
  canonicalSessionKey,
  DEFAULT_AGENT_ID,
  MAIN_SESSION_KEY,
} from '../../protocol/session-key.ts'

interface Named {
  readonly sessionKey?: string | undefined
  readonly sessionId?: string | undefined
  readonly agentId?: string | undefined
}

/**
 * The canonical key of what is named; the main session where nothing is.
 * @throws {GatewayError} INVALID_REQUEST: no key, or of an agent that is not configured.
 */
export function keyNamed({ sessionKey, sessionId, agentId }: Named): string {
  const explicit = sessionId === undefined ? MAIN_SESSION_KEY : `agent:main:explicit:${sessionId}`
  const key = canonicalSessionKey(sessionKey ?? explicit)
  for (const name of [agentOf(key), agentId]) {
    if (name === undefined || name === null || name === DEFAULT_AGENT_ID) continue
    const text = `Agent ${quote(name)} no longer exists in configuration`
    throw new GatewayError('INVALID_REQUEST', text, { path: 'agentId' })
  }
  return key
}
