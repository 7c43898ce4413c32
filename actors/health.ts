/**
 * How the gateway is: what it says of itself at once, and what troubles it. Probes that look first
 * stand in checkup.ts.
 */
import { countLeft } from '../machines/projections/deliveries.ts'
import type { OpenWork } from '../machines/projections/open-work.ts'
import type { StreamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { Store } from '../store/contract.ts'
import type { Channels } from './channel.ts'
import type { ConfigKeeper } from './config.ts'
import { readHold, sayHold } from './hold.ts'
import { readPulse } from './pulse.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'
import type { Space } from './space.ts'

/** What health is read from. */
export interface HealthHouse {
  readonly registry: Registry
  readonly store: Store
  readonly work: OpenWork
  readonly channels: Channels
  readonly services: Services
  readonly configuration: ConfigKeeper
  readonly startedAt: number // ms, monotonic
  readonly activeRuns: () => number
  readonly quarantined: () => readonly StreamId[]
  /** Why Tailscale does not carry us although it should; null where it does. */
  readonly tailscaleFault: () => string | null
}

/** What can be wrong while the gateway serves. */
export const TROUBLE_KINDS = [
  'journal',
  'disk',
  'configuration',
  'quarantined',
  'held',
  'channel',
  'tailscale',
] as const
export type TroubleKind = (typeof TROUBLE_KINDS)[number]

export interface Trouble {
  readonly kind: TroubleKind
  readonly says: string
}

/** Lists what is wrong now, the worst first. */
export function troublesOf(house: HealthHouse): Trouble[] {
  const { store, configuration, registry } = house
  const troubles: Trouble[] = []
  const add = (kind: TroubleKind, says: string): void => void troubles.push({ kind, says })
  const pulse = readPulse(store)
  if (pulse !== null) add('journal', pulse)
  const space = roomOf(registry)
  if (space?.level === 'scarce') add('disk', `${space.says}: new work is refused`)
  const quarantined = house.quarantined()
  if (quarantined.length > 0) add('quarantined', `set aside: ${quarantined.join(', ')}`)
  const { fault } = configuration
  if (fault !== null) {
    add('configuration', `the written one is not used: ${fault.split('\n', 1)[0] ?? ''}`)
  }
  const hold = readHold(registry)
  if (hold !== null) add('held', sayHold(hold))
  for (const says of deadChannels(house)) add('channel', says)
  const reach = house.tailscaleFault()
  if (reach !== null) add('tailscale', reach)
  return troubles
}

// One that was not heard of for too long, or that does not come up, is not well either.
function deadChannels({ channels }: HealthHouse): string[] {
  const [reasons, down, evidence] = [channels.reasons(), channels.down(), channels.evidence()]
  return Object.entries(channels.states()).flatMap(([name, state]) => {
    const why = reasons[name] ?? 'for an unknown reason'
    if (state === 'failed') {
      return [`${name} has failed: ${why}; to try again: openclaw gateway release`]
    }
    if (state === 'silent') return [`${name} was last heard of ${evidence[name] ?? '?'} s ago`]
    const downMs = down[name] ?? 0
    if (state !== 'connecting' || downMs < limits.alertChannelDeadMs) return []
    return [`${name} has not come up for ${Math.floor(downMs / 60_000)} minutes: ${why}`]
  })
}

// A store that has failed says nothing of its disk.
function roomOf(registry: Registry): Space | null {
  try {
    return registry.space()
  } catch {
    return null
  }
}

const IN_OWN_MEMBERS: ReadonlySet<TroubleKind> = new Set(['quarantined', 'channel'])

/** The report: the specification's members, then what is wrong, and how old evidence is, in s. */
export function readHealth(house: HealthHouse): Record<string, unknown> {
  const troubles = troublesOf(house)
  const sayings = troubles.flatMap(({ kind, says }) =>
    IN_OWN_MEMBERS.has(kind) ? [] : [[kind, says] as const],
  )
  const quarantined = house.quarantined()
  const evidence = house.channels.evidence()
  const reasons = house.channels.reasons()
  const lost = house.channels.lost()
  const space = roomOf(house.registry)
  const left = countLeft(house.work.deliveries)
  return {
    status: troubles.length > 0 ? 'degraded' : 'healthy',
    uptime: uptimeOf(house),
    sessions: house.work.sessions.size,
    agents: house.activeRuns(),
    channels: house.channels.states(),
    position: house.work.position,
    ...(Object.keys(evidence).length > 0 ? { evidence } : {}),
    ...(Object.keys(reasons).length > 0 ? { reasons } : {}),
    ...(Object.keys(lost).length > 0 ? { lost } : {}),
    ...(quarantined.length > 0 ? { quarantined } : {}),
    ...(left.uncertain + left.dead > 0 ? { deliveries: left } : {}),
    ...(space === null || space.level === 'ample' ? {} : { space }),
    ...Object.fromEntries(sayings),
  }
}

/** How long this gateway has been up, in s. */
export function uptimeOf({ services, startedAt }: HealthHouse): number {
  return Math.floor((services.clock.monotonic() - startedAt) / 1_000)
}
