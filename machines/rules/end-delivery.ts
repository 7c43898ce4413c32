/**
 * What goes out over the route that was pinned with a message, when its run has ended: the answer,
 * or a notice that there will be none.
 *
 * A notice goes once in a while only: two bots that fail at each other must not talk for ever. A run
 * without a plan is of a journal of before, and its failure is told to nobody.
 */
import { streamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { SendParams } from '../effects.ts'
import type { RunFinished, SessionContext } from '../session.ts'

type Facts = Pick<SessionContext, 'current' | 'failureToldAt'>

/** The delivery that an end asks for, or null: there is no route, or nothing to say. */
export function endDelivery(session: Facts, event: RunFinished): SendParams | null {
  const { runId, ref, status, fault } = event
  const route = session.current?.route ?? null
  if (route === null) return null
  // `fileIn` is null: an answer is in the history as the run's, a notice is not the model's.
  if (status === 'done') return delivery(`reply-${runId}`, { ...route, ref, fileIn: null })
  if (!isFailureTold(session, event)) return null
  const notice = fault === 'budget' ? 'run.budget' : 'run.failed'
  return delivery(`notice-${runId}`, { ...route, ref: '', notice, fileIn: null })
}

/** Remembers when a failure was told; nothing where none is. */
export function failureMark(session: Facts, event: RunFinished): { failureToldAt?: number } {
  return isFailureTold(session, event) ? { failureToldAt: event.at } : {}
}

function isFailureTold(
  { current, failureToldAt = -Infinity }: Facts,
  { status, at }: RunFinished,
): boolean {
  if (current === null || current.plan === undefined || current.route === null) return false
  return status === 'failed' && at - failureToldAt >= limits.failureNoticeEveryMs
}

function delivery(deliveryId: string, facts: object): SendParams {
  const event = { type: 'delivery.requested', deliveryId, ...facts }
  return { to: streamId('delivery', deliveryId), event }
}
