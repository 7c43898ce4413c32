/**
 * The history of a session as a prompt: its estimated size, what a summary covers, what is left out.
 *
 * All cuts are made before a user's message, so an answer stays with its question and a result of a
 * tool with its call. Pure functions of the history: the same records give the same prompt.
 */
import { canonical, sha256Hex } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import type { SessionContext } from '../session.ts'
import type { HistoryEntry } from '../session-events.ts'
import { bytesFact } from './plan.ts'
import type { MergedMessage, PlannedRun } from './queue.ts'
import { estimateTokens } from './tokens.ts'

/** The oldest entries of a history: how many, and a digest of what they refer to. */
export interface Range {
  count: number
  hash: string
}

/** What providers have told a prompt up to an answer to be. */
export interface Measured {
  runId: string // whose answer it was
  tokens: number // of that prompt and its answer
}

/**
 * The history with more entries behind it, without the oldest above `messagesMax`; a summary stays.
 * Copied, not drafted: a proxy in front of some hundred entries costs ten times the step itself.
 */
export function joined(
  { history, messagesMax }: Pick<SessionContext, 'history' | 'messagesMax'>,
  entries: readonly HistoryEntry[],
): HistoryEntry[] {
  const [first] = history
  const isSummary = first?.role === 'summary'
  const kept = Math.max(1, messagesMax - entries.length - (isSummary ? 1 : 0))
  const from = Math.max(isSummary ? 1 : 0, history.length - kept)
  return [...(isSummary ? [first] : []), ...history.slice(from), ...entries]
}

/** The entry of a message of a user's, as the run that answers it shows it. */
export function askedEntry(message: MergedMessage | PlannedRun, runId: string): HistoryEntry {
  const isBrief = 'brief' in message && message.brief
  const entry: HistoryEntry = { ...bytesFact(message), ref: message.ref, role: 'user', runId }
  return isBrief ? { ...entry, brief: true } : entry
}

/** Estimates the tokens of some entries: told ones up to an answer, bytes behind it. */
export function historyTokens(
  history: readonly HistoryEntry[],
  measured: Measured | null | undefined,
): number {
  const isLast = ({ role, runId }: HistoryEntry): boolean =>
    role === 'assistant' && runId === measured?.runId
  const told = measured ? history.findLastIndex(isLast) : -1
  const known = told === -1 || !measured ? 0 : measured.tokens
  return history.slice(told + 1).reduce((sum, entry) => sum + entryTokens(entry), known)
}

/** How many of the oldest entries go into a summary, so that a share of the bound is kept; 0: none. */
export function summaryCut(history: readonly HistoryEntry[], tokensMax: number): number {
  const cut = cutBelow(history, Math.floor(tokensMax * limits.compactKeepShare))
  return cut < limits.compactEntriesMin ? 0 : cut
}

/** How many of the oldest entries a prompt leaves out, so that it stays under the bound. */
export function leftOutOf(history: readonly HistoryEntry[], tokensMax: number): number {
  return cutBelow(history, tokensMax)
}

/** Names the oldest entries of a history. */
export function rangeOf(history: readonly HistoryEntry[], count: number): Range {
  return { count, hash: hashOf(history.slice(0, count)) }
}

/** Tells whether a history still begins with what a range names. */
export function beginsWith(history: readonly HistoryEntry[], { count, hash }: Range): boolean {
  return history.length >= count && hashOf(history.slice(0, count)) === hash
}

/** A digest of what entries refer to, in their order. */
export function hashOf(entries: readonly HistoryEntry[]): string {
  const named = entries.map(({ ref, calls, fault, thought }) => {
    const signed = thought === undefined ? [] : [thought.ref]
    if (calls !== undefined) return [ref, ...calls.map((call) => call.ref), ...signed]
    return fault === undefined ? ref : [ref, fault]
  })
  return sha256Hex(canonical(named)).slice(0, limits.rangeHashChars)
}

// The first cut behind which there is little enough; else the last message stays alone.
function cutBelow(history: readonly HistoryEntry[], tokensMax: number): number {
  let cut = 0
  let kept = history.reduce((sum, entry) => sum + entryTokens(entry), 0)
  for (const [index, entry] of history.entries()) {
    if (entry.role === 'user') cut = index
    if (entry.role === 'user' && kept <= tokensMax) return index
    kept -= entryTokens(entry)
  }
  return cut
}

function entryTokens({ bytes = limits.entryBytesUnknown }: HistoryEntry): number {
  return estimateTokens(bytes)
}
