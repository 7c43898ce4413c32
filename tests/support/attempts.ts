/** What attempts on a channel adapter come to, where they must not succeed. */
import * as assert from 'uvu/assert'
import { DeliveryFault, LinkFault } from '../../actors/channels/adapter.ts'

/** A signal that never aborts. */
export const never: AbortSignal = new AbortController().signal

/** Waits for the fault of a kind that an attempt ends with; fails where it ends otherwise. */
export async function thrownBy<Fault>(
  attempt: Promise<unknown>,
  kind: new (...parts: never[]) => Fault,
): Promise<Fault> {
  const thrown: unknown = await attempt.then(
    () => null,
    (fault: unknown) => fault,
  )
  assert.instance(thrown, kind)
  return thrown as Fault
}

/** Waits for why a delivery did not succeed. */
export const faultOf = (attempt: Promise<unknown>): Promise<DeliveryFault> =>
  thrownBy(attempt, DeliveryFault)

/** Waits for why a link does not come up. */
export const linkFaultOf = (attempt: Promise<unknown>): Promise<LinkFault> =>
  thrownBy(attempt, LinkFault)
