/**
 * `agent`: a message for a session, from a client. Step 4 of 8.
 *
 * Answered when the message is on disk; the answer of the model follows as events. A full queue is
 * told before anything is accepted.
 */
import type { MessageAccepted } from '../../machines/session.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { streamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { canonicalSessionKey } from '../../protocol/session-key.ts'
import { draftText } from '../bodies.ts'
import { markRequest } from '../idempotency.ts'
import type { Handler, MethodHouse } from './house.ts'

/** Accepts a message; `{ runId, sessionKey, status, position }`. */
export const agent: Handler<'agent'> = async (house, params, { caller, cause, correlationId }) => {
  const { idempotency, registry, services } = house
  const { config } = house.configuration.live
  const sessionKey = canonicalSessionKey(params.sessionKey)
  const { idempotencyKey } = params
  const owner = caller.admission.deviceId
  const mark =
    idempotencyKey === undefined ? null : markRequest(owner, idempotencyKey, 'agent', params)
  const record = await idempotency.once(mark, params.message, () => {
    assertRoom(house, sessionKey)
    const body = draftText(services.chance, params.message)
    const runId = services.chance.id()
    if (params.verbose === true) caller.watch(runId)
    const event = {
      type: 'message.accepted',
      sessionKey,
      messageId: runId,
      runId,
      ref: body.ref,
      channel: null,
      peer: null,
      sender: null,
      route: null,
      model: config.agent.model.primary,
      thinking: params.thinking ?? 'off',
      messagesMax: config.session.maxMessages,
      ...(mark === null ? {} : { idempotency: mark }),
    } satisfies Omit<MessageAccepted, 'at'>
    const message = { event, cause, correlationId, bodies: [body] }
    return registry.offer(streamId('session', sessionKey), message)
  })
  return acceptedResult(record)
}

/** Asks a run to end; `{ runId, position, aborted }`. */
export const agentAbort: Handler<'agent.abort'> = async (house, { runId }, origin) => {
  const stream = streamId('run', runId)
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

function acceptedResult({ event, position, ignored }: JournalRecord): unknown {
  const { runId, sessionKey } = event as unknown as MessageAccepted
  if (ignored !== null) throw queueFull(sessionKey)
  return { runId, sessionKey, status: 'accepted', position }
}

function assertRoom({ work }: MethodHouse, sessionKey: string): void {
  const pending = work.sessions.get(sessionKey)?.pending ?? 0
  if (pending > limits.sessionQueueMax) throw queueFull(sessionKey)
}

function queueFull(sessionKey: string): GatewayError {
  const text = `${sessionKey}: ${limits.sessionQueueMax} messages are queued already, try again later`
  return new GatewayError('UNAVAILABLE', text, { sessionKey })
}
