/** What the handlers of methods need, and the shape that each of them has. Step 4 of 8. */
import type { MethodName, MethodParams } from '../../protocol/methods.ts'
import type { Origin } from '../caller.ts'
import type { Heads } from '../heads.ts'
import type { HealthHouse } from '../health.ts'
import type { Idempotency } from '../idempotency.ts'
import type { Approvals } from '../approvals.ts'
import type { Grants } from '../grants.ts'
import type { CronJobs } from '../cron.ts'
import type { Nodes } from '../nodes.ts'
import type { Pairings } from '../pairings.ts'
import type { InFlight } from '../run.ts'
import type { RunEnds } from '../run-ends.ts'
import type { SummaryEnds } from '../summary-ends.ts'
import type { Calls } from '../calls.ts'
import type { Invocations } from '../invocations.ts'
import type { OfferedTools } from '../offered-tools.ts'
import type { ToolRegistry } from '../tools/registry.ts'

export interface MethodHouse extends HealthHouse {
  readonly heads: Heads
  readonly idempotency: Idempotency
  readonly nodes: Nodes
  readonly tools: ToolRegistry
  readonly calls: Calls
  readonly invocations: Invocations // calls of tools that clients ask for themselves
  readonly offers: OfferedTools // by clients, while they are connected
  readonly cron: CronJobs
  readonly approvals: Approvals
  readonly grants: Grants
  readonly pairings: Pairings
  readonly runEnds: RunEnds
  readonly summaryEnds: SummaryEnds
  /** The answer of a run as far as it has come; null where none is being written. */
  readonly inFlight: (runId: string) => InFlight | null
  readonly url: () => string // where clients find this gateway
}

/** Handles one method: checked parameters in, payload of the answer out. */
export type Handler<M extends MethodName> = (
  house: MethodHouse,
  params: MethodParams<M>,
  origin: Origin,
) => unknown
