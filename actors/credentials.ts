/**
 * Credentials: what a `connect` shows, and which of it holds. Step 4 of 8.
 *
 * Each credential is judged for itself, under its class of the limiter; a class that is locked is
 * not looked at. Nothing here decides who comes in: that is `admission.ts`.
 */
import { answerFault, type Challenge } from '../protocol/auth/challenge.ts'
import {
  fingerprint,
  parsePublicKey,
  SIGNED_FORMS,
  signedText,
  verifySignature,
} from '../protocol/auth/signature.ts'
import { matchesDigest } from '../protocol/auth/token.ts'
import type { RefusalReason } from '../protocol/dialect/upstream/faults.ts'
import { GatewayError } from '../protocol/errors.ts'
import type { ConnectParams } from '../protocol/methods.ts'
import type { PairingContext } from '../machines/pairing.ts'
import type { Attempt, CredentialClass, Limiter } from './limiter.ts'
import type { SecretChecks } from './passwords.ts'
import type { Peer } from './peer.ts'
import type { SetupGrant } from './setup-codes.ts'
import type { Proof } from './speech.ts'

/** none: not shown · offered: a key without a signature yet */
export type Held = 'none' | 'offered' | 'wrong' | 'right'

/** What holds of what was shown. */
export interface Credentials {
  readonly token: Held // the device's own
  readonly key: Held
  readonly publicKey: string | null // where the key is right
  readonly fault: string // why the key is wrong
  readonly faultReason: RefusalReason
  readonly secret: Held
  readonly setup: SetupGrant | null
  readonly setupHeld: Held
  /** The lock that some of it met, unread. */
  readonly locked: GatewayError | null
  /** Counts what was wrong, unless it was let in by something else. */
  readonly settle: (admitted: boolean) => void
}

/** What the checks need. */
export interface CheckHouse {
  readonly limiter: Limiter
  readonly secrets: SecretChecks
  readonly mode: 'none' | 'token' | 'password'
  readonly setupOf: (bootstrapToken: string) => SetupGrant | null
}

/** One `connect` and what it is judged by. */
export interface Shown {
  readonly params: ConnectParams
  readonly proof: Proof | null
  readonly peer: Peer
  readonly challenge: Challenge | null
  readonly device: { readonly known: boolean; readonly context: PairingContext }
  readonly now: number // ms since epoch
}

/**
 * Checks every credential of a `connect`.
 * @throws {GatewayError} UNAVAILABLE: too many passwords are being checked.
 */
export async function checkCredentials(house: CheckHouse, shown: Shown): Promise<Credentials> {
  const ledger = new Ledger(house.limiter, shown.peer)
  try {
    const token = checkToken(house, ledger, shown)
    const { key, publicKey, fault, faultReason } = checkKey(ledger, shown)
    const secret = token === 'right' ? 'none' : await checkSecret(house, ledger, shown)
    const { setup, setupHeld } = checkSetup(house, ledger, shown)
    const { locked } = ledger
    const settle = (admitted: boolean): void => ledger.settle(admitted)
    return { token, key, publicKey, fault, faultReason, secret, setup, setupHeld, locked, settle }
  } catch (error) {
    ledger.settle(true)
    throw error
  }
}

/** The attempts of one `connect`. */
class Ledger {
  locked: GatewayError | null = null
  #limiter: Limiter
  #peer: Peer
  #open: { attempt: Attempt; isRight: boolean }[] = []

  constructor(limiter: Limiter, peer: Peer) {
    this.#limiter = limiter
    this.#peer = peer
  }

