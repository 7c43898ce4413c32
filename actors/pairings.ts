/**
 * Pairings: devices that ask to come in, people who let them, and the devices that are in.
 *
 *   signed ──request──► waiting ──approve, by code or id──► paired ──revoke, rotate, more──►
 *                          └── reject · 10 minutes · crowded out by a newer one
 *
 * What waits is known from its open waits, so it survives a restart; the code does not leave with
 * anything but the answer to its device. Strangers are bounded: so many requests may wait, and so
 * many new ones an hour reach the journal.
 */
import type { AnyMachineSnapshot } from 'xstate'
import { HOUR_MS, hourOf, type PairingContext, type PairingRequest } from '../machines/pairing.ts'
import type { OpenWork } from '../machines/projections/open-work.ts'
import {
  digestPairingCode,
  makePairingCode,
  PAIRING_CODE_BYTES,
  showPairingCode,
} from '../protocol/auth/pairing-code.ts'
import { beyond, type Role, ROLES } from '../protocol/auth/scopes.ts'
import { digestSecret, equalSecrets } from '../protocol/auth/token.ts'
import { GatewayError } from '../protocol/errors.ts'
import { cutText, type StreamId, streamId, streamName } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalEvent, JournalRecord } from '../protocol/record.ts'
import type { Store } from '../store/contract.ts'
import { unauthorized } from './admission.ts'
import type { Message } from './durable.ts'
import type { Peer } from './peer.ts'
import { SetupCodes } from './setup-codes.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'
import { Upgrades } from './upgrades.ts'

/** Whose doing something is. */
export type Cited = Pick<Message, 'cause' | 'correlationId'>

/** A signed device that nobody knows. */
export interface Stranger {
  readonly pairingId: string
  readonly deviceId: string
  readonly publicKey: string
  readonly role: Role
  readonly scopes: readonly string[] | null
  readonly peer: Peer
  readonly nonce: string
  readonly issuedAt: number
}

/** A paired device that asks for more than it was granted. */
export interface Upgrade {
  readonly pairingId: string
  readonly scopes: readonly string[] // all that it asks for
  readonly peer: Peer
}

/** A request with the device that makes it. */
export interface Waiting {
  readonly pairingId: string
  readonly deviceId: string
  readonly request: PairingRequest
  readonly upgrades: boolean // the device is in already, and asks for more
}

/** A device that was let in, or was until it was revoked. */
export interface Device {
  readonly pairingId: string
  readonly state: 'paired' | 'revoked'
  readonly context: PairingContext
}

/** Where a wish for more waits; `code` is told once. */
export interface UpgradeWaits {
  readonly requestId: string
  readonly code?: string
  readonly expiresAt: number
}

interface Setup {
  readonly registry: Registry
  readonly store: Pick<Store, 'stream' | 'streams' | 'version'>
  readonly work: OpenWork
  readonly services: Services
}

export class Pairings {
  readonly setupCodes: SetupCodes
  readonly upgrades: Upgrades
  #setup: Setup
  #hour = 0
  #asked = new Map<string, number>() // new requests of this hour, by address
  #turn: Promise<unknown> = Promise.resolve()

  constructor(setup: Setup) {
    this.#setup = setup
    this.setupCodes = new SetupCodes(setup.services.clock)
    this.upgrades = new Upgrades({ pairings: this, store: setup.store })
  }

  /**
   * The pairing of a device in a role: that of its own name, or, where the device is in there in
   * another role, one beside it. A revoked device has no second name to come back under.
   */
  idFor(deviceId: string, role: Role): string {
    const snapshot = this.snapshot(deviceId)
    if (snapshot === null || snapshot.value === 'revoked') return deviceId
    const { context } = snapshot
    const held = roleIn(String(snapshot.value), context as PairingContext)
    return held === null || held === role ? deviceId : `${deviceId}#${role}`
  }

