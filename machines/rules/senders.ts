/**
 * Senders of a channel whose direct messages are by pairing: who waits with a code, who was let in.
 *
 *   unknown ──message──► pending (one code, an hour) ──approved──► approved ──rejected──► unknown
 *                           └──rejected──► refused until the hour is over
 *
 * Pure: the code's digest and the time come in events. Names are stable ids, never shown names. All
 * lists are bounded; what is over is left out when the next change is made, so no timer is needed.
 */
import { limits } from '../../protocol/limits.ts'
import type { Verdict } from './policy.ts'

/** A sender that was told a code. */
export interface PendingSender {
  readonly senderId: string
  readonly digest: string // of the code
  readonly number: number // of the code, from 1; its effect cites it
  readonly askedAt: number // ms since epoch
  readonly rejected?: true
}

/** What a channel knows of senders; absent from its context until the first is told a code. */
export interface Senders {
  readonly pending: readonly PendingSender[]
  readonly approved: readonly string[]
  readonly codes: number // told so far
  readonly missedAt: readonly number[] // ms since epoch: wrong codes, newest last
}

export const NO_SENDERS: Senders = { pending: [], approved: [], codes: 0, missedAt: [] }

/** Judges a sender whom the policy leaves to pairing. `digest` is there when a code was drawn. */
export function judgeSender(
  senders: Senders,
  senderId: string,
  digest: string | undefined,
  at: number,
): Verdict {
  if (senders.approved.includes(senderId)) return { admitted: true, rule: 'dm.paired' }
  const known = openOf(senders, at).find((pending) => pending.senderId === senderId)
  if (known?.rejected === true) return refuse('dm.pairing.rejected')
  if (known !== undefined) return refuse('dm.pairing.pending')
  if (isFull(senders, at)) return refuse('dm.pairing.full')
  return refuse(digest === undefined ? 'dm.pairing' : 'dm.pairing.code')
}

/** Keeps a sender that is told a code. */
export function askSender(
  senders: Senders,
  sender: { readonly senderId: string; readonly digest: string },
  at: number,
): Senders {
  const number = senders.codes + 1
  const pending = [...openOf(senders, at), { ...sender, number, askedAt: at }]
  return { ...senders, codes: number, pending }
}

/** Forgets a code that was certainly not told, so that its sender may get another. */
export function forgetCode(senders: Senders, number: number): Senders {
  const pending = senders.pending.filter((each) => each.number !== number)
  return { ...senders, pending }
}

/** Finds the sender whose code can be approved or rejected now. */
export function findPending(senders: Senders, digest: string, at: number): PendingSender | null {
  return openOf(senders, at).find((each) => each.digest === digest && !each.rejected) ?? null
}

/** Whether nobody more can be let in. */
export function isHouseFull({ approved }: Senders): boolean {
  return approved.length >= limits.sendersApprovedMax
}

/** Lets a sender in. */
export function approveSender(senders: Senders, senderId: string): Senders {
  const pending = senders.pending.filter((each) => each.senderId !== senderId)
  return { ...senders, pending, approved: [...senders.approved, senderId] }
}

/** Turns a sender away: one that waits until its hour is over, one that was let in from now on. */
export function rejectSender(senders: Senders, senderId: string, at: number): Senders {
  const approved = senders.approved.filter((id) => id !== senderId)
  const pending = openOf(senders, at).map((each) =>
    each.senderId === senderId ? { ...each, rejected: true as const } : each,
  )
  const turnedAway = pending.filter((each) => each.rejected).slice(-limits.sendersRejectedMax)
  const waiting = pending.filter((each) => !each.rejected)
  return { ...senders, approved, pending: [...waiting, ...turnedAway] }
}

/** Counts a wrong code. */
export function missCode(senders: Senders, at: number): Senders {
  const missedAt = [...senders.missedAt, at].slice(-limits.codeMissesMax)
  return { ...senders, missedAt }
}

/** How long no code is looked at, because too many were wrong; 0: one is. */
export function lockedMs({ missedAt }: Senders, at: number): number {
  const [oldest] = missedAt
  if (oldest === undefined || missedAt.length < limits.codeMissesMax) return 0
  return Math.max(0, oldest + limits.codeLockMs - at)
}

/** Lists those whose code holds at a time. */
export function openOf({ pending }: Senders, at: number): PendingSender[] {
  return pending.filter(({ askedAt }) => at - askedAt < limits.senderCodeMs)
}

function isFull(senders: Senders, at: number): boolean {
  const waiting = openOf(senders, at).filter((each) => !each.rejected)
  return waiting.length >= limits.sendersPendingMax
}

function refuse(rule: string): Verdict {
  return { admitted: false, rule }
}
