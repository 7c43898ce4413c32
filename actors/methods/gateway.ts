/** `gateway.*`: the gateway itself. Step 4 of 8. */
import { GATEWAY } from '../../protocol/ids.ts'
import type { Handler } from './house.ts'

/**
 * `{ released, position, retried }`: lets held channels start, and dials those that have failed;
 * `released` is false where none are held.
 */
export const gatewayRelease: Handler<'gateway.release'> = async (
  { registry, channels },
  _params,
  { caller, cause, correlationId },
) => {
  const event = { type: 'channels.released', by: caller.admission.deviceId }
  const { ignored, position } = await registry.offer(GATEWAY, { event, cause, correlationId })
  const failed = Object.entries(channels.states()).filter(([, state]) => state === 'failed')
  const retried = failed.map(([name]) => name)
  for (const name of retried) await channels.retry(name, cause, correlationId)
  return { released: ignored === null, position, retried }
}