  /** The pairings of a device that there are, in all roles. */
  idsOf(deviceId: string): string[] {
    const ids = [deviceId, ...ROLES.map((role) => `${deviceId}#${role}`)]
    return ids.filter((id) => this.#setup.store.version(streamId('pairing', id)) > 0)
  }

  /** What the actor of a pairing shows; one without a record wakes nobody. */
  snapshot(pairingId: string): AnyMachineSnapshot | null {
    const { registry, store } = this.#setup
    const stream = streamId('pairing', pairingId)
    return store.version(stream) === 0 ? null : registry.snapshot(stream)
  }

  /**
   * Puts a stranger's request before the people; always throws, for nobody comes in by it.
   * @throws {GatewayError} PAIRING_REQUIRED with details {requestId, code?, expiresAt}: the code is
   * told once; RATE_LIMITED: too many new ones this hour; UNAUTHORIZED: it was rejected.
   */
  async request(stranger: Stranger, cited: Cited): Promise<never> {
    const turn = this.#turn.then(() => this.#request(stranger, cited))
    this.#turn = turn.catch(() => {})
    return turn
  }

  /**
   * Puts a paired device's wish for more before the people; what waits for as much is told again.
   * Resolves with null where it was rejected within the hour, or is paired no more.
   * @throws {GatewayError} RATE_LIMITED: too many new ones this hour.
   */
  async requestUpgrade(upgrade: Upgrade, cited: Cited): Promise<UpgradeWaits | null> {
    const turn = this.#turn.then(() => this.#requestUpgrade(upgrade, cited))
    this.#turn = turn.catch(() => {})
    return turn
  }

  /** Records that a device has answered its challenge; resolves false where it may not ask now. */
  async recordAnswer(stranger: Stranger, cited: Cited): Promise<boolean> {
    const { pairingId, deviceId, publicKey, role, scopes, peer, nonce, issuedAt } = stranger
    const { address } = peer
    const nonceHash = digestSecret(nonce)
    const issued = { type: 'challenge.issued', nonceHash, address, issuedAt }
    const answered = { type: 'challenge.answered', deviceId, publicKey, nonceHash, role, scopes }
    const records = [this.tell(pairingId, issued, cited), this.tell(pairingId, answered, cited)]
    return (await Promise.all(records)).every(({ ignored }) => ignored === null)
  }

  /** All that waits for a person, oldest first. */
  waiting(): Waiting[] {
    const streams = new Set<string>()
    for (const { stream } of this.#setup.work.waits.values()) {
      if (stream.startsWith('pairing:')) streams.add(stream)
    }
    return [...streams]
      .flatMap((stream) => {
        const { value, context } = this.#setup.registry.snapshot(stream as StreamId)
        const { deviceId, request } = context as PairingContext
        const pairingId = streamName(stream)
        if (request === undefined || request === null) return []
        return [{ pairingId, deviceId, request, upgrades: value === 'paired' }]
      })
      .sort((a, b) => a.request.requestedAt - b.request.requestedAt)
  }

  /** Finds the request whose code a person typed. */
  findByCode(code: string): Waiting | null {
    const digest = digestPairingCode(code)
    // All are compared, so that time tells nothing of where a code stands.
    const found = this.waiting().filter(({ request }) => equalSecrets(digest, request.codeHash))
    return found[0] ?? null
  }

  /** Counts a wrong code: a miss of every code that is alive. */
  async missCode(cited: Cited): Promise<void> {
    const alive = this.waiting().filter(({ request }) => request.codeHash !== '')
    await Promise.all(
      alive.map(({ pairingId }) => this.tell(pairingId, { type: 'code.missed' }, cited)),
    )
  }

  /** All devices that are or were let in, newest first. */
  devices(): Device[] {
    const devices: Device[] = []
    for (const stream of this.#setup.store.streams('pairing')) {
      const { value, context } = this.#setup.registry.snapshot(stream as StreamId)
      if (value !== 'paired' && value !== 'revoked') continue
      const pairingId = streamName(stream)
      devices.push({ pairingId, state: value, context: context as PairingContext })
    }
    devices.sort((a, b) => b.context.approvedAt - a.context.approvedAt)
    return devices.slice(0, limits.devicesListMax)
  }

  /** Tells a pairing's actor; resolves with the record, which may say that it was ignored. */
  tell(pairingId: string, event: JournalEvent, cited: Cited): Promise<JournalRecord> {
    return this.#setup.registry.offer(streamId('pairing', pairingId), { event, ...cited })
  }

  async #request(stranger: Stranger, cited: Cited): Promise<never> {
    const { pairingId, peer } = stranger
    const { address } = peer
    const snapshot = this.snapshot(pairingId)
    const context = snapshot?.context as PairingContext | undefined
    if (snapshot?.value === 'paired')
      throw unauthorized('this device was paired just now, try again')
    const waits = context?.request ?? null
    if (waits !== null) throw pairingRequired(waits)
    const now = this.#setup.services.clock.now()
    if (now - (context?.rejectedAt ?? 0) < limits.pairingRejectedMs) {
      throw unauthorized('this device was rejected; it may ask again after an hour')
    }
    this.#countRequest(address, now)
    await this.#makeRoom(address, cited)
    if (!(await this.recordAnswer(stranger, cited))) throw unauthorized('this device may not ask')
    const { code, requestId, expiresAt, ...seen } = this.#draft(peer)
    const event = { type: 'approval.requested', requestId, expiresAt, ...seen }
    const { ignored } = await this.tell(pairingId, event, cited)
    if (ignored !== null) throw unauthorized('this device may not ask')
    throw pairingRequired({ requestId, expiresAt }, code)
  }

