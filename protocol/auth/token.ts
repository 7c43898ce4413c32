/**
 * Secrets as they are kept and compared: SHA-256 digests of fixed length, in constant time.
 *
 * Tokens are 32 random bytes, so a plain digest of one cannot be searched for; passwords, which
 * people choose, have `password.ts`.
 */
import { timingSafeEqual } from 'node:crypto'
import { sha256, sha256Hex } from '../digest.ts'

/** Digests a secret as it is kept at rest: 64 hex digits. */
export function digestSecret(secret: string): string {
  return sha256Hex(secret)
}

/** Tells whether two secrets are equal; takes the same time whatever they have in common. */
export function equalSecrets(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b))
}

/** Tells whether a secret has a kept digest; no secret has the digest ''. */
export function matchesDigest(secret: string, digest: string): boolean {
  return equalSecrets(digestSecret(secret), digest)
}
