/**
 * `agent`: a message for a session, from a client. Step 4 of 8.
 *
 * Answered when the message is on disk; the answer of the model follows as events.
 */
import type { MessageAccepted } from '../../machines/session-events.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { streamId } from '../../protocol/ids.ts'
import { canonicalSessionKey } from '../../protocol/session-key.ts'
import { markRequest } from '../idempotency.ts'
import { acceptMessage } from './accept.ts'
import type { Handler } from './house.ts'
import { abortRuns } from './sessions.ts'

/** Accepts a message; `{ runId, sessionKey, status, position }`. */
export const agent: Handler<'agent'> = async (house, params, origin) => {
  // How it waits for its turn is no part of what was asked for.
  const { queueMode, ...told } = params
  const { message: text, thinking, idempotencyKey, runKey, verbose } = told
  const { caller } = origin
  const owner = caller.admission.deviceId
  const request = {
    sessionKey: canonicalSessionKey(params.sessionKey),
    text,
    mark: idempotencyKey === undefined ? null : markRequest(owner, idempotencyKey, 'agent', told),
    begun: (runId: string) => {
      if (verbose === true) caller.watch(runId)
    },
    ...(thinking === undefined ? {} : { thinking }),
    ...(runKey === undefined ? {} : { runKey }),
    ...(queueMode === undefined ? {} : { queueMode }),
  }
  const { event, position } = await acceptMessage(house, request, origin)
  const { runId, sessionKey } = event as unknown as MessageAccepted
  return { runId, sessionKey, status: 'accepted', position }
}

/** Asks a run to end, also a queued one; `{ runId, position, aborted }`. */
export const agentAbort: Handler<'agent.abort'> = async (house, { runId }, origin) => {
  const stream = streamId('run', runId)
  const sessionKey = house.work.runs.get(runId)
  if (house.store.version(stream) === 0 && sessionKey !== undefined) {
    const { ended, position } = await abortRuns(house, { key: sessionKey, runId }, origin)
    return { runId, position, aborted: ended.length > 0 }
  }
  if (house.store.version(stream) === 0) {
    throw new GatewayError('NOT_FOUND', `params.runId: no run ${JSON.stringify(runId)} has begun`, {
      path: 'runId',
    })
  }
  const { caller, cause, correlationId } = origin
  const event = { type: 'run.aborted', by: caller.admission.deviceId }
  const { position, ignored } = await house.registry.deliver(stream, {
    event,
    cause,
    correlationId,
  })
  return { runId, position, aborted: ignored === null }
}
