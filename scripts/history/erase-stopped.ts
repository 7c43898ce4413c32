/** Erases while no gateway runs. */
import { type EraseReport, type EraseRequest, eraseHistory } from '../../actors/erase.ts'
import { systemChance } from '../../actors/services.ts'
import { GATEWAY } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { inItsPlace } from './stopped.ts'

/**
 * Erases in a state directory that nobody serves.
 * @throws {GatewayError} ALREADY_RUNNING, NOT_FOUND, STORE_*: nothing was erased, or not all.
 */
export function eraseStopped(stateDir: string, request: EraseRequest): Promise<EraseReport> {
  return inItsPlace(stateDir, ({ store, registry }) =>
    eraseHistory(store, request, (event) => {
      const correlationId = systemChance.hex(limits.correlationIdBytes)
      return registry.deliver(GATEWAY, { event, cause: 'sys:erase', correlationId })
    }),
  )
}
