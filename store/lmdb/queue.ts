/**
 * The commit queue: one commit in flight, in the order of the calls, fail-stop.
 *
 *   idle ──submit──► open ──end of turn──► in flight ──all true──► open, or idle
 *                      └─────────┴── a false, an error ──► failed, for ever
 *
 * What is submitted in one turn shares a commit: lmdb-js makes one transaction of all puts of a
 * turn, so while the queue is open a unit's writes go straight to it. Units are never split (S4)
 * and appends never overtake one another (S7).
 *
 * After a failed commit nobody knows what is on the disk: the environment is not touched again and
 * every unit is refused (S5, D-R3). The same after a refused put; but that put does not undo its
 * neighbours, so they are taken back first. Step 6 of 8.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { StoreStats } from '../contract.ts'
import type { Write } from './streams.ts'

/** Writes that are in one commit, and who waits for them. */
export interface CommitUnit {
  readonly writes: readonly Write[] // at most limits.commitOperationsMax
  readonly bytes: number // of all values
  /** Called once: null when the writes are on the medium, else why nobody can say. */
  readonly settle: (fault: Error | null) => void
}

/** What the queue asks of the journal. */
export interface QueueOwner {
  /** Looks at the store before each commit; a fault stops the queue before anything is written. */
  readonly check: () => Error | null
  /** Says why a put was refused: the key was there already. */
  readonly refused: () => Error
  /** Called after each commit whose units are settled. */
  readonly committed: () => void
}

const NO_OVERWRITE = { noOverwrite: true } as const
const TIMES_KEPT = 1_000

/** The queue of one writer. */
export class CommitQueue {
  /** Resolves with the reason once the queue has failed. */
  readonly failed: Promise<Error>
  readonly #owner: QueueOwner
  readonly #resolveFailed: (reason: Error) => void
  readonly #times: number[] = [] // ms of the last commits, a ring
  #failure: Error | null = null
  #waiting: CommitUnit[] = []
  #batch: CommitUnit[] = [] // the commit that is open or in flight
  #operations = 0 // of the batch
  #bytes = 0 // of the batch
  #open = false
  #outstanding = 0 // promises of the batch not yet settled
  #shared: Promise<unknown> | null = null // lmdb-js gives all unconditional puts one promise
  #claims: { write: Write; result: Promise<unknown> }[] = [] // of the batch: puts that may be refused
  #retreating = false
  #startedAt = 0
  #commits = 0
  #idleWaiters: (() => void)[] = []

  constructor(owner: QueueOwner) {
    this.#owner = owner
    const { promise, resolve } = withResolver()
    this.failed = promise
    this.#resolveFailed = resolve
  }

  /** The reason of the failure, or null. */
  failure(): Error | null {
    return this.#failure
  }

