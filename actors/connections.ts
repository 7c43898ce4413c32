/**
 * All connections together: admission, presence, ticks, and the count of those refused.
 *
 * Refusals are recorded coalesced: the first of an address at once, the rest as one record an hour,
 * so that a stranger can neither grow the journal nor stay unseen.
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Command } from '../protocol/command.ts'
import { GATEWAY, streamName } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import type { Admission } from './admission.ts'
import type { Origin } from './caller.ts'
import { Connection } from './connection.ts'
import { type Answer, Gatekeeper, type GatekeeperSetup, type Knock } from './gatekeeper.ts'
import type { Heads } from './heads.ts'
import type { Hub } from './hub.ts'
import type { Nodes } from './nodes.ts'
import type { OfferedTools } from './offered-tools.ts'
import type { Peer } from './peer.ts'
import { type Place, Places } from './places.ts'
import type { Registry } from './registry.ts'
import type { Cancel, Services } from './services.ts'
import type { Line, Speech } from './speech.ts'

/** What a connection needs of the house. */
export interface ConnectionHouse {
  readonly registry: Registry
  readonly hub: Hub
  readonly heads: Pick<Heads, 'current'>
  readonly services: Services
  readonly version: string
  readonly epoch: number
  readonly knock: (knock: Knock) => Promise<Answer>
  readonly refused: (address: string, code: string) => void
  /** Gives an admitted connection its place. @throws {GatewayError} UNAVAILABLE */
  readonly seat: (connection: Connection, admission: Admission) => void
  readonly presence: (connectionId: string, admission: Admission, online: boolean) => void
  readonly handle: (command: Command, origin: Origin) => unknown
  /** The sockets of nodes. */
  readonly nodes: Pick<Nodes, 'attach' | 'detach'>
  /** Tools of clients. */
  readonly offers: Pick<OfferedTools, 'attach' | 'detach'>
  /** Opens upstream's dialect on a connection. */
  readonly upstream: (line: Line) => Speech
}

export interface ConnectionsSetup extends GatekeeperSetup {
  readonly registry: Registry
  readonly hub: Hub
  readonly heads: Pick<Heads, 'current'>
  readonly services: Services
  readonly version: string
  readonly epoch: number
  readonly handle: ConnectionHouse['handle']
  readonly nodes: ConnectionHouse['nodes']
  readonly offers: ConnectionHouse['offers']
  readonly upstream: ConnectionHouse['upstream']
}

const ENDS_SOCKETS: ReadonlySet<string> = new Set(['device.revoked', 'device.rotated'])

/** Keeps every open socket. */
export class Connections {
  #house: ConnectionHouse
  #open = new Map<Connection, Place>()
  #places = new Places()
  #refusals: Refusals
  #nextTick: Cancel = () => {}
  #nextLook: Cancel = () => {}
  #stopped = false

  constructor(setup: ConnectionsSetup) {
    this.#refusals = new Refusals(setup)
    const gatekeeper = new Gatekeeper(setup)
    this.#house = {
      ...setup,
      knock: (knock) => gatekeeper.knock(knock),
      refused: (address, code) => this.#refusals.count(address, code),
      seat: (connection, admission) => this.#open.get(connection)?.seat(admission),
      presence: (connectionId, { deviceId, role }, online) => {
        if (this.#stopped) return
        const ts = setup.services.clock.now()
        setup.hub.announce('presence', { connectionId, deviceId, role, online, ts })
      },
    }
    this.#tickLater()
    this.#lookLater()
  }

  get size(): number {
    return this.#places.size
  }

  /** Open sockets that have not been admitted yet. */
  get waiting(): number {
    return this.#places.waiting
  }

  /** Why an address may not open one more socket now; null: it may. */
  refusal(origin: { address: string; loopback: boolean }): string | null {
    return this.#places.refusal(origin)
  }

  /** Counts a socket that was refused before it became one. */
  refused(address: string, code: string): void {
    this.#refusals.count(address, code)
  }

  /** Takes an upgraded socket and the byte stream beneath it. */
  take(socket: WebSocket, link: Duplex, peer: Peer): void {
    const connection = new Connection(socket, link, peer, this.#house)
    const place = this.#places.take(peer)
    this.#open.set(connection, place)
    link.once('close', () => place.leave())
    void connection.ended.finally(() => this.#open.delete(connection))
  }

  /** Hears of a committed record: who was revoked or got another token is out at once (S35). */
  committed({ stream, event, ignored }: JournalRecord): void {
    if (!ENDS_SOCKETS.has(event.type) || ignored !== null) return
    const pairingId = streamName(stream)
    for (const connection of this.#open.keys()) {
      if (connection.pairingId === pairingId) connection.expel(event.type)
    }
  }

  /** Closes all sockets with 1012 and waits until their closings are recorded, at most so long. */
  async close(graceMs: number): Promise<void> {
    this.#stopped = true
    this.#nextTick()
    this.#nextLook()
    this.#refusals.stop()
    const open = [...this.#open.keys()]
    for (const connection of open) connection.close(1012, 'service restart')
    const ended = Promise.all(open.map((connection) => connection.ended))
    const patience = new Promise<void>((resolve) => {
      this.#house.services.clock.after(graceMs, resolve)
    })
    await Promise.race([ended, patience])
    for (const connection of this.#open.keys()) connection.terminate()
    await Promise.race([ended, new Promise((resolve) => setImmediate(resolve))])
  }

  #lookLater(): void {
    this.#nextLook = this.#house.services.clock.after(limits.halfFrameLookMs, () => {
      for (const connection of this.#open.keys()) connection.look()
      this.#lookLater()
    })
  }

  #tickLater(): void {
    const { hub, heads, services } = this.#house
    const { clock } = services
    this.#nextTick = clock.after(limits.tickIntervalMs, () => {
      const head = heads.current()
      const more = head === null ? {} : { head }
      hub.announce('tick', { ts: clock.now(), position: hub.position, ...more })
      this.#tickLater()
    })
  }
}

interface Tally {
  code: string
  count: number // not recorded yet
}

/** Counts refusals by address; see the head of the file. */
class Refusals {
  #setup: ConnectionsSetup
  #tallies = new Map<string, Tally>()
  #recordedThisHour = 0
  #flush: Cancel = () => {}

  constructor(setup: ConnectionsSetup) {
    this.#setup = setup
    this.#flushLater()
  }

  count(address: string, code: string): void {
    const tally = this.#tallies.get(address)
    if (tally !== undefined) {
      tally.count += 1
      return
    }
    if (this.#tallies.size >= limits.refusalsTrackedMax) return
    this.#tallies.set(address, { code, count: 0 })
    this.#record(address, code, 1)
  }

  stop(): void {
    this.#flush()
  }

  #flushLater(): void {
    this.#flush = this.#setup.services.clock.after(3_600_000, () => {
      this.#recordedThisHour = 0
      for (const [address, { code, count }] of this.#tallies) {
        if (count > 0) this.#record(address, code, count)
      }
      this.#tallies.clear()
      this.#flushLater()
    })
  }

  #record(address: string, code: string, count: number): void {
    if (this.#recordedThisHour >= limits.refusalsRecordedPerHourMax) return
    this.#recordedThisHour += 1
    const { registry, services } = this.#setup
    const event = { type: 'connections.refused', address, count, code }
    const correlationId = services.chance.hex(limits.correlationIdBytes)
    registry
      .deliver(GATEWAY, { event, cause: `ext:ws:${address}`, correlationId })
      .catch((error: unknown) =>
        services.log.error('refusal not recorded', { error: String(error) }),
      )
  }
}
