/** What the handlers of methods need, and the shape that each of them has. Step 4 of 8. */
import type { OpenWork } from '../../machines/projections/open-work.ts'
import type { MethodName, MethodParams } from '../../protocol/methods.ts'
import type { Store } from '../../store/contract.ts'
import type { Origin } from '../caller.ts'
import type { Channels } from '../channel.ts'
import type { ConfigKeeper } from '../config.ts'
import type { Heads } from '../heads.ts'
import type { Idempotency } from '../idempotency.ts'
import type { Pairings } from '../pairings.ts'
import type { Registry } from '../registry.ts'
import type { Services } from '../services.ts'
import type { StreamId } from '../../protocol/ids.ts'

export interface MethodHouse {
  readonly registry: Registry
  readonly store: Store
  readonly heads: Heads
  readonly work: OpenWork
  readonly idempotency: Idempotency
  readonly channels: Channels
  readonly pairings: Pairings
  readonly url: () => string // where clients find this gateway
  readonly services: Services
  readonly configuration: ConfigKeeper
  readonly startedAt: number // ms, monotonic
  readonly activeRuns: () => number
  readonly quarantined: () => readonly StreamId[]
}

/** Handles one method: checked parameters in, payload of the answer out. */
export type Handler<M extends MethodName> = (
  house: MethodHouse,
  params: MethodParams<M>,
  origin: Origin,
) => unknown
