/** How long a server asks to be left alone: `Retry-After` of HTTP (RFC 9110, 10.2.3). */

/**
 * Reads a header's value, seconds or a date, as ms from `now` (ms since epoch) on; a date that is over
 * is 0. Null: there is none that can be read.
 */
export function parseRetryAfter(value: unknown, now: number): number | null {
  if (typeof value !== 'string') return null
  const text = value.trim()
  if (/^\d{1,9}(?:\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1_000)
  // Every form of a date begins with the day's name; others are read as dates of some kind as well.
  const at = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /i.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? null : Math.max(0, at - now)
}
