/**
 * The `openclaw` command under test: a real process of the compiled bin, in a directory of its own.
 */
import { askLock, type LockInfo } from '../../actors/lock.ts'
import { compiled, type Ended, type Running, start } from './process.ts'
import { until } from './wait.ts'

/** Starts a verb; the environment is the state directory and what is given; `shell` as in `start`. */
export function startCli(
  stateDir: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  shell: string | null = null,
): Running {
  const places = { OPENCLAW_STATE_DIR: stateDir, HOME: stateDir, NO_COLOR: '1' }
  return start([compiled('scripts/openclaw.js'), ...args], { ...places, ...env }, shell)
}

/** Runs a verb to its end. */
export function cli(
  stateDir: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  return startCli(stateDir, args, env).ended
}

/** Waits until a gateway serves a state directory; while it starts it may be too busy to say so. */
export function serving(stateDir: string): Promise<LockInfo> {
  return until(async () => {
    const holder = await askLock(stateDir).catch(() => null)
    return holder?.ready === true && holder
  }, 'gateway that serves')
}

/** Starts `openclaw gateway` with the stand-in behind it; `fault` as in stand-in-gateway.ts. */
export function startStandInGateway(
  stateDir: string,
  args: readonly string[],
  fault = '',
): Running {
  const env = { OPENCLAW_STATE_DIR: stateDir, HOME: stateDir, NO_COLOR: '1', STAND_IN_FAULT: fault }
  return start([compiled('tests/support/stand-in-gateway.js'), 'gateway', ...args], env)
}
