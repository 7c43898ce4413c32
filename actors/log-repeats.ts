/**
 * Lines that repeat: the first few are written, the rest are counted, and the count is a line of its
 * own. Nothing is left out in silence.
 *
 *   limits.logRepeatsMax of the same in limits.logRepeatMs are written as they are
 *   {"msg":"line repeated","line":"websocket refused","lines":37,…}   for those behind them
 *
 * Two lines are the same where level, phrase and fields are; of faults but for what names the occasion.
 */
import { limits } from '../protocol/limits.ts'
import type { Cancel, Clock, LogFields } from './services.ts'

// A fault is the same whatever it befell; a line of what happened is one of its own.
const FAULTS: ReadonlySet<string> = new Set(['warn', 'error'])
const OCCASION: ReadonlySet<string> = new Set(['position', 'correlationId', 'effect', 'cause'])

/** A line as it is compared and, where it repeats, counted. */
export interface LogLine {
  readonly level: string
  readonly phrase: string
  readonly fields: LogFields
}

interface Run {
  readonly line: LogLine
  readonly until: number // ms, monotonic
  seen: number
  left: number // not written
}

/** Counts repeated lines. */
export class Repeats {
  readonly #clock: Clock
  readonly #tell: (line: LogLine, count: number) => void
  readonly #runs = new Map<string, Run>()
  #cancel: Cancel | null = null

  /** `tell` is handed each line with how often it was left out. */
  constructor(clock: Clock, tell: (line: LogLine, count: number) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  /** Tells whether a line is to be written; one that is not is counted. */
  pass(line: LogLine): boolean {
    const key = keyOf(line)
    const now = this.#clock.monotonic()
    const known = this.#runs.get(key)
    if (known === undefined || now >= known.until) {
      if (known !== undefined) this.#end(key, known)
      this.#begin(key, line, now)
      return true
    }
    known.seen += 1
    if (known.seen <= limits.logRepeatsMax) return true
    known.left += 1
    this.#cancel ??= this.#clock.after(limits.logRepeatMs, () => this.settle())
    return false
  }

  /** Tells all that was counted so far. */
  settle(): void {
    this.#cancel?.()
    this.#cancel = null
    for (const [key, run] of this.#runs) this.#end(key, run)
  }

  #begin(key: string, line: LogLine, now: number): void {
    const [oldest] = this.#runs
    if (oldest !== undefined && this.#runs.size >= limits.logRepeatsTracked) this.#end(...oldest)
    this.#runs.set(key, { line, until: now + limits.logRepeatMs, seen: 1, left: 0 })
  }

  #end(key: string, { line, left }: Run): void {
    this.#runs.delete(key)
    if (left > 0) this.#tell(line, left)
  }
}

function keyOf({ level, phrase, fields }: LogLine): string {
  const isFault = FAULTS.has(level)
  const same = Object.entries(fields).filter(([name]) => !isFault || !OCCASION.has(name))
  return JSON.stringify([level, phrase, same])
}
