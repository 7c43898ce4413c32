/**
 * A uvu suite whose cases may throw GatewayErrors.
 *
 * uvu 0.5.6 takes `error.details` for text; on our object it throws while it reports, the rest of
 * the suite is skipped and the process ends with 0. So a GatewayError is rethrown as plain text.
 */
import { suite } from 'uvu'
import { GatewayError } from '../../protocol/errors.ts'

/** Adds a case; `run` starts the suite. */
export interface Cases {
  (title: string, run: () => Promise<void> | void): void
  /** Adds a case that is skipped, and said to be, where there is a reason why it cannot run here. */
  readonly unless: (reason: string | null, title: string, run: () => Promise<void> | void) => void
  readonly run: () => void
}

/** Makes a suite. */
export function cases(name: string): Cases {
  const test = suite(name)
  const add = (title: string, run: () => Promise<void> | void): void => {
    test(title, async () => {
      try {
        await run()
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error
        throw new Error(`${error.code}: ${error.message}\n${error.stack}`, { cause: error })
      }
    })
  }
  const unless: Cases['unless'] = (reason, title, run) => {
    if (reason === null) return add(title, run)
    process.stdout.write(`SKIPPED ${title}: ${reason}\n`)
    test.skip(title, () => {})
  }
  return Object.assign(add, { unless, run: () => test.run() })
}
