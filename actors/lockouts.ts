/**
 * The limiter's memory across restarts: `lockouts.json` in the state directory.
 *
 * Written at most once in limits.authSaveDelayMs, whole or not at all, 0600. It holds addresses and
 * times, no credential. A file that is damaged or cannot be written costs the memory, never the
 * start: the log says so.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { limits } from '../protocol/limits.ts'
import { memberOf } from '../protocol/members.ts'
import { Limiter } from './limiter.ts'
import { writePrivate } from './private-file.ts'
import type { Cancel, Services } from './services.ts'

/** A limiter and its end. */
export interface Lockouts {
  readonly limiter: Limiter
  /** Writes what is not yet written. */
  readonly close: () => void
}

/** Opens the limiter of a state directory. */
export function openLockouts(stateDir: string, { clock, log }: Services): Lockouts {
  const path = join(stateDir, 'lockouts.json')
  let planned: Cancel | null = null
  const write = (): void => {
    planned = null
    try {
      mkdirSync(stateDir, { recursive: true, mode: 0o700 })
      const text = JSON.stringify({ format: 1, tallies: limiter.save() })
      writePrivate(path, text, { flush: false }) // Strangers set it off: it must cost little.
    } catch (error) {
      log.warn('lockouts not kept', { path, error: String(error) })
    }
  }
  const limiter = new Limiter(clock, () => {
    planned ??= clock.after(limits.authSaveDelayMs, write)
  })
  try {
    limiter.restore(read(path))
  } catch (error) {
    log.warn('lockouts unreadable, starting without', { path, error: String(error) })
  }
  return {
    limiter,
    close: () => {
      if (planned === null) return
      planned()
      write()
    },
  }
}

function read(path: string): [string, number[], number][] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return [] // None yet.
  }
  const value: unknown = JSON.parse(text)
  const tallies = memberOf(value, 'tallies')
  if (!Array.isArray(tallies)) throw new Error('expected a list of tallies')
  return tallies.filter(isTally)
}

function isTally(value: unknown): value is [string, number[], number] {
  if (!Array.isArray(value)) return false
  const [key, failures, lockedUntil] = value as unknown[]
  if (typeof key !== 'string' || key.length > 128 || typeof lockedUntil !== 'number') return false
  return Array.isArray(failures) && failures.every((at) => typeof at === 'number')
}