  /** Opens an attempt; null where the class is locked. */
  open(kind: CredentialClass): ((isRight: boolean) => Held) | null {
    try {
      const entry = { attempt: this.#limiter.attempt(kind, this.#peer), isRight: false }
      this.#open.push(entry)
      return (isRight) => {
        entry.isRight = isRight
        return isRight ? 'right' : 'wrong'
      }
    } catch (thrown) {
      if (!(thrown instanceof GatewayError)) throw thrown
      this.locked ??= thrown
      return null
    }
  }

  settle(admitted: boolean): void {
    for (const { attempt, isRight } of this.#open) {
      if (admitted || isRight) attempt.right()
      else attempt.wrong()
    }
    this.#open = []
  }
}

// `auth.token` may carry the device's token as well as the shared one; being wrong as the first
// is no fault while it may be right as the second.
function checkToken(
  { mode }: CheckHouse,
  ledger: Ledger,
  { params: { auth = {} }, device }: Shown,
): Held {
  const candidates = [auth.deviceToken, auth.token].filter((token) => token !== undefined)
  const isShared = auth.deviceToken === undefined && mode !== 'none'
  if (candidates.length === 0 || (auth.deviceToken === undefined && !device.known)) return 'none'
  const judged = ledger.open('device')
  if (judged === null) return isShared ? 'none' : 'wrong'
  const { tokenHash } = device.context
  const held = judged(
    device.known && candidates.filter((token) => matchesDigest(token, tokenHash)).length > 0,
  )
  return held === 'wrong' && isShared ? 'none' : held
}

async function checkSecret(house: CheckHouse, ledger: Ledger, shown: Shown): Promise<Held> {
  const offered = offeredSecrets(house, shown)
  if (house.mode === 'none' || offered.length === 0) return 'none'
  const judged = ledger.open('secret')
  if (judged === null) return 'wrong'
  for (const secret of offered) if (await house.secrets.isRight(secret)) return judged(true)
  return judged(false)
}

// Upstream's clients put the one secret where they have a field for it, or into both.
function offeredSecrets({ mode }: CheckHouse, { params: { auth = {} }, proof }: Shown): string[] {
  const { token, password } = auth
  const [own, other] = mode === 'password' ? [password, token] : [token, password]
  const shown = proof === null ? [own] : [own, other]
  return [...new Set(shown.filter((secret) => secret !== undefined))]
}

type KeyHeld = Pick<Credentials, 'key' | 'publicKey' | 'fault' | 'faultReason'>

function checkKey(ledger: Ledger, shown: Shown): KeyHeld {
  const { publicKey = null, challengeResponse } = shown.params.auth ?? {}
  if (challengeResponse === undefined) {
    const key = publicKey === null ? 'none' : 'offered'
    return { key, publicKey: null, ...NO_FAULT }
  }
  const judged = ledger.open('key')
  const wrong = judged === null ? NOT_LOOKED_AT : signatureFault(shown, challengeResponse)
  if (judged === null || wrong !== null) {
    judged?.(false)
    return { key: 'wrong', publicKey: null, ...(wrong ?? NO_FAULT) }
  }
  return { key: judged(true), publicKey: keyOf(shown), ...NO_FAULT }
}

type KeyFault = Pick<Credentials, 'fault' | 'faultReason'>

const NO_FAULT: KeyFault = { fault: '', faultReason: 'signature-wrong' }
const NOT_LOOKED_AT: KeyFault = { fault: 'not looked at', faultReason: 'signature-wrong' }

function keyOf({ params, device }: Shown): string | null {
  return params.auth?.publicKey ?? device.context.publicKey ?? null
}

function signatureFault(shown: Shown, signature: string): KeyFault | null {
  const { params, challenge, now, proof } = shown
  const { deviceId, auth = {} } = params
  const text = keyOf(shown)
  const publicKey = text === null ? null : parsePublicKey(text)
  if (publicKey === null) {
    const fault = 'auth.publicKey: expected an Ed25519 key, 32 bytes as base64url'
    return { fault, faultReason: 'key-mismatch' }
  }
  if (deviceId !== fingerprint(publicKey)) {
    return { fault: 'deviceId is not the fingerprint of the key', faultReason: 'key-mismatch' }
  }
  const nonce = auth.challenge ?? ''
  const signedAt = auth.signedAt ?? challenge?.issuedAt ?? 0
  const unfit = answerFault(challenge, { nonce, signedAt }, now)
  if (unfit !== null) return unfit
  const token = auth.token ?? auth.deviceToken ?? auth.bootstrapToken ?? ''
  const signed = { deviceId, signedAt, token, nonce, ...(proof?.signed ?? signedByUs(params)) }
  const forms = proof === null ? (['v3'] as const) : SIGNED_FORMS
  const isRight = forms.some((form) =>
    verifySignature(publicKey, signedText(signed, form), signature),
  )
  return isRight ? null : { fault: 'the signature is wrong', faultReason: 'signature-wrong' }
}

// The specification's dialect has no names for the client itself.
function signedByUs({ role = 'client', scopes = [] }: ConnectParams): Proof['signed'] {
  return { clientId: '', clientMode: '', platform: '', deviceFamily: '', role, scopes }
}

function checkSetup(
  { setupOf }: CheckHouse,
  ledger: Ledger,
  { params: { auth = {} } }: Shown,
): { setup: SetupGrant | null; setupHeld: Held } {
  if (auth.bootstrapToken === undefined) return { setup: null, setupHeld: 'none' }
  const judged = ledger.open('setup')
  if (judged === null) return { setup: null, setupHeld: 'wrong' }
  const setup = setupOf(auth.bootstrapToken)
  return { setup, setupHeld: judged(setup !== null) }
}
