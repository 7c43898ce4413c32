/**
 * Preloaded into a real gateway: other bounds than those of `protocol/limits.ts`, so that a test of
 * what happens after a minute does not take one. Nothing else differs.
 */
import { limits } from '../../protocol/limits.ts'
import { compiled } from './process.ts'

const VARIABLE = 'OPENCLAW_TEST_LIMITS'

/** The environment under which a process has other bounds. */
export function impatient(bounds: Partial<Record<keyof typeof limits, number>>): NodeJS.ProcessEnv {
  return {
    NODE_OPTIONS: `--import=${compiled('tests/support/impatient.js')}`,
    [VARIABLE]: JSON.stringify(bounds),
  }
}

Object.assign(limits, JSON.parse(process.env[VARIABLE] ?? '{}'))
