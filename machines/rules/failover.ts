/**
 * Failover: when a run goes on with its next model, and which budget ends it.
 *
 *   class                     same model again           next model
 *   rate, network, server     until attempts are up      then; at once where Retry-After is too long
 *   auth                      never                      at once: another provider has another key
 *   request                   never                      at once: too long, unknown or refused here
 *   tools                     never                      at once: it takes none
 *   lost, prompt, budget      lost: until they are up    never: the fault is no model's
 *
 * Members are absent from the context of a run that never needed them: old journals keep their hashes.
 */
import { limits } from '../../protocol/limits.ts'
import type { EffectFailed } from '../effects.ts'
import { type Attempt, planRetry } from './attempt.ts'
import type { RunPlan, TriedModel } from './plan.ts'
import type { RetryPolicy } from './retry.ts'

/** What a run knows of its models. */
export interface Failover extends Attempt {
  model: string // in hand
  plan?: RunPlan
  modelIndex?: number // 0 is the run's own, then its fallbacks; absent: 0
  firstAttempt?: number // of the model in hand; absent: 1
  tried?: TriedModel[] // absent: none
  tokens?: number // spent, as far as providers told; absent: none
}

const ANOTHER_MAY: ReadonlySet<string> = new Set([
  'rate',
  'network',
  'server',
  'auth',
  'request',
  'tools',
])

/** How far apart the calls of one model are, of which there are so many at most. */
export function modelPolicy(attemptsMax: number): RetryPolicy {
  const { runBackoffMs: backoffMs, runBackoffMsMax: backoffMsMax } = limits
  return { attemptsMax, backoffMs, backoffMsMax, factor: 2 }
}

/** How many calls the model in hand has had, the one in hand included. */
export function callsOf({ attempt, firstAttempt = 1 }: Failover): number {
  return attempt - firstAttempt + 1
}

/** Tells whether the same model is asked again after a failure. */
export function isRetryable(run: Failover, event: EffectFailed, policy: RetryPolicy): boolean {
  if (!event.retryable || !hasCallLeft(run, policy)) return false
  const isLong = event.retryAfterMs !== null && event.retryAfterMs > policy.backoffMsMax
  return !isLong || nextModel(run) === null
}

/** Tells whether the model in hand may be asked again, as far as numbers go. */
export function hasCallLeft(run: Failover, policy: RetryPolicy): boolean {
  return callsOf(run) < policy.attemptsMax && !isSpent(run)
}

/** Plans when the same model is asked again after a failure. */
export function planCall<Run extends Failover>(
  run: Run,
  event: EffectFailed,
  policy: RetryPolicy,
): Run {
  const { retryAt, fault } = planRetry({ ...run, attempt: callsOf(run) }, event, policy)
  return { ...run, retryAt, fault }
}

/** Tells whether the next model is asked after a failure that the same one is not asked after. */
export function isSwitchable(run: Failover, event: EffectFailed): boolean {
  return ANOTHER_MAY.has(event.class) && nextModel(run) !== null && !isSpent(run)
}

/** Goes on to the next model. */
export function switchModel<Run extends Failover>(run: Run, fault: string): Run {
  const model = nextModel(run)
  if (model === null) return run
  return {
    ...run,
    model,
    fault,
    modelIndex: (run.modelIndex ?? 0) + 1,
    firstAttempt: run.attempt + 1,
    tried: triedWith(run, fault),
    attempt: run.attempt + 1,
    retryAt: 0,
  }
}

/** Tells whether a run has used its budget up: no call may follow. */
export function isSpent({ plan, attempt, tokens = 0 }: Failover): boolean {
  if (plan === undefined) return false
  return attempt >= plan.callsMax || tokens >= (plan.tokensMax ?? Infinity)
}

/** What a failure ends a run as: its budget, where more calls would have been made. */
export function endingFault(run: Failover, event: EffectFailed, policy: RetryPolicy): string {
  if (!isSpent(run) || event.class === 'prompt') return event.class
  const hasMore = event.retryable && callsOf(run) < policy.attemptsMax
  const mayGoOn = ANOTHER_MAY.has(event.class) && nextModel(run) !== null
  return hasMore || mayGoOn ? 'budget' : event.class
}

/** The models that gave no answer, the one in hand included. */
export function triedWith(run: Failover, fault: string): TriedModel[] {
  return [...(run.tried ?? []), { model: run.model, class: fault, calls: callsOf(run) }]
}

function nextModel({ plan, modelIndex = 0 }: Failover): string | null {
  return plan?.fallbacks[modelIndex] ?? null
}
