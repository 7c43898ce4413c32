/** When to try again: exponential waits with recorded jitter. */

export interface RetryPolicy {
  readonly attemptsMax: number
  readonly backoffMs: number
  readonly backoffMsMax: number
  readonly factor: number
}

/**
 * Computes the wait before the next attempt, in ms: backoff times factor to the power of the
 * attempts made, at most the cap, plus up to a half as jitter from `random` (0 <= x < 1).
 * A delay told by the other side (Retry-After) is honoured up to the cap, also without jitter.
 */
export function retryDelayMs(
  policy: RetryPolicy,
  attempt: number, // the one that failed, from 1
  random: number,
  retryAfterMs: number | null,
): number {
  if (retryAfterMs !== null) return Math.min(Math.max(0, retryAfterMs), policy.backoffMsMax)
  const base = Math.min(policy.backoffMs * policy.factor ** (attempt - 1), policy.backoffMsMax)
  return Math.round(base * (1 + random / 2))
}
