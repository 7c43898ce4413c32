/**
 * The doors to the world that actors are handed: time, chance, logging.
 *
 * `Date.now` and the random source stand in this file only. Tests hand in a fake clock and a
 * counted source; machines get neither, only events that carry what was drawn.
 */
import { randomBytes, randomUUID } from 'node:crypto'

/** Stops something that was started; calling it twice is harmless. */
export type Cancel = () => void

export interface Clock {
  readonly now: () => number // ms since epoch
  readonly monotonic: () => number // ms since some start; never steps back
  readonly after: (delayMs: number, run: () => void) => Cancel
}

export interface Chance {
  readonly bytes: (count: number) => Uint8Array
  readonly hex: (bytes: number) => string
  readonly id: () => string // a UUID
  readonly fraction: () => number // 0 <= x < 1
}

export type LogFields = Readonly<Record<string, unknown>>

/** A phrase for people, then fields for programs. No bodies, no secrets. */
export interface Log {
  readonly debug: (phrase: string, fields?: LogFields) => void
  readonly info: (phrase: string, fields?: LogFields) => void
  readonly warn: (phrase: string, fields?: LogFields) => void
  readonly error: (phrase: string, fields?: LogFields) => void
}

export interface Services {
  readonly clock: Clock
  readonly chance: Chance
  readonly log: Log
}

/** The real clock. Timers never keep the process alive by themselves. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.max(0, delayMs))
    timer.unref()
    return () => clearTimeout(timer)
  },
}

const POOL_BYTES = 4_096
let pool = Buffer.alloc(0)
let poolUsed = 0

// Small draws are cut from a pool: one call into the system for a hundred ids.
function drawBytes(count: number): Buffer {
  if (count > POOL_BYTES / 8) return randomBytes(count)
  if (poolUsed + count > pool.length) {
    pool = randomBytes(POOL_BYTES)
    poolUsed = 0
  }
  poolUsed += count
  return pool.subarray(poolUsed - count, poolUsed)
}

/** The real random source. */
export const systemChance: Chance = {
  bytes: drawBytes,
  hex: (bytes) => drawBytes(bytes).toString('hex'),
  id: () => randomUUID(),
  fraction: () => randomBytes(4).readUInt32BE() / 2 ** 32,
}

/** A log that keeps nothing. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
}
