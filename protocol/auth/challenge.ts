/**
 * The challenge of a connection: one nonce, for one answer, on one socket, for a minute.
 *
 * It lives in memory only, with its connection; a connection that fails to answer gets no second
 * try with the same nonce. Only its digest is ever recorded.
 */
import { limits } from '../limits.ts'
import { equalSecrets } from './token.ts'

/** A nonce that waits for its answer. */
export interface Challenge {
  readonly nonce: string
  readonly issuedAt: number // ms since epoch
}

/** An answer as a client gave it. */
export interface ChallengeAnswer {
  readonly nonce: string
  readonly signedAt: number // ms since epoch, as the client signed it
}

/** Tells when a challenge can no longer be answered, in ms since epoch. */
export function challengeEnd({ issuedAt }: Challenge): number {
  return issuedAt + limits.challengeMs
}

/** Why an answer does not fit: for people, and for programs. */
export interface AnswerFault {
  readonly fault: string
  readonly faultReason: 'nonce-wrong' | 'signature-old'
}

/** Says why an answer does not fit its challenge; null where it does. */
export function answerFault(
  challenge: Challenge | null,
  { nonce, signedAt }: ChallengeAnswer,
  now: number,
): AnswerFault | null {
  if (challenge === null || !equalSecrets(challenge.nonce, nonce)) {
    const fault = 'the challenge is not the one of this connection'
    return { fault, faultReason: 'nonce-wrong' }
  }
  const age = now - challenge.issuedAt
  if (age < 0 || age > limits.challengeMs) {
    return { fault: 'the challenge is too old', faultReason: 'nonce-wrong' }
  }
  if (Math.abs(now - signedAt) > limits.signatureSkewMs) {
    return { fault: 'the signature is too old', faultReason: 'signature-old' }
  }
  return null
}
