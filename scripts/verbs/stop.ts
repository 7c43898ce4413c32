/**
 * `openclaw gateway stop`: a graceful stop. Work that is not finished stays as open work in the
 * journal and goes on at the next start, so there is nothing to wait for beyond a second.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { askLock } from '../../actors/lock.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { jsonArgs } from '../arguments.ts'
import { show, showJson } from '../output.ts'
import { processName } from '../port-holder.ts'
import { readSettings } from '../settings.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: it was running and is gone; 3: none was running; 1: it is still there. */
export const stop = defineVerb({
  name: 'gateway stop',
  description: 'Stop the running gateway',
  args: jsonArgs,
  async run(args) {
    const { stateDir } = await readSettings({})
    const holder = await askLock(stateDir)
    if (holder === null) {
      const message = `no gateway is running (state in ${stateDir})`
      throw new GatewayError('NOT_RUNNING', message, { stateDir })
    }
    const { pid } = holder
    await assertGateway(pid)
    const startedAt = performance.now()
    signal(pid)
    await awaitEnd(pid)
    const ms = Math.round(performance.now() - startedAt)
    if (args.json) showJson({ ok: true, stopped: true, pid, ms })
    else show(`gateway stopped: process ${pid}, after ${ms} ms`)
    return 0
  },
})

/** Any local program may listen under the lock's name; only a gateway is signalled for it. */
async function assertGateway(pid: number): Promise<void> {
  const name = await processName(pid)
  if (name === null || name.includes('openclaw')) return
  const message = `the lock names process ${pid}, but that is no gateway: ${name}`
  throw new GatewayError('PERMISSION', message, { pid })
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM')
  } catch (cause) {
    if (isGone(cause)) return
    const message = `process ${pid} is not ours to stop`
    throw new GatewayError('PERMISSION', message, { pid }, cause)
  }
}

async function awaitEnd(pid: number): Promise<void> {
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
