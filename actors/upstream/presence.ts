/**
 * Who is here, as upstream's clients see it: this gateway, and the people's programs and nodes that
 * are connected. Programs that come and go with a command are not shown.
 */
import { hostname, release, type as systemType } from 'node:os'
import type { UpstreamClient } from '../../protocol/dialect/upstream/connect.ts'
import { limits } from '../../protocol/limits.ts'
import type { Services } from '../services.ts'
import type { Feed } from './feed.ts'

/** One line of the list. */
export type PresenceEntry = Readonly<Record<string, unknown>> & { readonly ts: number }

const SHOWN_MODES: ReadonlySet<string> = new Set(['ui', 'webchat', 'node'])

interface Guest {
  readonly deviceId: string | null
  readonly client: UpstreamClient
  readonly role: 'operator' | 'node'
  readonly scopes: readonly string[]
}

export class PresenceBook {
  #services: Services
  #feed: Feed
  #self: PresenceEntry
  #guests = new Map<string, PresenceEntry>()
  #devices = new Map<string, string>() // by connection

  constructor(services: Services, feed: Feed, version: string, instanceId: string) {
    this.#services = services
    this.#feed = feed
    const host = hostname()
    this.#self = {
      host,
      version,
      platform: `${process.platform} ${release()}`,
      deviceFamily: systemType(),
      mode: 'gateway',
      reason: 'self',
      instanceId,
      text: `Gateway: ${host} · app ${version} · mode gateway · reason self`,
      ts: services.clock.now(),
    }
  }

  /** This gateway first, then who came, in that order. */
  list(): PresenceEntry[] {
    const now = this.#services.clock.now()
    return [{ ...this.#self, ts: now }, ...this.#guests.values()]
  }

  /** Tells whether a device is connected, shown or not. */
  has(deviceId: string): boolean {
    return [...this.#devices.values()].includes(deviceId)
  }

  enter(connectionId: string, guest: Guest): void {
    if (guest.deviceId !== null) this.#devices.set(connectionId, guest.deviceId)
    this.#show(connectionId, guest)
  }

  leave(connectionId: string): void {
    this.#devices.delete(connectionId)
    if (this.#guests.delete(connectionId)) this.#changed()
  }

  #show(connectionId: string, guest: Guest): void {
    const { client, role, scopes, deviceId } = guest
    if (!SHOWN_MODES.has(client.mode) || this.#guests.size >= limits.presenceEntriesMax) return
    const now = this.#services.clock.now()
    const host = client.displayName ?? client.id
    const facts = { host, version: client.version, platform: client.platform }
    this.#guests.set(connectionId, {
      ...facts,
      ...(client.deviceFamily === undefined ? {} : { deviceFamily: client.deviceFamily }),
      ...(client.modelIdentifier === undefined ? {} : { modelIdentifier: client.modelIdentifier }),
      ...(client.instanceId === undefined ? {} : { instanceId: client.instanceId }),
      ...(deviceId === null ? {} : { deviceId }),
      mode: client.mode,
      reason: 'connect',
      roles: [role],
      scopes,
      text: `Node: ${host} · app ${client.version} · mode ${client.mode} · reason connect`,
      ts: now,
      onlineSince: now,
    })
    this.#changed()
  }

  #changed(): void {
    this.#feed.picture('presence', { presence: this.list() })
  }
}
