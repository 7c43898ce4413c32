/**
 * Upgrades: devices that are in and wait, connected, for what a person says to their wish for more.
 *
 * What waits is in the journal (machines/pairing.ts); here are only those who want to hear its end.
 */
import type { PairingContext } from '../machines/pairing.ts'
import { GatewayError } from '../protocol/errors.ts'
import { streamId, streamName } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { type JournalRecord, parseRecord } from '../protocol/record.ts'
import type { Store } from '../store/contract.ts'
import type { Pairings } from './pairings.ts'

/** What became of a wish for more. */
export type UpgradeEnd = 'approved' | 'rejected' | 'expired'

interface Setup {
  readonly pairings: Pick<Pairings, 'snapshot'>
  readonly store: Pick<Store, 'stream' | 'version'>
}

interface Waiter {
  readonly pairingId: string
  readonly requestId: string
  readonly resolve: (end: UpgradeEnd) => void
}

const ENDS: Readonly<Record<string, UpgradeEnd>> = {
  'upgrade.approved': 'approved',
  'upgrade.rejected': 'rejected',
  'upgrade.expired': 'expired',
}

// These end whatever waits, whoever asked.
const ENDS_ALL: Readonly<Record<string, UpgradeEnd>> = {
  'device.approved': 'approved',
  'device.revoked': 'rejected',
}

export class Upgrades {
  #setup: Setup
  #waiters = new Set<Waiter>()

  constructor(setup: Setup) {
    this.#setup = setup
  }

  /** Hears of a committed record; called once for each, in order. */
  committed({ stream, event, ignored }: JournalRecord): void {
    if (this.#waiters.size === 0 || ignored !== null || !stream.startsWith('pairing:')) return
    const pairingId = streamName(stream)
    for (const waiter of this.#waiters) {
      if (waiter.pairingId !== pairingId) continue
      const isMeant = event['requestId'] === waiter.requestId
      const end = isMeant ? ENDS[event.type] : ENDS_ALL[event.type]
      if (end === undefined) continue
      this.#waiters.delete(waiter)
      waiter.resolve(end)
    }
  }

  /**
   * Resolves when a wish of a device has ended, at once where it has.
   * @throws {GatewayError} NOT_FOUND: it wished nothing of that name lately; UNAVAILABLE:
   * limits.approvalWaitersMax wait already.
   */
  async wait(pairingId: string, requestId: string): Promise<UpgradeEnd> {
    const context = this.#setup.pairings.snapshot(pairingId)?.context as PairingContext | undefined
    if (context?.request?.requestId !== requestId) return this.#past(pairingId, requestId)
    if (this.#waiters.size >= limits.approvalWaitersMax) {
      throw new GatewayError('UNAVAILABLE', `${this.#waiters.size} wait for decisions already`)
    }
    return new Promise((resolve) => {
      this.#waiters.add({ pairingId, requestId, resolve })
    })
  }

  #past(pairingId: string, requestId: string): UpgradeEnd {
    const { store } = this.#setup
    const stream = streamId('pairing', pairingId)
    const from = Math.max(1, store.version(stream) - limits.upgradeRecordsMax)
    for (const stored of store.stream(stream, from)) {
      const { event, ignored } = parseRecord(stored, stored.fields)
      const end = ENDS[event.type]
      if (end !== undefined && ignored === null && event['requestId'] === requestId) return end
    }
    throw new GatewayError('NOT_FOUND', 'scope upgrade expired or not found', { path: 'requestId' })
  }
}
