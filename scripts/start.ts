/**
 * Starts a gateway with its journal verified meanwhile: the child reads the journal's end while
 * this process loads its modules. Called with the state directory's lock in hand.
 */
import { join } from 'node:path'
import type { GatewayOptions, RunningGateway } from '../actors/gateway.ts'
import { settleSwap } from '../actors/swap.ts'
import { verifyTail } from '../store/lmdb/check.ts'

/** Verifies, imports and starts. @throws {GatewayError} as startGateway */
export async function startVerified(options: GatewayOptions): Promise<RunningGateway> {
  settleSwap(options.stateDir) // A restore that was cut short is ended first.
  const verified = verifyTail(join(options.stateDir, 'journal'))
  verified.catch(() => {}) // Awaited by the store; a refusal meanwhile is no unhandled one.
  const { startGateway } = await import('../actors/gateway.ts')
  return startGateway({ ...options, verified })
}
