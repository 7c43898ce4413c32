/**
 * The outbox: runs effects whose record is on disk, and brings their outcomes back. Step 7 of 8.
 *
 * An effect that can be seen outside gets a start marker first, so that after a crash *never
 * started* differs from *maybe done* (K6). Every effect has exactly one outcome: done, failed,
 * cancelled, or, told by the next boot, lost. Outcomes go back to the actor that wished.
 */
import type { OpenEffect } from '../machines/projections/open-work.ts'
import { toGatewayError } from '../protocol/errors.ts'
import { outputAddress, type StreamId } from '../protocol/ids.ts'
import type { Effect, JournalEvent, JournalRecord } from '../protocol/record.ts'
import type { BodyDraft } from '../store/contract.ts'
import type { Router } from './router.ts'
import type { Services } from './services.ts'

/** What came of an effect, as its driver tells it. */
export type Outcome =
  | { readonly type: 'effect.done'; readonly facts?: Facts; readonly bodies?: readonly BodyDraft[] }
  | {
      readonly type: 'effect.failed'
      readonly class: string
      readonly retryable: boolean
      readonly retryAfterMs?: number | null
      readonly sent?: 'no' | 'maybe'
      readonly facts?: Facts // beside its class
    }
  | { readonly type: 'effect.cancelled' }

type Facts = Readonly<Record<string, unknown>>

/** What a driver is told beside the effect itself. */
export interface EffectContext {
  readonly address: string
  readonly stream: StreamId
  readonly correlationId: string
}

/** Runs effects of one name. `run` may throw: that is a failure of class `internal`. */
export interface Driver {
  readonly visible: boolean // seen from outside: marked before it starts
  /** Null where the effect can be tried now, else resolves when it can. Must not reject. */
  readonly ready?: (effect: Effect) => Promise<void> | null
  readonly run: (effect: Effect, context: EffectContext) => Promise<Outcome>
}

/** Writes the event that tells an actor of an effect without an outcome. */
export function formatLost(
  address: string,
  { name, params, started }: Pick<OpenEffect, 'name' | 'params' | 'started'>,
): JournalEvent {
  return { type: 'effect.lost', effect: address, name, attempt: params['attempt'] ?? 1, started }
}

/** Runs the effects of committed records through their drivers, by effect name. */
export class Outbox {
  #drivers: ReadonlyMap<string, Driver>
  #router: Router
  #services: Services
  #running = new Map<string, Promise<void>>()
  #draining = false
  #stopped = false

  constructor(drivers: ReadonlyMap<string, Driver>, router: Router, services: Services) {
    this.#drivers = drivers
    this.#router = router
    this.#services = services
  }

  /** Effects running now. */
  get running(): number {
    return this.#running.size
  }

  /** Starts the effects of a committed record. */
  committed(record: JournalRecord): void {
    const { position, stream, correlationId } = record
    for (const [index, effect] of record.effects.entries()) {
      const address = outputAddress(position, 'e', index)
      this.#start(effect, { address, stream, correlationId })
    }
  }

  /** Tells an actor that an effect of an earlier process has no outcome (K6). */
  lose(address: string, effect: OpenEffect): void {
    const { stream, correlationId } = effect
    const event = formatLost(address, effect)
    void this.#router.insist(stream, { event, cause: address, correlationId })
  }

  /** Starts nothing more, so that nothing is marked which is then not tried; what runs goes on. */
  drain(): void {
    this.#draining = true
  }

  /** Starts nothing more and records no more outcomes: what runs stays open work. */
  stop(): void {
    this.#draining = true
    this.#stopped = true
  }

  /** Resolves when nothing that runs now runs any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  // What waits here is neither running nor marked: a process that ends now has not started it.
  #start(effect: Effect, context: EffectContext): void {
    const ready = this.#drivers.get(effect.name)?.ready?.(effect) ?? null
    if (ready === null) this.#launch(effect, context)
    else void ready.then(() => this.#launch(effect, context))
  }

  #launch(effect: Effect, context: EffectContext): void {
    if (this.#draining) return
    const { stream, address } = context
    const run = this.#attempt(effect, context)
      .catch((thrown: unknown) => {
        const error = toGatewayError(thrown).message
        this.#services.log.error('effect not run', { stream, effect: address, error })
      })
      .finally(() => this.#running.delete(address))
    this.#running.set(address, run)
  }

  async #attempt(effect: Effect, context: EffectContext): Promise<void> {
    const driver = this.#drivers.get(effect.name)
    const outcome =
      driver === undefined
        ? this.#failure(`no driver for ${effect.name}`)
        : await this.#run(driver, effect, context)
    if (outcome !== null) await this.#conclude(effect, context, outcome)
  }

  // Null: not run, and nothing to tell; the effect stays open work.
  async #run(driver: Driver, effect: Effect, context: EffectContext): Promise<Outcome | null> {
    if (driver.visible && (await this.#mark(effect, context)) === null) return null
    if (this.#stopped) return null
    try {
      return await driver.run(effect, context)
    } catch (error) {
      return this.#failure(toGatewayError(error).message)
    }
  }

  // A driver's own fault says nothing of what was done outside: `maybe`.
  #failure(error: string): Outcome {
    this.#services.log.error('driver failed', { error })
    return { type: 'effect.failed', class: 'internal', retryable: false, sent: 'maybe' }
  }

  #mark({ name }: Effect, context: EffectContext): Promise<JournalRecord | null> {
    const { address: cause, stream, correlationId } = context
    const event = { type: 'effect.started', name }
    return this.#router.insist(stream, { kind: 'started', event, cause, correlationId })
  }

  async #conclude(effect: Effect, context: EffectContext, outcome: Outcome): Promise<void> {
    if (this.#stopped) return
    const { address: cause, stream, correlationId } = context
    const event = this.#format(effect, cause, outcome)
    const bodies = outcome.type === 'effect.done' ? outcome.bodies : undefined
    const message = { event, cause, correlationId }
    await this.#router.insist(stream, bodies === undefined ? message : { ...message, bodies })
  }

  // Chance is drawn here and recorded, so that back-off can be replayed (K2).
  #format({ name, params }: Effect, address: string, outcome: Outcome): JournalEvent {
    const head = { effect: address, name, attempt: params['attempt'] ?? 1 }
    if (outcome.type === 'effect.done') return { type: outcome.type, ...head, ...outcome.facts }
    if (outcome.type === 'effect.cancelled') return { type: outcome.type, ...head }
    const random = Math.round(this.#services.chance.fraction() * 1e6) / 1e6
    const { facts, ...failure } = outcome
    return { ...facts, ...failure, ...head, retryAfterMs: outcome.retryAfterMs ?? null, random }
  }
}
