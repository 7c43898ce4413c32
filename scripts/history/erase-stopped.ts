/**
 * Erases while no gateway runs: takes its place for the time of it, lock and journal, so that the
 * erasure is a record of the gateway's stream like any other, under a signed head.
 */
import { join } from 'node:path'
import { readCodeIdentity } from '../../actors/code.ts'
import { type EraseReport, type EraseRequest, eraseHistory } from '../../actors/erase.ts'
import { Heads } from '../../actors/heads.ts'
import { openJournalKey } from '../../actors/journal-key.ts'
import { openKernel } from '../../actors/kernel.ts'
import { takeLock } from '../../actors/lock.ts'
import { type Services, silentLog, systemChance, systemClock } from '../../actors/services.ts'
import { settleSwap } from '../../actors/swap.ts'
import { GATEWAY } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import type { Store } from '../../store/contract.ts'
import { readVersion } from '../version.ts'

const services: Services = { clock: systemClock, chance: systemChance, log: silentLog }

/**
 * Erases in a state directory that nobody serves.
 * @throws {GatewayError} ALREADY_RUNNING, NOT_FOUND, STORE_*: nothing was erased, or not all.
 */
export async function eraseStopped(stateDir: string, request: EraseRequest): Promise<EraseReport> {
  const [version, startedAt] = [readVersion(), systemClock.now()]
  const info = { pid: process.pid, port: null, startedAt, version, ready: false }
  const lock = await takeLock(stateDir, info)
  try {
    settleSwap(stateDir)
    const store = await openLmdb({ directory: join(stateDir, 'journal') })
    try {
      return await eraseIn(store, stateDir, request)
    } finally {
      await store.close()
    }
  } finally {
    lock.release()
  }
}

async function eraseIn(
  store: Store,
  stateDir: string,
  request: EraseRequest,
): Promise<EraseReport> {
  const kernel = openKernel(store, new Map(), services, readCodeIdentity())
  const heads = new Heads(store, () => openJournalKey(stateDir), services)
  try {
    return await eraseHistory(store, request, (event) => {
      const correlationId = systemChance.hex(limits.correlationIdBytes)
      const message = { event, cause: 'sys:erase', correlationId }
      return kernel.registry.deliver(GATEWAY, message)
    })
  } finally {
    await kernel.stop()
    await heads.sign()
  }
}
