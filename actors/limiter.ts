/**
 * The failure limiter: how often wrong credentials may be shown, by whom, of which class.
 *
 *   attempt ──right──► as if it had not been          ──wrong──► counted; the tenth in a minute
 *   locked: refused unread, right or wrong, until the lock is over          locks for 5 minutes
 *
 * An attempt counts from its beginning, so that many at once are no more than many in a row. What
 * is right takes back its own attempt and no other. Direct loopback is slowed instead of shut out,
 * or any program here could shut out the owner; a web page or a proxy on loopback is not direct.
 * Memory is bounded: the addresses that failed least recently are forgotten first.
 */
import { isIPv6 } from 'node:net'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { isDirect, type Peer } from './peer.ts'
import type { Clock } from './services.ts'

/** secret: the shared one · device: a device's token · key: a signature · setup: a one-time code */
export type CredentialClass = 'secret' | 'device' | 'key' | 'setup'

/** One credential on its way to being judged. */
export interface Attempt {
  readonly right: () => void
  readonly wrong: () => void
}

// What is remembered of one address and class.
interface Tally {
  failures: number[] // ms since epoch, those in the window, oldest first
  pending: number
  lockedUntil: number // ms since epoch
}

interface Policy {
  readonly key: string
  readonly failuresMax: number
  readonly lockMs: number
}

/** Counts failures. */
export class Limiter {
  #clock: Clock
  #changed: () => void
  #tallies = new Map<string, Tally>() // least recently touched first

  /** `changed` is told of every failure. */
  constructor(clock: Clock, changed: () => void = () => {}) {
    this.#clock = clock
    this.#changed = changed
  }

  /** Addresses and classes remembered now. */
  get size(): number {
    return this.#tallies.size
  }

  /**
   * Begins to judge a credential.
   * @throws {GatewayError} RATE_LIMITED with details.retryAfterMs: it must not even be looked at.
   */
  attempt(kind: CredentialClass, peer: Peer): Attempt {
    const policies = policiesOf(kind, peer)
    const now = this.#clock.now()
    for (const policy of policies) this.#assertOpen(policy, now)
    const tallies = policies.map((policy) => ({ policy, tally: this.#touch(policy.key, now) }))
    for (const { tally } of tallies) tally.pending += 1
    let isOpen = true
    const end = (isWrong: boolean): void => {
      if (!isOpen) return
      isOpen = false
      for (const { policy, tally } of tallies) {
        tally.pending -= 1
        if (isWrong) this.#fail(policy, tally)
        else if (isEmpty(tally)) this.#tallies.delete(policy.key)
      }
    }
    return { right: () => end(false), wrong: () => end(true) }
  }

  /** The newest tallies that mean something, for the sidecar file. */
  save(): [string, number[], number][] {
    const newest = [...this.#tallies].filter(([, tally]) => tally.failures.length > 0)
    return newest
      .slice(-limits.authSavedMax)
      .map(([key, { failures, lockedUntil }]) => [key, failures, lockedUntil])
  }

  /** Takes up what an earlier process remembered; a clock that stepped back locks nobody longer. */
  restore(saved: readonly (readonly [string, readonly number[], number])[]): void {
    const now = this.#clock.now()
    for (const [key, failures, until] of saved.slice(-limits.authSavedMax)) {
      const lockedUntil = Math.min(until, now + limits.authLockMs)
      const fresh = failures.filter((at) => isFresh(at, now)).slice(-limits.authFailuresGlobalMax)
      if (lockedUntil <= now && fresh.length === 0) continue
      this.#tallies.set(key, { failures: fresh, pending: 0, lockedUntil })
    }
  }

  #assertOpen({ key, failuresMax, lockMs }: Policy, now: number): void {
    const tally = this.#tallies.get(key)
    if (tally === undefined) return
    tally.failures = tally.failures.filter((at) => isFresh(at, now))
    // A clock that stepped back locks nobody longer.
    tally.lockedUntil = Math.min(tally.lockedUntil, now + lockMs)
    const left = Math.max(1, failuresMax - tally.failures.length)
    const retryAfterMs = Math.max(tally.lockedUntil - now, tally.pending < left ? 0 : 1_000)
    if (retryAfterMs <= 0) return
    const text = `connect: too many wrong credentials, try again in ${Math.ceil(retryAfterMs / 1_000)} s`
    throw new GatewayError('RATE_LIMITED', text, { retryAfterMs })
  }

  #touch(key: string, now: number): Tally {
    const tally = this.#tallies.get(key) ?? { failures: [], pending: 0, lockedUntil: 0 }
    this.#tallies.delete(key)
    this.#tallies.set(key, tally)
    if (this.#tallies.size > limits.authTrackedMax) this.#forget(now)
    return tally
  }

  // A lock that still holds is given up last: who can come from 10,000 addresses is met by the
  // tally of all addresses together.
  #forget(now: number): void {
    let victim: string | undefined
    for (const [key, { lockedUntil, pending }] of this.#tallies) {
      if (key.endsWith('|*') || pending > 0) continue
      victim ??= key
      if (lockedUntil > now) continue
      victim = key
      break
    }
    if (victim !== undefined) this.#tallies.delete(victim)
  }

  #fail({ failuresMax, lockMs }: Policy, tally: Tally): void {
    const now = this.#clock.now()
    tally.failures.push(now)
    if (tally.failures.length > failuresMax) tally.failures.shift()
    if (tally.failures.length >= failuresMax) tally.lockedUntil = now + lockMs
    this.#changed()
  }
}

function policiesOf(kind: CredentialClass, peer: Peer): Policy[] {
  const failuresMax = limits.authFailuresMax
  if (isDirect(peer)) {
    return [{ key: `${kind}|direct`, failuresMax, lockMs: limits.authLoopbackLockMs }]
  }
  return [
    { key: `${kind}|${networkOf(peer.address)}`, failuresMax, lockMs: limits.authLockMs },
    {
      key: `${kind}|*`,
      failuresMax: limits.authFailuresGlobalMax,
      lockMs: limits.authGlobalLockMs,
    },
  ]
}

/** A household has a /64 of IPv6 and may use each address of it. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address === '::1') return address
  const [head = '', tail] = address.replace(/%.*$/, '').split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right].slice(0, 4)
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`
}

function isFresh(at: number, now: number): boolean {
  return now - at < limits.authWindowMs && at <= now
}

function isEmpty({ failures, pending, lockedUntil }: Tally): boolean {
  return failures.length === 0 && pending === 0 && lockedUntil === 0
}
