/**
 * What stands at the door, put together: nodes' sockets, upstream's desk, all connections, pages.
 */
import type { Command } from '../protocol/command.ts'
import type { ResolvedConfig } from '../protocol/config/defaults.ts'
import type { AuthSettings } from './admission.ts'
import { Approvals } from './approvals.ts'
import type { Origin } from './caller.ts'
import { ChannelHooks } from './channel-hooks.ts'
import { Grants } from './grants.ts'
import { Completions } from './completions.ts'
import { Connections } from './connections.ts'
import { ControlWrites } from './control-writes.ts'
import { CronJobs } from './cron.ts'
import type { GatewayOptions } from './gateway.ts'
import type { Kernel } from './kernel.ts'
import type { Lockouts } from './lockouts.ts'
import { handleCommand } from './methods.ts'
import type { MethodHouse } from './methods/house.ts'
import { Nodes } from './nodes.ts'
import type { Driver } from './outbox.ts'
import { openPages, type Pages } from './pages.ts'
import type { Services } from './services.ts'
import { UpstreamDesk } from './upstream/desk.ts'
import { UpstreamSpeech } from './upstream/speech.ts'

/** Opens the sockets of nodes, and what asks them. */
export function openNodes(
  { registry, store, listen }: Kernel,
  services: Services,
  drivers: Map<string, Driver>,
): Nodes {
  const nodes = new Nodes({ registry, store, services })
  drivers.set(...nodes.driver())
  listen((record) => nodes.committed(record))
  return nodes
}

/** Opens what waits for a person, and what waits for its time. */
export function openWaiting(
  { registry, store, work, listen }: Kernel,
  { services, stateDir }: Pick<GatewayOptions, 'services' | 'stateDir'>,
): Pick<MethodHouse, 'approvals' | 'cron' | 'grants'> {
  const approvals = new Approvals({ registry, store, work, services })
  const grants = new Grants({ registry, store, services, stateDir })
  const cron = new CronJobs({ registry, store, services })
  listen((record) => {
    approvals.committed(record)
    grants.committed(record)
    cron.committed(record)
  })
  return { approvals, cron, grants }
}

// One count of control-plane writes, whichever dialect they come in.
function openHandling(house: MethodHouse): (command: Command, origin: Origin) => unknown {
  const writes = new ControlWrites(house.services.clock)
  return (command, origin) => {
    writes.count(command.method, origin.caller.admission.deviceId)
    return handleCommand(house, command, origin)
  }
}

interface DoorParts {
  readonly kernel: Kernel
  readonly lockouts: Lockouts
  readonly desk: UpstreamDesk
}

/** Opens what upstream's clients are told and asked. */
export function openDesk(
  { stateDir, version }: Pick<GatewayOptions, 'stateDir' | 'version'>,
  house: MethodHouse,
  { listen, hub }: Kernel,
): UpstreamDesk {
  const desk = new UpstreamDesk(house, {
    version,
    stateDir,
    auth: authSettings(house.configuration.live.config),
    perform: openHandling(house),
  })
  listen((record) => {
    house.pairings.upgrades.committed(record)
    desk.committed(record)
  })
  house.approvals.hasRoute = (connectionId) =>
    hub.hasApprover(connectionId) || desk.feed.hasApprover(connectionId)
  hub.hear((delta) => desk.delta(delta))
  return desk
}

/** Opens the table of connections, which hears of every record from now on. */
export function openConnections(
  { services, version }: Pick<GatewayOptions, 'services' | 'version'>,
  house: MethodHouse,
  { kernel: { registry, hub, store, listen }, lockouts, desk }: DoorParts,
): Connections {
  const { heads, pairings, configuration } = house
  const connections = new Connections({
    registry,
    hub,
    heads,
    services,
    version,
    epoch: store.epoch(),
    auth: authSettings(configuration.live.config),
    pairings,
    limiter: lockouts.limiter,
    handle: desk.perform,
    nodes: house.nodes,
    offers: house.offers,
    upstream: (line) => new UpstreamSpeech(line, desk),
  })
  listen((record) => connections.committed(record))
  return connections
}

/** What the door answers to HTTP beside probes; null: not configured. */
export interface Web {
  readonly pages: Pages | null
  readonly completions: Completions | null
  readonly hooks: ChannelHooks
}

/** Opens what is configured of it. */
export function openWeb(
  house: MethodHouse,
  { hub }: Kernel,
  { limiter }: Pick<Lockouts, 'limiter'>,
): Web {
  const { config } = house.configuration.live
  const { controlUi, completions } = config.gateway
  const auth = authSettings(config)
  return {
    pages: controlUi === null ? null : openPages(controlUi),
    hooks: new ChannelHooks(house.channels, house.services.log),
    completions: completions ? new Completions({ house, hub, auth, limiter }) : null,
  }
}

/** How people show who they are. */
export function authSettings({ gateway: { auth } }: ResolvedConfig): AuthSettings {
  const { autoApprove } = auth
  const secret = auth.mode === 'password' ? auth.password : auth.token
  if (secret === null) return { mode: 'none', secret: '', autoApprove }
  return { mode: auth.mode, secret, autoApprove }
}
