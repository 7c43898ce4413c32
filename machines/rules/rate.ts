/**
 * Rates: how many of something in how long, as pure rules over times that are handed in.
 *
 * A bucket fills steadily and is emptied by use; a window counts what happened in its last stretch.
 * Times are ms of a clock that never steps back.
 */
export interface BucketPolicy {
  readonly burst: number // what a full bucket holds
  readonly perSecond: number
}

/** A bucket as it stood at a time. */
export interface Bucket {
  readonly tokens: number
  readonly at: number
}

/** A full bucket. */
export function fullBucket({ burst }: BucketPolicy, at: number): Bucket {
  return { tokens: burst, at }
}

/** Takes one out of a bucket; `waitMs` is 0 where there was one, else when there will be. */
export function takeOne(
  { burst, perSecond }: BucketPolicy,
  bucket: Bucket,
  at: number,
): { bucket: Bucket; waitMs: number } {
  const elapsedMs = Math.max(0, at - bucket.at)
  const tokens = Math.min(burst, bucket.tokens + (elapsedMs * perSecond) / 1_000)
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, at }, waitMs: 0 }
  return { bucket: { tokens, at }, waitMs: Math.ceil(((1 - tokens) / perSecond) * 1_000) }
}

export interface WindowPolicy {
  readonly max: number
  readonly windowMs: number
}

/** Counts one more in a sliding window of times; one that is refused is not counted. */
export function takeInWindow(
  { max, windowMs }: WindowPolicy,
  times: readonly number[],
  at: number,
): { times: readonly number[]; waitMs: number } {
  const recent = times.filter((time) => at - time < windowMs)
  if (recent.length < max) return { times: [...recent, at], waitMs: 0 }
  return { times: recent, waitMs: Math.ceil((recent[0] ?? at) + windowMs - at) }
}
