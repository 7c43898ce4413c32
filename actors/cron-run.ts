/**
 * The drivers of jobs: `cron.plan` asks the calendar, `cron.run` says a job's words to its session
 * and waits for the answer.
 *
 * The words carry the mark of job and time. A run whose process ended is tried again, and finds the
 * message that it has sent already: a job speaks once for each time.
 */
import type { CronPlanParams, CronRunParams } from '../machines/effects.ts'
import type { JobOutcome } from '../machines/cron.ts'
import { keyOf } from '../machines/projections/open-work.ts'
import { toGatewayError } from '../protocol/errors.ts'
import { streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { readDefinition } from './cron.ts'
import { planNext } from './cron-plan.ts'
import type { IdempotencyMark, MessageAccepted } from '../machines/session-events.ts'
import { markRequest } from './idempotency.ts'
import { acceptMessage } from './methods/accept.ts'
import type { MethodHouse } from './methods/house.ts'
import type { Driver, EffectContext, Outcome } from './outbox.ts'

const OWNER = 'cron'

/** The drivers; they may be called as soon as the kernel recovers. */
export function cronDrivers(house: MethodHouse): [string, Driver][] {
  return [
    [
      'cron.plan',
      { visible: false, run: ({ params }) => plan(params as unknown as CronPlanParams) },
    ],
    [
      'cron.run',
      {
        visible: false,
        run: ({ params }, context) => say(house, params as unknown as CronRunParams, context),
      },
    ],
  ]
}

async function plan({ schedule, after, dueAt }: CronPlanParams): Promise<Outcome> {
  try {
    return { type: 'effect.done', facts: { ...(await planNext(schedule, after, dueAt)) } }
  } catch {
    return { type: 'effect.failed', class: 'schedule', retryable: false }
  }
}

async function say(
  house: MethodHouse,
  asked: CronRunParams,
  { address, correlationId }: EffectContext,
): Promise<Outcome> {
  const startedAt = house.services.clock.now()
  const cited = { cause: address, correlationId }
  try {
    const facts = await converse(house, asked, { ...cited, startedAt })
    return { type: 'effect.done', facts: { ...facts } }
  } catch (thrown) {
    const { code, message } = toGatewayError(thrown)
    house.services.log.warn('job not run', { job: asked.jobId, code, reason: message })
    return {
      type: 'effect.done',
      facts: { ...NOTHING, fault: code, runKey: asked.runKey, startedAt },
    }
  }
}

const NOTHING = { status: 'error', runId: '', fault: '', replyRef: '' } as const

interface Cited {
  readonly cause: string
  readonly correlationId: string
  readonly startedAt: number
}

async function converse(
  house: MethodHouse,
  { ref, sessionKey, fresh, route, runKey }: CronRunParams,
  { cause, correlationId, startedAt }: Cited,
): Promise<JobOutcome> {
  const { payload } = readDefinition(house.store, ref)
  const text = payload.kind === 'systemEvent' ? `System: ${payload.text}` : payload.message
  const mark = markRequest(OWNER, runKey, 'cron.run', { message: text })
  const cited = { cause, correlationId }
  if (fresh) await beginAnew(house, { sessionKey, mark }, cited)
  const { model, thinking } = payload.kind === 'agentTurn' ? payload : {}
  const asked = {
    ...(model === undefined ? {} : { model }),
    ...(thinking === undefined ? {} : { thinking }),
  }
  const message = { sessionKey, text, route, runKey, mark, ...asked }
  const { event } = await acceptMessage(house, message, cited)
  const { runId } = event as unknown as MessageAccepted
  const end = await house.runEnds.wait(runId, limits.runWaitMsMax)
  if (end.status !== 'ok') {
    const fault = end.fault ?? end.status
    return { ...NOTHING, runKey, runId, fault, startedAt }
  }
  return { runKey, status: 'ok', runId, fault: '', replyRef: end.ref ?? '', startedAt }
}

// Not where its words are said already: that would end the run that answers them.
async function beginAnew(
  house: MethodHouse,
  { sessionKey, mark }: { readonly sessionKey: string; readonly mark: IdempotencyMark },
  cited: { readonly cause: string; readonly correlationId: string },
): Promise<void> {
  const row = house.work.sessions.get(sessionKey)
  if (row === undefined || house.work.keys.has(keyOf(mark))) return
  const generation = row.generation + 1
  const event = { type: 'session.reset', sessionKey, generation, reason: 'cron', by: OWNER }
  await house.registry.offer(streamId('session', sessionKey), { event, ...cited })
}
