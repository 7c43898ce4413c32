/**
 * The process of a gateway as verbs deal with it: signalled, and watched until it is gone.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { processName } from './port-holder.ts'

/**
 * Sends a signal to a gateway; nothing where it is gone.
 * @throws {GatewayError} PERMISSION: the process is no gateway, or not ours.
 */
export async function signalGateway(pid: number, signal: NodeJS.Signals): Promise<void> {
  await assertGateway(pid)
  try {
    process.kill(pid, signal)
  } catch (cause) {
    if (isGone(cause)) return
    const message = `process ${pid} is not ours to signal`
    throw new GatewayError('PERMISSION', message, { pid }, cause)
  }
}

/** Stops a gateway and waits until it is gone. @throws {GatewayError} TIMEOUT, PERMISSION */
export async function endGateway(pid: number): Promise<void> {
  await signalGateway(pid, 'SIGTERM')
  const deadline = performance.now() + limits.stopWaitMs
  while (await isAlive(pid)) {
    if (performance.now() > deadline) {
      const seconds = limits.stopWaitMs / 1_000
      const message = `process ${pid} did not end in ${seconds} s; kill -9 ${pid} loses nothing that was acknowledged`
      throw new GatewayError('TIMEOUT', message, { pid })
    }
    await sleep(limits.stopLookMs)
  }
}

/** Any local program may listen under the lock's name; only a gateway is signalled for it. */
async function assertGateway(pid: number): Promise<void> {
  const name = await processName(pid)
  if (name === null || name.includes('openclaw')) return
  const message = `the lock names process ${pid}, but that is no gateway: ${name}`
  throw new GatewayError('PERMISSION', message, { pid })
}

/** A process that has ended and that nobody reaps, as in some containers, is gone too. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return !isGone(error)
  }
  return process.platform !== 'linux' || (await processName(pid)) !== null
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ESRCH'
}
