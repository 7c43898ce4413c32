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

/** The real random source. */
export const systemChance: Chance = {
  bytes: (count) => randomBytes(count),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
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
