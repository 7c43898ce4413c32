/**
 * What one check of `doctor` says, and what a check is.
 */
import type { ResolvedConfig } from '../../protocol/config/defaults.ts'
import type { Settings } from '../settings.ts'
import type { Standing } from '../standing.ts'
import type { CheckedConfig } from './config.ts'

export interface Finding {
  readonly name: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly says: string // what was seen
  readonly todo?: string // what to do about it
}

/** What checks look at; what is costly is looked at once, by whoever asks first. */
export interface CheckContext {
  readonly settings: Settings
  readonly env: NodeJS.ProcessEnv
  readonly now: number // ms since epoch
  readonly checkedConfig: () => Promise<CheckedConfig>
  readonly config: () => Promise<ResolvedConfig | null> // null: it is none
  readonly standing: () => Promise<Standing>
  readonly journal: () => Promise<readonly Finding[]> // each damaged place, or one that is well
}

/** A named check. Its id is what programs match and `--only` takes; it never changes. */
export interface Check {
  readonly id: string
  readonly run: (context: CheckContext) => Promise<readonly Finding[]>
  /** Mends what is safe to mend; says what it did, line by line. */
  readonly fix?: (context: CheckContext) => Promise<readonly string[]>
}

/** A check that found nothing to complain of. */
export function ok(name: string, says: string): Finding {
  return { name, state: 'ok', says }
}

/** Something that works, and that its owner should know of. */
export function warn(name: string, says: string, todo: string): Finding {
  return { name, state: 'warn', says, todo }
}

/** Something that does not work. */
export function fail(name: string, says: string, todo: string): Finding {
  return { name, state: 'fail', says, todo }
}
