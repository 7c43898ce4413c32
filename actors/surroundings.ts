/**
 * The gateway and the machine around it: heartbeat, Tailscale, mDNS, the certificate, what its owner is
 * told, and what it answers to programs that watch.
 */
import type { GatewayContext } from '../machines/gateway.ts'
import { GATEWAY } from '../protocol/ids.ts'
import type { JournalEvent } from '../protocol/record.ts'
import type { AuthSettings } from './admission.ts'
import { Alerts } from './alerts.ts'
import { Announcer } from './announcer.ts'
import type { HealthHouse } from './health.ts'
import { Heartbeat } from './heartbeat.ts'
import type { DoorLists } from './hosts.ts'
import type { Limiter } from './limiter.ts'
import type { Listener } from './listener.ts'
import { openProbes, type Probes } from './probes.ts'
import { findHolder, heldSays } from './pulse.ts'
import { Tailscale } from './tailscale.ts'
import { type Tls, watchTls } from './tls.ts'

interface House {
  readonly health: HealthHouse
  readonly version: string
  readonly env: NodeJS.ProcessEnv
  readonly tls: Tls | null
  readonly auth: AuthSettings
  readonly limiter: Limiter
  readonly connections: () => number
  readonly tell: (event: JournalEvent, cause: string) => Promise<unknown>
  /** Fires what is due: time has gone by unseen. */
  readonly wake: () => void
  readonly backupAgeMs: () => number | null
}

/** Opened with the gateway; serving from its listener's opening to its stop. */
export class Surroundings {
  readonly probes: Probes
  readonly tailscale: Tailscale
  readonly alerts: Alerts
  readonly lists: DoorLists
  readonly #announcer: Announcer
  readonly #house: House
  readonly #heartbeat: Heartbeat
  readonly #beats: (() => void)[] = []
  #listener: Listener | null = null
  #holder: number | null = null // pid of a reader that holds an old moment

  constructor(house: House) {
    this.#house = house
    const { health } = house
    const { allowedHosts, allowedOrigins } = health.configuration.live.config.gateway
    const lists = { allowedHosts: [...allowedHosts], allowedOrigins: [...allowedOrigins] }
    this.lists = lists
    this.tailscale = this.#openTailscale((name) => {
      lists.allowedHosts.push(name)
      lists.allowedOrigins.push(`https://${name}`)
    })
    this.#announcer = new Announcer(health.services)
    this.alerts = new Alerts(house)
    this.#heartbeat = this.#openHeartbeat()
    this.probes = openProbes({
      ...health,
      version: house.version,
      auth: house.auth,
      limiter: house.limiter,
      connections: house.connections,
      isReady: () => this.#listener !== null,
      loop: () => this.#heartbeat.loop,
    })
  }

  /** Begins when clients can connect; `crashed` tells how the life before ended. */
  serving(listener: Listener, cause: string, crashed: boolean): void {
    this.#listener = listener
    this.alerts.begin({ crashed })
    this.#beats.push(
      () => this.alerts.look(),
      () => this.#lookForHolder(),
    )
    this.#watchCertificate(listener)
    void this.tailscale.claim(cause)
    void this.#announce(listener.port)
  }

  /** Ends: nobody is told ready any more. Resolves when nothing outside points here any more. */
  async leaving(): Promise<void> {
    const wasServing = this.#listener !== null
    this.#listener = null
    this.#heartbeat.stop()
    // One that never served claimed nothing; what an earlier life left is for the next to undo.
    if (!wasServing) return
    await Promise.all([this.tailscale.reset('sys:stop'), this.#announcer.stop()])
  }

  // Upstream's variable turns off what is configured: one environment for both gateways.
  #announce(port: number): Promise<void> {
    const { health, env, tls } = this.#house
    const { gateway, discovery } = health.configuration.live.config
    const { address, loopback } = gateway
    const mode = env['OPENCLAW_DISABLE_BONJOUR'] === '1' ? 'off' : discovery
    return this.#announcer.start({ mode, address, loopback, port, tls: tls !== null })
  }

  #lookForHolder(): void {
    const { store, services } = this.#house.health
    const pid = findHolder(store)
    if (pid !== null && pid !== this.#holder) services.log.warn(heldSays(pid), { pid })
    this.#holder = pid
  }

  // The record comes first: what falls due then is caused by time that the journal knows of.
  #openHeartbeat(): Heartbeat {
    const { health, tell, wake } = this.#house
    const { services } = health
    const { log } = services
    return new Heartbeat({
      services,
      slept: (ms) => {
        log.warn('the host has slept, or its clock was set', { ms })
        const told = tell({ type: 'host.slept', ms }, 'sys:heartbeat')
        told.then(wake, (error: unknown) => {
          log.error('sleep not recorded', { error: String(error) })
        })
      },
      beat: () => {
        for (const beat of this.#beats) beat()
      },
    })
  }

  #openTailscale(named: (name: string) => void): Tailscale {
    const { health, tell, env } = this.#house
    const { services, configuration, registry } = health
    const { tailscale: mode, tls } = configuration.live.config.gateway
    const port = (): number => this.#listener?.port ?? 0
    return new Tailscale({
      mode,
      env,
      services,
      tell,
      named,
      state: () => registry.snapshot(GATEWAY).context as GatewayContext,
      target: () => (tls === null ? String(port()) : `https+insecure://127.0.0.1:${port()}`),
    })
  }

  #watchCertificate({ renew }: Listener): void {
    const { tls, health } = this.#house
    const { configuration, services } = health
    const { tls: named } = configuration.live.config.gateway
    if (tls === null || named === null) return
    const configPath = configuration.path
    this.#beats.push(watchTls(tls, { named, configPath, services, renew }))
  }
}
