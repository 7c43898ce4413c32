/**
 * Numbers for Prometheus, read when they are asked for. Labels are names of the configuration and
 * of kinds; never of people, sessions or rooms.
 */
import { Counter, Gauge, Registry } from 'prom-client'
import type { GatewayContext } from '../machines/gateway.ts'
import { GATEWAY } from '../protocol/ids.ts'
import { TROUBLE_KINDS, troublesOf, uptimeOf } from './health.ts'
import type { ProbeHouse } from './probes.ts'

type Labels = Readonly<Record<string, string>>

/** Writes all numbers in Prometheus' text format. */
export async function formatMetrics(house: ProbeHouse): Promise<{ type: string; body: string }> {
  const sheet = new Sheet()
  addProcess(sheet, house)
  addJournal(sheet, house)
  addWork(sheet, house)
  addChannels(sheet, house)
  const { registry } = sheet
  return { type: registry.contentType, body: await registry.metrics() }
}

/** One reading: a registry of its own, so that a number that is gone is not told. */
class Sheet {
  readonly registry = new Registry()
  #gauges = new Map<string, Gauge>()

  gauge(name: string, help: string, value: number, labels: Labels = {}): void {
    const known = this.#gauges.get(name)
    const labelNames = Object.keys(labels)
    const gauge = known ?? new Gauge({ name, help, labelNames, registers: [this.registry] })
    this.#gauges.set(name, gauge)
    gauge.set(labels, value)
  }

  counter(name: string, help: string, value: number): void {
    new Counter({ name, help, registers: [this.registry] }).inc(value)
  }
}

function addProcess(sheet: Sheet, house: ProbeHouse): void {
  const { version } = house
  const { lagMs, lagMsMax, utilization } = house.loop()
  const { crashes } = house.registry.snapshot(GATEWAY).context as GatewayContext
  sheet.gauge('openclaw_info', 'Version of the gateway.', 1, { version })
  sheet.gauge('openclaw_uptime_seconds', 'Since the gateway was started.', uptimeOf(house))
  sheet.counter('openclaw_crashes_total', 'Boots that followed no ordered stop.', crashes)
  sheet.gauge('openclaw_event_loop_lag_seconds', 'How late the last look was.', lagMs / 1_000)
  sheet.gauge('openclaw_event_loop_lag_seconds_max', 'Since start.', lagMsMax / 1_000)
  sheet.gauge('openclaw_event_loop_utilization', 'Share of time, 0 to 1.', utilization)
  sheet.gauge('process_resident_memory_bytes', 'Memory.', process.memoryUsage.rss())
}

function addJournal(sheet: Sheet, { store, work }: ProbeHouse): void {
  const stats = store.stats()
  const { commitMsP99, commitWaitsMs, freeBytes, fileBytes } = stats
  sheet.gauge('openclaw_journal_records', 'Records that are kept.', stats.records)
  sheet.gauge('openclaw_journal_bodies', 'Bodies that are kept.', stats.bodies)
  sheet.counter('openclaw_journal_position_total', 'Records ever appended.', work.position)
  sheet.counter('openclaw_journal_commits_total', 'Commits since start.', stats.commits)
  sheet.gauge('openclaw_journal_commit_seconds_p99', 'Of 1,000 commits.', commitMsP99 / 1_000)
  sheet.gauge('openclaw_journal_commit_waits_seconds', 'Commit in hand.', commitWaitsMs / 1_000)
  sheet.gauge('openclaw_journal_bytes', 'Size of the file.', fileBytes)
  sheet.gauge('openclaw_disk_free_bytes', 'Free where the journal is.', freeBytes)
}

function addWork(sheet: Sheet, house: ProbeHouse): void {
  const { work, registry } = house
  const open = { effects: work.effects, sends: work.sends, waits: work.waits }
  for (const [kind, { size }] of Object.entries(open)) {
    sheet.gauge('openclaw_open_work', 'Not finished yet, by kind.', size, { kind })
  }
  sheet.gauge('openclaw_sessions', 'Sessions.', work.sessions.size)
  sheet.gauge('openclaw_runs_active', 'Runs under way.', house.activeRuns())
  sheet.gauge('openclaw_connections', 'Open sockets.', house.connections())
  sheet.gauge('openclaw_actors_awake', 'Actors awake.', registry.awake)
  const troubles = new Set(troublesOf(house).map(({ kind }) => kind))
  for (const kind of TROUBLE_KINDS) {
    const value = troubles.has(kind) ? 1 : 0
    sheet.gauge('openclaw_trouble', 'What is wrong now, by kind.', value, { kind })
  }
}

function addChannels(sheet: Sheet, { channels }: ProbeHouse): void {
  const evidence = channels.evidence()
  for (const [channel, state] of Object.entries(channels.states())) {
    const isUp = state === 'connected' ? 1 : 0
    sheet.gauge('openclaw_channel_connected', '1 with recent evidence.', isUp, { channel })
    const age = evidence[channel]
    if (typeof age !== 'number') continue
    sheet.gauge('openclaw_channel_evidence_age_seconds', 'Last heard.', age, { channel })
  }
}
