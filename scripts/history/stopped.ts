/**
 * Takes the gateway's place while none runs, lock and journal, so that what is done to history is a
 * record of the gateway's stream like any other, under a signed head.
 */
import { join } from 'node:path'
import { readCodeIdentity } from '../../actors/code.ts'
import { Heads } from '../../actors/heads.ts'
import { openJournalKey } from '../../actors/journal-key.ts'
import { type Kernel, openKernel } from '../../actors/kernel.ts'
import { takeLock } from '../../actors/lock.ts'
import { type Services, silentLog, systemChance, systemClock } from '../../actors/services.ts'
import { settleSwap } from '../../actors/swap.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import type { Store } from '../../store/contract.ts'
import { readVersion } from '../version.ts'

const services: Services = { clock: systemClock, chance: systemChance, log: silentLog }

/**
 * Runs something over the kernel of a state directory that nobody serves. No effect is tried.
 * @throws {GatewayError} ALREADY_RUNNING, STORE_*: nothing was run; or what `run` throws.
 */
export async function inItsPlace<T>(
  stateDir: string,
  run: (kernel: Kernel) => Promise<T>,
): Promise<T> {
  const [version, startedAt] = [readVersion(), systemClock.now()]
  const info = { pid: process.pid, port: null, startedAt, version, ready: false }
  const lock = await takeLock(stateDir, info)
  try {
    settleSwap(stateDir)
    const store = await openLmdb({ directory: join(stateDir, 'journal') })
    try {
      return await runIn(store, stateDir, run)
    } finally {
      await store.close()
    }
  } finally {
    lock.release()
  }
}

async function runIn<T>(
  store: Store,
  stateDir: string,
  run: (kernel: Kernel) => Promise<T>,
): Promise<T> {
  const kernel = openKernel(store, new Map(), services, readCodeIdentity())
  const heads = new Heads(store, () => openJournalKey(stateDir), services)
  kernel.outbox.drain()
  try {
    return await run(kernel)
  } finally {
    await kernel.stop()
    await heads.sign()
  }
}
