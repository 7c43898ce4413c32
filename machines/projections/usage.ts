/**
 * What models have cost: tokens by quarter of an hour, folded from the outcomes of their calls.
 *
 * Quarters, because every time zone begins its day on one: whoever asks knows the zone, the fold
 * does not. Only the last days are kept. Calls that failed count nothing: nobody told what they cost.
 */
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'

/** Tokens by the beginning of their quarter of an hour, in ms since epoch; oldest first. */
export type Usage = Map<number, number>

const CALLS: ReadonlySet<unknown> = new Set(['model.call', 'history.summarize'])

/** Folds a record in; most change nothing. */
export function foldUsage(usage: Usage, { event, at }: JournalRecord): void {
  if (event.type !== 'effect.done' || !CALLS.has(event['name'])) return
  const tokens = Number(event['inputTokens']) + Number(event['outputTokens'])
  if (!(tokens > 0)) return
  const quarter = at - (at % limits.usageQuarterMs)
  usage.set(quarter, (usage.get(quarter) ?? 0) + tokens)
  for (const oldest of usage.keys()) {
    if (usage.size <= limits.usageQuartersMax) break
    usage.delete(oldest)
  }
}

/** Sums the tokens since a moment. */
export function tokensSince(usage: Usage, since: number): number {
  let tokens = 0
  for (const [quarter, spent] of usage) if (quarter >= since) tokens += spent
  return tokens
}
