/**
 * Attempts: what the machines that try again have in common.
 *
 * The attempt in hand has a number from 1; outcomes cite it, so that a late one of an earlier
 * attempt is refused. A machine that waits knows when the next one is due.
 */
import type { EffectFailed } from '../effects.ts'
import type { Wait } from '../waits.ts'
import { type RetryPolicy, retryDelayMs } from './retry.ts'

export interface Attempt {
  attempt: number // in hand, from 1
  retryAt: number // ms since epoch; 0 unless waiting
  fault: string // class of the last failure, or empty
}

/** Tells whether an event is the outcome of the attempt in hand of an effect. */
export function isCurrent(
  { attempt }: Pick<Attempt, 'attempt'>,
  event: object,
  name: string,
): boolean {
  return 'attempt' in event && event.attempt === attempt && 'name' in event && event.name === name
}

/** Plans the next attempt after a failure. */
export function planRetry<Context extends Attempt>(
  context: Context,
  { at, random, retryAfterMs, class: fault }: EffectFailed,
  policy: RetryPolicy,
): Context {
  const delayMs = retryDelayMs(policy, context.attempt, random, retryAfterMs)
  return { ...context, fault, retryAt: at + delayMs }
}

/** Begins the next attempt. */
export function nextAttempt<Context extends Attempt>(context: Context): Context {
  return { ...context, attempt: context.attempt + 1, retryAt: 0 }
}

/** The wait for the next attempt. */
export function retryWait({ retryAt }: Attempt): Wait {
  return { id: 'retry', dueAt: retryAt, event: { type: 'retry.due' } }
}
