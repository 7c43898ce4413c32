/**
 * The notice of a failure: a person who asked on a platform is told that no answer will come.
 *
 * Once in a while only: two bots that fail at each other must not talk for ever. A run without a plan
 * is of a journal of before, and tells nobody.
 */
import { limits } from '../../protocol/limits.ts'
import type { SendParams } from '../effects.ts'
import type { SessionContext } from '../session.ts'
import type { RunFinished } from '../session-events.ts'
import { say } from './session-sends.ts'

type Facts = Pick<SessionContext, 'current' | 'failureToldAt'>

/** What tells the channel of the run in hand that it failed; nothing where nobody is told. */
export function failureNotices(session: Facts, event: RunFinished): SendParams[] {
  const route = session.current?.route ?? null
  if (route === null || !isTold(session, event)) return []
  const id = event.fault === 'budget' ? 'run.budget' : 'run.failed'
  return [say({ ...route, deliveryId: `notice-${event.runId}` }, { id, facts: {} })]
}

/** Remembers when a failure was told; nothing where none is. */
export function failureMark(session: Facts, event: RunFinished): { failureToldAt?: number } {
  return isTold(session, event) ? { failureToldAt: event.at } : {}
}

function isTold({ current, failureToldAt = -Infinity }: Facts, event: RunFinished): boolean {
  if (current === null || current.plan === undefined || current.route === null) return false
  return event.status === 'failed' && event.at - failureToldAt >= limits.failureNoticeEveryMs
}
