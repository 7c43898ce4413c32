/**
 * Room: how full the journal's disk and its budget are, and what is still taken in.
 *
 *   ample   ──80 % of store.maxBytes──► low      said, nothing is refused
 *   low     ──95 % of store.maxBytes──► scarce   new work is refused, work in hand goes on, and reads
 *   any     ──spaceRefuseBytes free───► scarce   whatever the budget (D-R4)
 *
 * What counts against the budget are archives, and of the journal its pages in use: a file does not shrink, but what was erased or
 * compacted away is used again before it grows.
 */
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { StoreStats } from '../store/contract.ts'

/** How much room is left. */
export type SpaceLevel = 'ample' | 'low' | 'scarce'

/** What is known of it. */
export interface Space {
  readonly level: SpaceLevel
  readonly usedBytes: number
  readonly freeBytes: number // of the file system
  readonly maxBytes: number | null // the budget
  readonly says: string
}

/** Judges a store's room against a budget; null: only the disk counts. */
export function judgeSpace(
  { usedBytes, freeBytes }: Pick<StoreStats, 'usedBytes' | 'freeBytes'>,
  maxBytes: number | null,
): Space {
  const facts = { usedBytes, freeBytes, maxBytes }
  const share = maxBytes === null ? 0 : usedBytes / maxBytes
  const budget = `${mib(usedBytes)} of the ${mib(maxBytes ?? 0)} of store.maxBytes are used`
  if (freeBytes < limits.spaceRefuseBytes) {
    const says = `${mib(freeBytes)} of disk are free, ${mib(limits.spaceRefuseBytes)} are needed`
    return { level: 'scarce', ...facts, says }
  }
  if (share >= limits.budgetRefuseShare) return { level: 'scarce', ...facts, says: budget }
  if (share >= limits.budgetWarnShare) return { level: 'low', ...facts, says: budget }
  const says = maxBytes === null ? `${mib(freeBytes)} of disk are free` : budget
  return { level: 'ample', ...facts, says }
}

/** Makes the refusal of new work. */
export function spaceRefusal({ says, usedBytes, freeBytes, maxBytes }: Space): GatewayError {
  const details = { usedBytes, freeBytes, ...(maxBytes === null ? {} : { maxBytes }) }
  return new GatewayError('STORE_LOW_SPACE', `store: new work is refused: ${says}`, details)
}

/** Writes a number of bytes as whole MiB. */
export function mib(bytes: number): string {
  return Number.isFinite(bytes) ? `${Math.round(bytes / 2 ** 20)} MiB` : 'all'
}
