/**
 * Alerts as they run: what troubles the gateway, compared with what its owner was told
 * (machines/alert.ts), and the driver that posts to a webhook.
 *
 * Nothing is recorded where no alerts are configured, nor while nothing changes.
 */
import { type AlertContext, type AlertRoute, isLastTold } from '../machines/alert.ts'
import { countLeft } from '../machines/projections/deliveries.ts'
import type { AlertPostParams } from '../machines/effects.ts'
import type { ResolvedAlerts } from '../protocol/config/defaults.ts'
import { cutText, type StreamId, streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { draftText, readText } from './bodies.ts'
import { type HealthHouse, troublesOf, uptimeOf } from './health.ts'
import type { Driver, Outcome } from './outbox.ts'
import { mib } from './space.ts'
import { postWebhook } from './webhook.ts'

const ALERTS: StreamId = streamId('alert', 'main')
const OF_OWN_KIND: ReadonlySet<string> = new Set(['configuration', 'held', 'tailscale'])

interface House {
  readonly health: HealthHouse
  readonly version: string
  /** How old the newest backup is, in ms; null where none are made. */
  readonly backupAgeMs: () => number | null
}

interface Condition {
  readonly key: string
  readonly says: string
}

/** Looks, and tells its actor what has begun and ended. */
export class Alerts {
  #house: House
  #config: ResolvedAlerts | null
  #crashed = false
  #deadSince = new Map<string, number>() // ms, monotonic, by channel
  #telling = false

  constructor(house: House) {
    this.#house = house
    this.#config = house.health.configuration.live.config.gateway.alerts
  }

  /** Begins, with what is known of the end before. */
  begin({ crashed }: { crashed: boolean }): void {
    this.#crashed = crashed
    this.look()
  }

  /** The driver of `alert.post`. */
  drivers(): [string, Driver][] {
    const run: Driver['run'] = ({ params }) => this.#post(params as unknown as AlertPostParams)
    return [['alert.post', { visible: true, run }]]
  }

  /** Looks once; tells in its own time. */
  look(): void {
    if (this.#config === null || this.#telling) return
    this.#telling = true
    const { log } = this.#house.health.services
    this.#tellChanges(this.#config)
      .catch((error: unknown) => log.error('alert not recorded', { error: String(error) }))
      .finally(() => {
        this.#telling = false
      })
  }

  async #tellChanges(config: ResolvedAlerts): Promise<void> {
    const now = this.#conditions(config)
    const { open } = this.#context()
    const keys = new Set(now.map(({ key }) => key))
    for (const { key, says } of now) {
      if (open[key] === undefined) await this.#tell('trouble.noticed', key, says)
    }
    for (const key of Object.keys(open)) {
      if (!keys.has(key)) await this.#tell('trouble.ended', key, this.#summary(key))
    }
  }

  #context(): AlertContext {
    return this.#house.health.registry.snapshot(ALERTS).context as AlertContext
  }

  #conditions(config: ResolvedAlerts): Condition[] {
    const { health, version, backupAgeMs } = this.#house
    const found: Condition[] = []
    const add = (key: string, says: string): void => void found.push({ key: cutText(key), says })
    if (this.#crashed && uptimeOf(health) * 1_000 < limits.alertCrashQuietMs) {
      add('crashed', `version ${version} was started after a crash`)
    }
    const { freeBytes } = health.store.stats()
    if (freeBytes < limits.alertDiskBytes) {
      add('disk', `only ${mib(freeBytes)} of disk are free`)
    }
    const age = backupAgeMs()
    if (age !== null && age > limits.backupStaleMs) {
      add('backup', `the newest backup is ${Math.round(age / 3_600_000)} hours old`)
    }
    for (const stream of health.quarantined())
      add(`quarantined:${stream}`, `${stream} is set aside`)
    const { uncertain, dead } = countLeft(health.work.deliveries)
    if (uncertain > 0) add('uncertain', waits(uncertain, 'may or may not have been sent'))
    if (dead > 0) add('unsent', waits(dead, 'could not be sent'))
    for (const { kind, says } of troublesOf(health)) if (OF_OWN_KIND.has(kind)) add(kind, says)
    for (const { name, says } of this.#deadChannels(config)) add(`channel:${name}`, says)
    return found
  }

  #deadChannels({ channelDeadMs }: ResolvedAlerts): { name: string; says: string }[] {
    const { channels, services } = this.#house.health
    const now = services.clock.monotonic()
    return Object.entries(channels.states()).flatMap(([name, state]) => {
      if (state === 'connected' || state === 'held') {
        this.#deadSince.delete(name)
        return []
      }
      // Nothing that could come would bring it back: no use in waiting.
      if (state === 'failed') {
        return [{ name, says: `channel ${name} has failed: ${channels.reasons()[name] ?? ''}` }]
      }
      const since = this.#deadSince.get(name) ?? now
      this.#deadSince.set(name, since)
      const minutes = Math.floor((now - since) / 60_000)
      return now - since < channelDeadMs
        ? []
        : [{ name, says: `channel ${name} has been ${state} for ${minutes} minutes` }]
    })
  }

  // Only the end of the last trouble that was told is told, for all of them.
  #summary(last: string): string {
    const context = this.#context()
    return isLastTold(context, last)
      ? `all is well again: ${[...context.ended, last].join(', ')}`
      : ''
  }

  async #tell(type: 'trouble.noticed' | 'trouble.ended', key: string, says: string): Promise<void> {
    const { registry, services } = this.#house.health
    const { chance, log } = services
    const body = says === '' ? null : draftText(chance, `OpenClaw gateway: ${says}`)
    const route = this.#route()
    const event = { type, key, alertId: chance.id(), ref: body?.ref ?? '', route }
    const correlationId = chance.hex(limits.correlationIdBytes)
    const bodies = body === null ? {} : { bodies: [body] }
    await registry.deliver(ALERTS, { event, cause: 'sys:alerts', correlationId, ...bodies })
    log.warn(type === 'trouble.noticed' ? 'trouble noticed' : 'trouble ended', {
      trouble: key,
      says,
    })
  }

  #route(): AlertRoute {
    const { webhook = null, channel = null, target = null, cooldownMs = 0 } = this.#config ?? {}
    return { webhook: webhook !== null, channel, target, cooldownMs }
  }

  async #post({ alertId, ref }: AlertPostParams): Promise<Outcome> {
    const webhook = this.#config?.webhook ?? null
    if (webhook === null) {
      return { type: 'effect.failed', class: 'unconfigured', retryable: false, sent: 'no' }
    }
    const { store, services } = this.#house.health
    if (store.bodyState(ref) === 'erased') {
      return { type: 'effect.failed', class: 'erased', retryable: false, sent: 'no' }
    }
    const at = services.clock.now()
    const body = JSON.stringify({ id: alertId, at, text: readText(store, ref) })
    const { status, retryable, retryAfterMs, reason } = await postWebhook(webhook, {
      id: alertId,
      body,
      at,
    })
    if (status >= 200 && status < 300) return { type: 'effect.done', facts: { status } }
    services.log.error('alert not posted', { alertId, reason })
    const sent = status === 0 ? 'maybe' : 'no'
    return { type: 'effect.failed', class: cutText(reason), retryable, retryAfterMs, sent }
  }
}

function waits(count: number, what: string): string {
  return `${count === 1 ? '1 message' : `${count} messages`} ${what}: openclaw deliveries list`
}
