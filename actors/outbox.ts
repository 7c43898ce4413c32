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
  readonly run: (effect: Effect, context: EffectContext) => Promise<Outcome>
}

export interface Outbox {
  readonly committed: (record: JournalRecord) => void
  /** Tells an actor that an effect of an earlier process has no outcome. */
  readonly lose: (address: string, effect: OpenEffect) => void
  /** Effects running now. */
  readonly running: () => number
  /** Starts nothing more and records no more outcomes: what runs stays open work. */
  readonly stop: () => void
  /** Resolves when nothing runs. */
  readonly idle: () => Promise<void>
}

/** Opens the outbox over its drivers, by effect name. */
export function openOutbox(
  drivers: ReadonlyMap<string, Driver>,
  router: Router,
  { chance, log }: Services,
): Outbox {
  const running = new Map<string, Promise<void>>()
  let stopped = false

  function start(address: string, effect: Effect, { stream, correlationId }: JournalRecord): void {
    if (stopped) return
    const run = attempt(effect, { address, stream, correlationId })
      .catch((error: unknown) => {
        log.error('effect not run', { stream, effect: address, error: toGatewayError(error).message })
      })
      .finally(() => running.delete(address))
    running.set(address, run)
  }

  async function attempt(effect: Effect, context: EffectContext): Promise<void> {
    const driver = drivers.get(effect.name)
    const outcome =
      driver === undefined
        ? failure('internal', `no driver for ${effect.name}`)
        : await runDriver(driver, effect, context)
    if (outcome !== null) await conclude(effect, context, outcome)
  }

  async function runDriver(
    driver: Driver,
    effect: Effect,
    context: EffectContext,
  ): Promise<Outcome | null> {
    if (driver.visible && (await mark(effect, context)) === null) return null
    if (stopped) return null
    try {
      return await driver.run(effect, context)
    } catch (error) {
      return failure('internal', toGatewayError(error).message)
    }
  }

  function failure(faultClass: string, message: string): Outcome {
    log.error('driver failed', { class: faultClass, error: message })
    return { type: 'effect.failed', class: faultClass, retryable: false, sent: 'maybe' }
  }

  function mark(
    effect: Effect,
    { address, stream, correlationId }: EffectContext,
  ): Promise<JournalRecord | null> {
    const event = { type: 'effect.started', name: effect.name }
    return router.insist(stream, { kind: 'started', event, cause: address, correlationId })
  }

  async function conclude(
    effect: Effect,
    { address, stream, correlationId }: EffectContext,
    outcome: Outcome,
  ): Promise<void> {
    if (stopped) return
    const event = formatOutcome(effect, address, outcome)
    const bodies = outcome.type === 'effect.done' ? outcome.bodies : undefined
    const message = { event, cause: address, correlationId }
    await router.insist(stream, bodies === undefined ? message : { ...message, bodies })
  }

  // Chance is drawn here and recorded, so that back-off can be replayed (K2).
  function formatOutcome(effect: Effect, address: string, outcome: Outcome): JournalEvent {
    const head = { effect: address, name: effect.name, attempt: effect.params['attempt'] ?? 1 }
    if (outcome.type === 'effect.done') return { type: outcome.type, ...head, ...outcome.facts }
    if (outcome.type === 'effect.cancelled') return { type: outcome.type, ...head }
    const random = Math.round(chance.fraction() * 1e6) / 1e6
    return { ...outcome, ...head, retryAfterMs: outcome.retryAfterMs ?? null, random }
  }

  return {
    committed: (record) => {
      for (const [index, effect] of record.effects.entries()) {
        start(outputAddress(record.position, 'e', index), effect, record)
      }
    },
    lose: (address, { name, params, started, stream, correlationId }) => {
      const attempt = params['attempt'] ?? 1
      const event = { type: 'effect.lost', effect: address, name, attempt, started }
      void router.insist(stream as StreamId, { event, cause: address, correlationId })
    },
    running: () => running.size,
    stop: () => {
      stopped = true
    },
    idle: async () => {
      await Promise.all(running.values())
    },
  }
}
