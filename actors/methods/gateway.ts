/** `gateway.*`: the gateway itself. Step 4 of 8. */
import { GATEWAY } from '../../protocol/ids.ts'
import type { Handler } from './house.ts'

/** `{ released, position }`: lets held channels start; `released` is false where none are held. */
export const gatewayRelease: Handler<'gateway.release'> = async (
  { registry },
  _params,
  { caller, cause, correlationId },
) => {
  const event = { type: 'channels.released', by: caller.admission.deviceId }
  const { ignored, position } = await registry.offer(GATEWAY, { event, cause, correlationId })
  return { released: ignored === null, position }
}
