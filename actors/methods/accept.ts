/**
 * A message taken in for a session, whichever method and dialect brought it. Step 4 of 8.
 *
 * Resolves when the message is on disk; the answer of the model follows as events. A full queue is
 * told before anything is accepted.
 */
import type { QueueMode, QueuePolicy } from '../../machines/rules/queue.ts'
import type { IdempotencyMark, MessageAccepted, Route } from '../../machines/session-events.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { streamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { draftText } from '../bodies.ts'
import type { Origin } from '../caller.ts'
import { runDefaults } from '../intake.ts'
import { planRun } from '../run-plan.ts'
import type { MethodHouse } from './house.ts'

/** A message of a client and how it wants it answered. */
export interface MessageRequest {
  readonly sessionKey: string // canonical
  readonly text: string
  readonly model?: string // over the session's own and the configuration's
  readonly thinking?: string
  readonly runKey?: string // the client's own name of the run: at most limits.idempotencyKeyCharsMax
  readonly route?: Route | null // where the answer goes beside its session; null: nowhere
  readonly queueMode?: QueueMode | 'configured' // absent: a run of its own, in turn
  readonly mark: IdempotencyMark | null // null: every call is a message of its own
  /** Hears the id of the run before its record is written; not of a repeated request. */
  readonly begun?: (runId: string) => void
}

/**
 * Accepts a message; resolves with its record, or with that which its mark has made already.
 * @throws {GatewayError} UNAVAILABLE: the queue is full, nothing was written, or it was recorded as
 * refused; or as `Idempotency.once`.
 */
export async function acceptMessage(
  house: MethodHouse,
  request: MessageRequest,
  origin: Pick<Origin, 'cause' | 'correlationId'>,
): Promise<JournalRecord> {
  const { sessionKey, mark, text } = request
  const record = await house.idempotency.once(mark, text, () => offer(house, request, origin))
  if (record.ignored !== null) throw queueFull(sessionKey)
  return record
}

async function offer(
  house: MethodHouse,
  { sessionKey, text, mark, begun, ...asked }: MessageRequest,
  { cause, correlationId }: Pick<Origin, 'cause' | 'correlationId'>,
): Promise<JournalRecord> {
  const { live } = house.configuration
  const arriving = { sessionKey, channel: null, at: house.services.clock.now() }
  const row = house.work.sessions.get(sessionKey)
  const { queue: policy, ...defaults } = await runDefaults(house.configuration, row, arriving)
  const queue = queueFor(policy, asked.queueMode)
  assertRoom(house, sessionKey, queue)
  const body = draftText(house.services.chance, text)
  const runId = house.services.chance.id()
  begun?.(runId)
  const event = {
    type: 'message.accepted',
    sessionKey,
    messageId: runId,
    runId,
    ref: body.ref,
    channel: null,
    peer: null,
    sender: null,
    route: asked.route ?? null,
    ...defaults,
    bytes: body.bytes.length,
    ...(asked.model === undefined
      ? {}
      : { model: asked.model, plan: planRun(live.config, asked.model) }),
    ...(asked.thinking === undefined ? {} : { thinking: asked.thinking }),
    queue,
    ...(asked.runKey === undefined ? {} : { runKey: asked.runKey }),
    ...(mark === null ? {} : { idempotency: mark }),
  } satisfies Omit<MessageAccepted, 'at'>
  const message = { event, cause, correlationId, bodies: [body] }
  return house.registry.offer(streamId('session', sessionKey), message)
}

// Who asks for nothing is refused rather than that others make room.
function queueFor(policy: QueuePolicy, mode: MessageRequest['queueMode']): QueuePolicy {
  if (mode === undefined) return { ...policy, mode: 'followup', drop: 'new' }
  return mode === 'configured' ? policy : { ...policy, mode }
}

// Where others make room for it, nobody is refused.
function assertRoom({ work }: MethodHouse, sessionKey: string, { cap, drop }: QueuePolicy): void {
  const pending = work.sessions.get(sessionKey)?.pending ?? 0
  if (drop === 'new' && pending > cap) throw queueFull(sessionKey)
}

function queueFull(sessionKey: string): GatewayError {
  const text = `${sessionKey}: as many messages are queued as may be, try again later`
  return new GatewayError('UNAVAILABLE', text, { sessionKey })
}
