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

/** Services of whoever stands in for the gateway: its clock, and no log. */
export const quietServices: Services = {
  clock: systemClock,
  chance: systemChance,
  log: silentLog,
}

/**
 * Runs something over the kernel of a state directory that nobody serves. No effect is tried.
 * @throws {GatewayError} ALREADY_RUNNING, STORE_*: nothing was run; or what `run` throws.
 */
export function inItsPlace<T>(stateDir: string, run: (kernel: Kernel) => Promise<T>): Promise<T> {
  return whileStopped(stateDir, async () => {
    const store = await openLmdb({ directory: join(stateDir, 'journal') })
    try {
      return await overKernel(store, stateDir, run)
    } finally {
      await store.close()
    }
  })
}

/**
 * Does something while no gateway runs, and none can start; a swap that was decided is ended first.
 * @throws {GatewayError} ALREADY_RUNNING; STORE_CORRUPT, PERMISSION as `settleSwap`.
 */
export async function whileStopped<T>(stateDir: string, work: () => Promise<T>): Promise<T> {
  const [version, startedAt] = [readVersion(), systemClock.now()]
  const info = { pid: process.pid, port: null, startedAt, version, ready: false }
  const lock = await takeLock(stateDir, info)
  try {
    settleSwap(stateDir)
    return await work()
  } finally {
    lock.release()
  }
}

/** Runs something over the kernel of a store, where no effect is tried; then signs its head. */
export async function overKernel<T>(
  store: Store,
  stateDir: string,
  run: (kernel: Kernel) => Promise<T>,
): Promise<T> {
  const kernel = openKernel(store, new Map(), quietServices, readCodeIdentity())
  const heads = new Heads(store, () => openJournalKey(stateDir), quietServices)
  kernel.outbox.drain() // Whatever is wished for from now on stays open.
  try {
    return await run(kernel)
  } finally {
    await kernel.stop()
    await heads.sign()
  }
}
