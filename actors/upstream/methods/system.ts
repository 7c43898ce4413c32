/** The machine and the channels, as upstream's clients show them. Step 4 of 8. */
import { arch, cpus, freemem, hostname, loadavg, platform, release, totalmem, type } from 'node:os'
import { uptimeOf } from '../../health.ts'
import { channelHealth, labelOf } from '../health.ts'
import type { UpstreamHouse } from '../house.ts'

/** Facts of this machine and process. */
export function readSystem(house: UpstreamHouse): unknown {
  const [cpu] = cpus()
  const name = hostname()
  return {
    machineName: name,
    hostname: name,
    platform: platform(),
    release: release(),
    arch: arch(),
    osLabel: `${type()} ${release()}`,
    nodeVersion: process.version,
    pid: process.pid,
    processInstanceId: house.bootId,
    uptimeMs: uptimeOf(house) * 1_000,
    cpuCount: cpus().length,
    ...(cpu === undefined ? {} : { cpuModel: cpu.model }),
    loadAverage: loadavg(),
    memoryTotalBytes: totalmem(),
    memoryFreeBytes: freemem(),
  }
}

/** Every configured channel with its one account. */
export function readChannels(house: UpstreamHouse, { channel }: { channel?: string | undefined }) {
  const { channels, services } = house
  const states = channels.states()
  const order = Object.keys(states).filter((name) => channel === undefined || name === channel)
  const evidence = channels.evidence()
  const now = services.clock.now()
  const each = <T>(make: (name: string) => T): Record<string, T> =>
    Object.fromEntries(order.map((name) => [name, make(name)]))
  return {
    ts: now,
    channelOrder: order,
    channelLabels: each(labelOf),
    channelDetailLabels: each(labelOf),
    channelSystemImages: {},
    channelMeta: order.map((id) => ({ id, label: labelOf(id), detailLabel: labelOf(id) })),
    channels: each((name) => channelHealth(channels, name)),
    channelAccounts: each((name) => [
      {
        accountId: ACCOUNT,
        enabled: true,
        ...channelHealth(channels, name),
        running: states[name] !== 'held',
        healthState: states[name] === 'connected' ? 'healthy' : String(states[name]),
        ...lastHeard(evidence[name], now),
      },
    ]),
    channelDefaultAccountId: each(() => ACCOUNT),
  }
}

/** The one account that every channel has. */
export const ACCOUNT = 'default'

function lastHeard(seconds: number | undefined, now: number) {
  if (seconds === undefined) return {}
  return { lastTransportActivityAt: Math.max(0, now - seconds * 1_000) }
}
