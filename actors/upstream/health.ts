/** How the gateway is, in upstream's shape; its clients draw their first screen from it. */
import { DEFAULT_AGENT_ID } from '../../protocol/session-key.ts'
import { limits } from '../../protocol/limits.ts'
import type { Channels } from '../channel.ts'
import { readHealth } from '../health.ts'
import type { MethodHouse } from '../methods/house.ts'

/** The newest sessions, as upstream's reports list them. */
export function recentSessions({ work, services }: MethodHouse) {
  const now = services.clock.now()
  const rows = [...work.sessions.values()].sort((a, b) => b.lastMessageAt - a.lastMessageAt)
  return rows.slice(0, limits.recentSessionsShown).map(({ key, lastMessageAt: updatedAt }) => ({
    key,
    updatedAt,
    age: Math.max(0, now - updatedAt),
  }))
}

/** The report; what our own `health` says beyond it stands under `openclaw`. */
export function readUpstreamHealth(house: MethodHouse): Readonly<Record<string, unknown>> {
  const { services, work, channels } = house
  const names = Object.keys(channels.states())
  const sessions = {
    path: 'journal',
    count: work.sessions.size,
    recent: recentSessions(house),
  }
  const { status } = readHealth(house)
  return {
    ok: true,
    ts: services.clock.now(),
    durationMs: 0,
    plugins: { loaded: [], errors: [], unavailable: [] },
    configReload: { hotReloadStatus: 'active' },
    channels: Object.fromEntries(names.map((name) => [name, channelHealth(channels, name)])),
    channelOrder: names,
    channelLabels: Object.fromEntries(names.map((name) => [name, labelOf(name)])),
    heartbeatSeconds: 0,
    defaultAgentId: DEFAULT_AGENT_ID,
    agents: [{ agentId: DEFAULT_AGENT_ID, isDefault: true, heartbeat: HEARTBEAT, sessions }],
    sessions,
    ...(status === 'healthy' ? {} : { degraded: status }),
  }
}

/** This gateway has no heartbeat runs: said as upstream says that one is off. */
const HEARTBEAT = {
  enabled: false,
  every: 'off',
  everyMs: null,
  prompt: '',
  target: 'none',
  ackMaxChars: 0,
}

/** One channel as its row says it. */
export function channelHealth(channels: Pick<Channels, 'states' | 'reasons'>, name: string) {
  const state = channels.states()[name]
  const lastError = channels.reasons()[name]
  return {
    configured: true,
    linked: state === 'connected',
    state,
    connected: state === 'connected',
    ...(lastError === undefined ? {} : { lastError }),
  }
}

/** A channel's name as people write it. */
export function labelOf(name: string): string {
  return name === 'irc' ? 'IRC' : name.slice(0, 1).toUpperCase() + name.slice(1)
}
