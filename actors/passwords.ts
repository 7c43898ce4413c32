/**
 * Checks of the shared secret: at once for one in plain text, by scrypt for a hashed password.
 *
 * scrypt works in Node's thread pool, a few at a time, and a bounded number waits; the event loop
 * goes on meanwhile.
 */
import { isPasswordHash, verifyPassword } from '../protocol/auth/password.ts'
import { equalSecrets } from '../protocol/auth/token.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'

/** Checks what is offered against the configured secret. */
export class SecretChecks {
  #secret: string
  #isHashed: boolean
  #running = 0
  #waiting: (() => void)[] = []

  /** Only a password may be hashed: a token that begins like a hash is a token. */
  constructor(secret: string, mode: 'none' | 'token' | 'password') {
    this.#secret = secret
    this.#isHashed = mode === 'password' && isPasswordHash(secret)
  }

  /** @throws {GatewayError} UNAVAILABLE: too many wait already. */
  async isRight(offered: string): Promise<boolean> {
    if (!this.#isHashed) return equalSecrets(offered, this.#secret)
    await this.#enter()
    try {
      return await verifyPassword(offered, this.#secret)
    } finally {
      this.#leave()
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < limits.passwordChecksMax) {
      this.#running += 1
      return
    }
    if (this.#waiting.length >= limits.passwordChecksWaitingMax) {
      throw new GatewayError('UNAVAILABLE', 'connect: too many passwords are being checked')
    }
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  // Whoever waits longest takes over the place.
  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#running -= 1
    else next()
  }
}