  async #requestUpgrade(
    { pairingId, scopes, peer }: Upgrade,
    cited: Cited,
  ): Promise<UpgradeWaits | null> {
    const context = this.snapshot(pairingId)?.context as PairingContext | undefined
    const now = this.#setup.services.clock.now()
    const waits = context?.request ?? null
    if (waits !== null && beyond(waits.scopes ?? [], scopes).length === 0) {
      return { requestId: waits.requestId, expiresAt: waits.expiresAt }
    }
    if (now - (context?.rejectedAt ?? 0) < limits.pairingRejectedMs) return null
    this.#countRequest(peer.address, now)
    if (waits === null) await this.#makeRoom(peer.address, cited)
    else await this.#crowdOut({ pairingId, request: waits, upgrades: true }, cited)
    const { code, requestId, expiresAt, ...seen } = this.#draft(peer)
    const event = { type: 'upgrade.requested', requestId, expiresAt, ...seen, scopes: [...scopes] }
    const { ignored } = await this.tell(pairingId, event, cited)
    return ignored === null ? { requestId, code: showPairingCode(code), expiresAt } : null
  }

  /** What is new of every request, and where it came from. */
  #draft({ address, origin: page, forwarded }: Peer) {
    const { clock, chance } = this.#setup.services
    const code = makePairingCode(chance.bytes(PAIRING_CODE_BYTES))
    const codeHash = digestPairingCode(code)
    const origin = page === null ? null : cutText(page)
    const expiresAt = clock.now() + limits.pairingMs
    return { code, requestId: chance.id(), codeHash, expiresAt, address, origin, forwarded }
  }

  #countRequest(address: string, now: number): void {
    const hour = hourOf(now)
    if (hour !== this.#hour) this.#asked.clear()
    this.#hour = hour
    const own = this.#asked.get(address) ?? 0
    let all = 0
    for (const count of this.#asked.values()) all += count
    if (own >= limits.pairingRequestsPerAddressHour || all >= limits.pairingRequestsPerHour) {
      const retryAfterMs = (hour + 1) * HOUR_MS - now
      const text = 'connect: too many devices asked to be paired, try again later'
      throw new GatewayError('RATE_LIMITED', text, { retryAfterMs })
    }
    this.#asked.set(address, own + 1)
  }

  async #makeRoom(address: string, cited: Cited): Promise<void> {
    const all = this.waiting()
    const own = all.filter(({ request }) => request.address === address)
    const crowd =
      own.length >= limits.pairingWaitingPerAddressMax
        ? own
        : all.length >= limits.pairingWaitingMax
          ? all
          : []
    const [oldest] = crowd
    if (oldest === undefined) return
    await this.#crowdOut(oldest, cited)
  }

  async #crowdOut(
    { pairingId, request: { requestId }, upgrades }: Omit<Waiting, 'deviceId'>,
    cited: Cited,
  ): Promise<void> {
    const type = upgrades ? 'upgrade.expired' : 'approval.expired'
    await this.tell(pairingId, { type, requestId, reason: 'crowded' }, cited)
  }
}

// The role that a pairing has or asks for; null: none that stands.
function roleIn(value: string, { role, request }: PairingContext): Role | null {
  if (value === 'paired') return role
  return value === 'waiting' ? (request?.role ?? null) : null
}

// The code itself stands in the details only: messages are logged.
function pairingRequired(
  { requestId, expiresAt }: Pick<PairingRequest, 'requestId' | 'expiresAt'>,
  code?: string,
): GatewayError {
  const shown = code === undefined ? {} : { code: showPairingCode(code) }
  const text = 'connect: this device waits for its owner to type: openclaw pairing approve CODE'
  return new GatewayError('PAIRING_REQUIRED', text, { requestId, ...shown, expiresAt })
}
