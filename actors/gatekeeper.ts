/**
 * The gatekeeper: judges each `connect`, and records what came of it. Step 4 of 8.
 *
 *   credentials ─► verdict ─► admit      device.approved, token.issued: on disk, then answered
 *                          ├► challenge  memory only: answered, the socket stays open
 *                          └► wait       actors/pairings.ts
 */
import { kinds } from '../machines/kinds.ts'
import { hourOf, type PairingContext } from '../machines/pairing.ts'
import type { Challenge } from '../protocol/auth/challenge.ts'
import { beyond, ceilingOf, grantScopes, type Role, type Scope } from '../protocol/auth/scopes.ts'
import { digestSecret } from '../protocol/auth/token.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { ConnectParams } from '../protocol/methods.ts'
import type { JournalEvent } from '../protocol/record.ts'
import {
  type Admission,
  type AuthSettings,
  judgeConnect,
  type KnownDevice,
  unauthorized,
  type Verdict,
} from './admission.ts'
import { checkCredentials, type Credentials } from './credentials.ts'
import type { Limiter } from './limiter.ts'
import type { Cited, Pairings, Stranger, UpgradeWaits } from './pairings.ts'
import { SecretChecks } from './passwords.ts'
import { isDirect, type Peer } from './peer.ts'
import type { Proof } from './speech.ts'
import type { Services } from './services.ts'

/** One `connect` as it arrived. */
export interface Knock {
  readonly params: ConnectParams
  readonly proof: Proof | null
  readonly peer: Peer
  readonly challenge: Challenge | null // the one that may still be answered
  readonly cited: Cited
}

/** What a knock is answered; `challenge` says why a signature is wanted. */
export type Answer =
  | {
      readonly kind: 'admitted'
      readonly admission: Admission
      readonly deviceToken: string | null
    }
  | { readonly kind: 'challenge'; readonly why: string }

export interface GatekeeperSetup {
  readonly auth: AuthSettings
  readonly pairings: Pairings
  readonly limiter: Limiter
  readonly services: Services
}

type Admit = Extract<Verdict, { kind: 'admit' }>

interface Entry {
  readonly knock: Knock
  readonly pairingId: string
  readonly device: KnownDevice
  readonly held: Credentials
  readonly verdict: Admit
}

const UNKNOWN = kinds.pairing.stepper.initial.context as PairingContext

export class Gatekeeper {
  #setup: GatekeeperSetup
  #secrets: SecretChecks

  constructor(setup: GatekeeperSetup) {
    this.#setup = setup
    this.#secrets = new SecretChecks(setup.auth.secret, setup.auth.mode)
  }

  /**
   * Judges a `connect`.
   * @throws {GatewayError} UNAUTHORIZED, FORBIDDEN, PAIRING_REQUIRED, RATE_LIMITED, UNAVAILABLE,
   * INVALID_REQUEST: then the connection ends.
   */
  async knock(knock: Knock): Promise<Answer> {
    const { params, proof, peer, challenge } = knock
    const { auth: settings, pairings, limiter, services } = this.#setup
    const keyless = proof?.keyless === true
    const pairingId = pairings.idFor(params.deviceId, params.role ?? 'client')
    const device = this.#known(pairingId)
    const { mode } = settings
    const setupOf = (secret: string) => pairings.setupCodes.find(secret)
    const now = services.clock.now()
    const house = { limiter, secrets: this.#secrets, mode, setupOf }
    const held = await checkCredentials(house, { params, proof, peer, challenge, device, now })
    // A password takes its time; what was revoked meanwhile is judged as revoked.
    const current = this.#known(pairingId)
    const upgrades = pairingId !== params.deviceId && !current.known
    const verdict = settled(held, () =>
      judgeConnect({ params, keyless, upgrades, peer, settings, device: current, held }),
    )
    if (verdict.kind === 'challenge') return verdict
    if (verdict.kind === 'wait') return this.#wait(knock, held, pairingId)
    return this.#admit({ knock, pairingId, device: current, held, verdict })
  }

  #known(pairingId: string): KnownDevice {
    const snapshot = this.#setup.pairings.snapshot(pairingId)
    if (snapshot === null) return { known: false, revoked: false, context: UNKNOWN }
    const { value, context } = snapshot
    return {
      known: value === 'paired',
      revoked: value === 'revoked',
      context: context as PairingContext,
    }
  }

