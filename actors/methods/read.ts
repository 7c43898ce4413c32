/** Methods that only read: health, sessions.list, and the change of a subscription. */
import type { SessionRow } from '../../machines/projections/open-work.ts'
import type { Handler, MethodHouse } from './house.ts'

/** `{ status, uptime (s), sessions, agents, channels }`, with `probe` also `probes`. */
export const health: Handler<'health'> = (house, { probe }) => {
  const { clock } = house.services
  const quarantined = house.quarantined()
  const { level, ...room } = house.registry.space()
  const isScarce = level === 'scarce'
  const { fault } = house.configuration
  return {
    status: quarantined.length > 0 || isScarce || fault !== null ? 'degraded' : 'healthy',
    uptime: Math.floor((clock.monotonic() - house.startedAt) / 1_000),
    sessions: house.work.sessions.size,
    agents: house.activeRuns(),
    channels: house.channels.states(),
    position: house.work.position,
    ...(quarantined.length > 0 ? { quarantined } : {}),
    ...(level === 'ample' ? {} : { space: { level, ...room } }),
    ...(fault === null
      ? {}
      : { configuration: `the written one is not used: ${fault.split('\n', 1)[0] ?? ''}` }),
    ...(probe === true ? { probes: probeAll(house) } : {}),
  }
}

interface Probe {
  readonly ok: boolean
  readonly ms: number
  readonly detail: string
}

function probeAll(house: MethodHouse): Record<string, Probe> {
  const time = (look: () => { ok: boolean; detail: string }): Probe => {
    const start = house.services.clock.monotonic()
    const { ok, detail } = attempt(look)
    return { ok, detail, ms: Math.round((house.services.clock.monotonic() - start) * 10) / 10 }
  }
  const channels = Object.entries(house.channels.states()).map(([name, state]) => [
    `channel.${name}`,
    time(() => ({ ok: state === 'connected', detail: state })),
  ])
  return {
    journal: time(() => probeJournal(house)),
    disk: time(() => probeDisk(house)),
    ...Object.fromEntries(channels),
  }
}

function attempt(look: () => { ok: boolean; detail: string }): { ok: boolean; detail: string } {
  try {
    return look()
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) }
  }
}

// Reading the newest record proves that the file is there and its checksum holds.
function probeJournal({ store, work }: MethodHouse): { ok: boolean; detail: string } {
  const head = store.head().position
  const readable = head === 0 || store.read(head) !== null
  const { commitMsP99 } = store.stats()
  const detail = `head #${head}, folded to #${work.position}, commit p99 ${commitMsP99.toFixed(1)} ms`
  return { ok: readable && work.position >= head, detail }
}

function probeDisk({ store, registry }: MethodHouse): { ok: boolean; detail: string } {
  const { freeBytes, fileBytes } = store.stats()
  const { level, says } = registry.space()
  const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`
  const detail = `journal ${mib(fileBytes)}, free ${mib(freeBytes)}`
  return { ok: level !== 'scarce', detail: level === 'ample' ? detail : `${detail}; ${says}` }
}

/** `{ sessions: [...] }`, newest first; every row has all seven fields. */
export const sessionsList: Handler<'sessions.list'> = ({ work }) => {
  const rows = [...work.sessions.values()]
  rows.sort((a, b) => b.lastMessageAt - a.lastMessageAt || (a.key < b.key ? -1 : 1))
  return { sessions: rows.map(formatRow) }
}

function formatRow(row: SessionRow): Record<string, unknown> {
  return {
    key: row.key,
    channel: row.channel,
    peer: row.peer,
    model: row.model,
    created: new Date(row.createdAt).toISOString(),
    lastMessageAt: new Date(row.lastMessageAt).toISOString(),
    messageCount: row.messages,
  }
}

/** `{ subscribe, position }`: from now on these event types and no others. */
export const subscribe: Handler<'subscribe'> = async (_house, { events }, { caller, cause }) => {
  const { position } = await caller.subscribe(events, cause)
  return { subscribe: events, position }
}
