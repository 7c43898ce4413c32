/** Services for tests: a fake clock, counted chance, and a log that can be read. */
import type { Chance, Log, LogFields, Services } from '../../actors/services.ts'
import { type FakeClock, openFakeClock } from './clock.ts'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly phrase: string
  readonly fields: LogFields
}

export interface TestServices extends Services {
  readonly clock: FakeClock
  readonly lines: LogLine[]
}

/** Opens services whose every id and byte is the next of a count. */
export function openTestServices(clock = openFakeClock()): TestServices {
  const lines: LogLine[] = []
  return { clock, chance: countedChance(), log: keepingLog(lines), lines }
}

/** Chance that counts: the same in every run. */
export function countedChance(): Chance {
  let count = 0
  const hex = (bytes: number) => {
    count += 1
    return count
      .toString(16)
      .padStart(bytes * 2, '0')
      .slice(-bytes * 2)
  }
  return {
    hex,
    bytes: (size) => Buffer.from(hex(size), 'hex'),
    id: () => `id-${hex(4)}`,
    fraction: () => 0.5,
  }
}

function keepingLog(lines: LogLine[]): Log {
  const keep =
    (level: LogLine['level']) =>
    (phrase: string, fields: LogFields = {}) => {
      lines.push({ level, phrase, fields })
    }
  return { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') }
}