  /**
   * Adds a unit; its `settle` is called exactly once, never within this call unless failed.
   * What is `urgent` goes into the next commit, past what waits.
   */
  submit(unit: CommitUnit, urgent = false): void {
    if (this.#failure !== null) {
      unit.settle(this.#failure)
      return
    }
    if (this.#open && this.#waiting.length === 0 && this.#fits(unit)) {
      this.#write(unit)
      return
    }
    if (urgent) this.#waiting.unshift(unit)
    else this.#waiting.push(unit)
    if (this.#batch.length === 0) this.#start()
  }

  /** Resolves when nothing waits and nothing is in flight. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#batch.length === 0 || this.#failure !== null) resolve()
      else this.#idleWaiters.push(resolve)
    })
  }

  /** Stops the queue: everything pending and later is refused with the reason. */
  fail(reason: Error): void {
    if (this.#failure !== null) return
    this.#failure = reason
    this.#open = false
    const refused = [...this.#batch, ...this.#waiting]
    this.#batch = []
    this.#waiting = []
    this.#resolveFailed(reason)
    for (const unit of refused) unit.settle(reason)
    this.#wakeIdle()
  }

  /** Commits since opening, the 99th percentile of the last 1,000, and that under way, in ms. */
  stats(): Pick<StoreStats, 'commits' | 'commitMsP99' | 'commitWaitsMs'> {
    const sorted = this.#times.toSorted((a, b) => a - b)
    const commitMsP99 = sorted[Math.floor(sorted.length * 0.99)] ?? 0
    const commitWaitsMs = this.#batch.length === 0 ? 0 : performance.now() - this.#startedAt
    return { commits: this.#commits, commitMsP99, commitWaitsMs }
  }

  #fits(unit: CommitUnit): boolean {
    if (this.#batch.length === 0) return true
    return (
      this.#operations + unit.writes.length <= limits.commitOperationsMax &&
      this.#bytes + unit.bytes <= limits.commitBytesMax
    )
  }

  #start(): void {
    const fault = this.#owner.check()
    if (fault !== null) {
      this.fail(fault)
      return
    }
    this.#open = true
    this.#operations = 0
    this.#bytes = 0
    this.#startedAt = performance.now()
    // Runs before lmdb-js's own callback, which ends the transaction and is made by the first put.
    setImmediate(() => {
      this.#open = false
    })
    for (let unit = this.#waiting[0]; unit !== undefined; unit = this.#waiting[0]) {
      if (!this.#fits(unit)) return
      this.#waiting.shift()
      this.#write(unit)
    }
  }

  #write(unit: CommitUnit): void {
    this.#batch.push(unit)
    this.#operations += unit.writes.length
    this.#bytes += unit.bytes
    try {
      for (const write of unit.writes) this.#put(write)
    } catch (cause) {
      this.fail(storeFailed('put threw', cause))
    }
  }

  #put(write: Write): void {
    const { table, key, value, once } = write
    let result: Promise<unknown>
    if (value === null) result = table.remove(key)
    else if (once) result = table.put(key, value, NO_OVERWRITE)
    else result = table.put(key, value)
    if (once) this.#claims.push({ write, result })
    if (result === this.#shared) return
    if (!once) this.#shared = result
    this.#outstanding += 1
    result.then(this.#onResult, this.#onFault)
  }

  readonly #onResult = (result: unknown): void => {
    if (this.#failure !== null || this.#retreating) return
    if (result !== true) {
      this.#retreating = true
      void this.#retreat()
      return
    }
    this.#outstanding -= 1
    if (this.#outstanding === 0) this.#finish()
  }

  /**
   * Takes back what a commit wrote beside a refused put, then fails. Another writer is here, and
   * records that do not follow its own would leave the journal broken. Nobody was told of them.
   */
  async #retreat(): Promise<void> {
    try {
      const results = await Promise.all(this.#claims.map(({ result }) => result))
      const written = this.#claims.filter((_, i) => results[i] === true)
      await Promise.all(written.map(({ write }) => write.table.remove(write.key)))
      this.fail(this.#owner.refused())
    } catch (cause) {
      this.#onFault(cause)
    }
  }

  readonly #onFault = (cause: unknown): void => {
    this.fail(commitFault(cause))
  }

  #finish(): void {
    const units = this.#batch
    this.#batch = []
    this.#open = false
    this.#shared = null
    this.#claims = []
    this.#times[this.#commits % TIMES_KEPT] = performance.now() - this.#startedAt
    this.#commits += 1
    for (const unit of units) unit.settle(null)
    this.#owner.committed()
    if (this.#batch.length > 0 || this.#failure !== null) return
    if (this.#waiting.length > 0) this.#start()
    else this.#wakeIdle()
  }

  #wakeIdle(): void {
    const waiters = this.#idleWaiters
    this.#idleWaiters = []
    for (const wake of waiters) wake()
  }
}

/** Makes the fault of a commit that failed, from what its puts were rejected with. */
export function commitFault(cause: unknown): GatewayError {
  // lmdb-js keeps the error number in a promise of its own, which nobody else would handle.
  const inner: unknown = cause instanceof Error ? Reflect.get(cause, 'commitError') : null
  if (inner instanceof Promise) inner.catch(() => {})
  return storeFailed('commit failed', cause)
}

/** Makes the fault that ends a store. */
export function storeFailed(reason: string, cause?: unknown): GatewayError {
  return new GatewayError('STORE_FAILED', `store: ${reason}`, { reason }, cause)
}

function withResolver(): { promise: Promise<Error>; resolve: (reason: Error) => void } {
  let resolve: (reason: Error) => void = () => {}
  const promise = new Promise<Error>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
