/**
 * One-time setup codes: what a QR code on the owner's screen gives to a phone.
 *
 * They live in memory, as digests: a restart voids them. A code is used up before the approval
 * that it makes is written, so a crash between the two can not let it be used twice.
 */
import type { Role } from '../protocol/auth/scopes.ts'
import { digestSecret } from '../protocol/auth/token.ts'
import { limits } from '../protocol/limits.ts'
import type { Clock } from './services.ts'

/** What a code is good for. */
export interface SetupGrant {
  readonly digest: string
  readonly role: Role
  readonly scopes: readonly string[]
  readonly by: string // the device whose owner asked for it
  readonly expiresAt: number // ms since epoch
}

/** Keeps the codes that may still be used. */
export class SetupCodes {
  #clock: Clock
  #grants = new Map<string, SetupGrant>() // by digest, oldest first

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Makes a secret good for one pairing; the oldest goes where there are too many. */
  add(secret: string, grant: Omit<SetupGrant, 'digest' | 'expiresAt'>): SetupGrant {
    const digest = digestSecret(secret)
    const added = { ...grant, digest, expiresAt: this.#clock.now() + limits.pairingMs }
    this.#grants.set(digest, added)
    const [oldest] = this.#grants.keys()
    if (this.#grants.size > limits.setupCodesMax && oldest !== undefined) this.use(oldest)
    return added
  }

  /** Finds what a secret is good for; null where it is unknown, used up or too old. */
  find(secret: string): SetupGrant | null {
    const grant = this.#grants.get(digestSecret(secret))
    return grant === undefined || grant.expiresAt <= this.#clock.now() ? null : grant
  }

  /** Uses a code up; false where that has happened already. */
  use(digest: string): boolean {
    return this.#grants.delete(digest)
  }
}