  async #wait(knock: Knock, held: Credentials, pairingId: string): Promise<never> {
    const { params, peer, cited } = knock
    const ceiling = this.#ceiling(params.role ?? 'client', peer)
    assertGranted(grantScopes(params.scopes, ceiling, ceiling).missing, ceiling)
    const stranger = strangerOf(knock, held, pairingId)
    return this.#setup.pairings.request(stranger, cited).catch((thrown: unknown) => {
      throw pairingId === params.deviceId ? thrown : upgradeOf(thrown)
    })
  }

  async #admit(entry: Entry): Promise<Answer> {
    const { knock, pairingId, verdict } = entry
    const { params, peer } = knock
    const { auth } = this.#setup
    const { deviceId, role = 'client' } = params
    const grant = grantScopes(params.scopes, verdict.granted, this.#ceiling(role, peer))
    if (grant.missing.length > 0) throw await this.#beyondGrant(entry, grant.missing)
    const secret = entry.held.secret === 'right' ? auth.mode : 'none'
    const { rule } = verdict
    const keyless = knock.proof?.keyless === true
    const admission = { deviceId, pairingId, role, scopes: grant.scopes, rule, secret, keyless }
    const deviceToken = await this.#issue(entry, admission)
    return { kind: 'admitted', admission, deviceToken }
  }

  // What a device was not granted a person may grant; what no device is given here, nobody.
  async #beyondGrant(entry: Entry, missing: readonly string[]): Promise<GatewayError> {
    const { knock, pairingId, device, held, verdict } = entry
    const { params, peer, cited } = knock
    const { pairings, services } = this.#setup
    const ceiling = this.#ceiling(params.role ?? 'client', peer)
    const scopes = params.scopes ?? []
    const isOwnKey = held.key === 'right' && held.publicKey === device.context.publicKey
    const mayAsk = device.known && isOwnKey && beyond(ceiling, scopes).length === 0
    const waits = mayAsk ? await pairings.requestUpgrade({ pairingId, scopes, peer }, cited) : null
    const hour = hourOf(services.clock.now())
    if (waits === null && device.known && hour > (device.context.refusedHour ?? 0)) {
      const shown = missing.slice(0, limits.scopesShownMax)
      await pairings.tell(pairingId, { type: 'scopes.refused', missing: shown, hour }, cited)
    }
    return notGranted(missing, verdict.granted, waits ?? {})
  }

  /** Records an approval or a first token; resolves with the token, null where it has one. */
  async #issue(
    { knock, pairingId, device, held, verdict }: Entry,
    admission: Admission,
  ): Promise<string | null> {
    const { pairings, services } = this.#setup
    const { deviceId, role, rule, secret } = admission
    const isFirst = device.known && held.key === 'right' && device.context.tokenHash === ''
    if (!verdict.approves && !isFirst) return null
    const deviceToken = services.chance.hex(32)
    const tokenHash = digestSecret(deviceToken)
    if (!verdict.approves) {
      await this.#record(pairingId, { type: 'token.issued', tokenHash }, knock.cited)
      return deviceToken
    }
    const { address, origin, forwarded } = knock.peer
    const key = held.publicKey
    const evidence = { address, origin, forwarded, secret, ...(key === null ? {} : { key }) }
    const { setup } = held
    const asked = setup === null ? admission.scopes : setup.scopes
    // A device that proves its key and asks for more keeps what it had.
    const had = device.known && key !== null ? device.context.scopes : []
    const scopes = [...new Set([...had, ...asked])].sort()
    if (setup !== null && !pairings.setupCodes.use(setup.digest)) {
      throw unauthorized('the setup code is wrong, used or too old')
    }
    if (key !== null && !device.known)
      await pairings.recordAnswer(strangerOf(knock, held, pairingId), knock.cited)
    const approved = { deviceId, role, scopes, tokenHash, rule, evidence }
    const more = { ...(key === null ? {} : { publicKey: key }), ...(setup && { by: setup.by }) }
    await this.#record(pairingId, { type: 'device.approved', ...approved, ...more }, knock.cited)
    return deviceToken
  }

  // Judged on what was on disk then; a revocation may have been on its way.
  async #record(pairingId: string, event: JournalEvent, cited: Cited): Promise<void> {
    const { ignored } = await this.#setup.pairings.tell(pairingId, event, cited)
    if (ignored !== null) throw unauthorized('this device was revoked or rejected')
  }

  #ceiling(role: Role, peer: Peer): readonly Scope[] {
    return ceilingOf({ role, direct: isDirect(peer), secured: this.#setup.auth.mode !== 'none' })
  }
}

/** Judges, then counts what was wrong; a lock that was met stands before every other refusal. */
function settled(held: Credentials, judge: () => Verdict): Verdict {
  try {
    const verdict = judge()
    held.settle(verdict.kind === 'admit')
    return verdict
  } catch (thrown) {
    held.settle(false)
    throw held.locked ?? thrown
  }
}

// A device that is in already, in another role, and asks for this one.
function upgradeOf(thrown: unknown): unknown {
  if (!(thrown instanceof GatewayError) || thrown.code !== 'PAIRING_REQUIRED') return thrown
  return new GatewayError(thrown.code, thrown.message, { ...thrown.details, upgrades: true })
}

function strangerOf(
  { params, peer, challenge }: Knock,
  { publicKey }: Credentials,
  pairingId: string,
): Stranger {
  const { deviceId, role = 'client', scopes = null } = params
  const { nonce = '', issuedAt = 0 } = challenge ?? {}
  const asked = { publicKey: publicKey ?? '', role, scopes, peer, nonce, issuedAt }
  return { pairingId, deviceId, ...asked }
}

function assertGranted(missing: readonly string[], granted: readonly string[]): void {
  if (missing.length > 0) throw notGranted(missing, granted, {})
}

function notGranted(
  missing: readonly string[],
  granted: readonly string[],
  waits: Partial<UpgradeWaits>,
): GatewayError {
  const shown = missing.slice(0, limits.scopesShownMax).join(', ')
  const text = `params.scopes: this device was not granted ${shown}`
  const details = { path: 'scopes', requiredScopes: missing, grantedScopes: granted, ...waits }
  return new GatewayError('FORBIDDEN', text, details)
}
