/**
 * A paired device's wish for more, made on its live connection: it asks, waits, and is given a new
 * token for what a person granted. Step 4 of 8.
 */
import type { PairingContext } from '../../../machines/pairing.ts'
import { beyond, ceilingOf, isScope } from '../../../protocol/auth/scopes.ts'
import { digestSecret } from '../../../protocol/auth/token.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { quote } from '../../../protocol/ids.ts'
import { isDirect } from '../../peer.ts'
import type { Call, UpstreamHouse } from '../house.ts'

/** Puts the wish before the people; `{ requestId }`, the same one where as much waits already. */
export async function requestUpgrade(
  house: UpstreamHouse,
  { scopes }: { scopes: readonly string[] },
  call: Call,
): Promise<unknown> {
  const { pairingId } = ownDevice(house, call)
  const { peer, cause, correlationId } = call
  const unknown = scopes.find((scope) => !isScope(scope))
  if (unknown !== undefined) throw invalid(`${quote(unknown)} is no operator scope`)
  if (beyond(scopes, call.caller.admission.scopes).length > 0) {
    throw invalid("requested scopes must include the connection's current scopes")
  }
  const secured = house.auth.mode !== 'none'
  const ceiling = ceilingOf({ role: 'client', direct: isDirect(peer), secured })
  const over = beyond(ceiling, scopes)
  if (over.length > 0) throw invalid(`no device is granted ${over.join(', ')} from elsewhere`)
  const wish = { pairingId, scopes, peer }
  const waits = await house.pairings.requestUpgrade(wish, { cause, correlationId })
  if (waits === null) throw invalid('a person refused this within the hour')
  return { requestId: waits.requestId }
}

/** Waits for the end of an own wish; approved, it comes with a token for all that was granted. */
export async function waitUpgrade(
  house: UpstreamHouse,
  { requestId }: { requestId: string },
  call: Call,
): Promise<unknown> {
  const { pairingId } = ownDevice(house, call)
  const status = await ended(house, pairingId, requestId)
  if (status !== 'approved') return { status, requestId }
  const { cause, correlationId } = call
  const deviceToken = house.services.chance.hex(32)
  const event = { type: 'token.renewed', tokenHash: digestSecret(deviceToken) }
  const record = await house.pairings.tell(pairingId, event, { cause, correlationId })
  if (record.ignored !== null) return { status: 'rejected', requestId }
  const { scopes } = ownDevice(house, call).context
  return { status, requestId, deviceToken, scopes }
}

async function ended(house: UpstreamHouse, pairingId: string, requestId: string) {
  try {
    return await house.pairings.upgrades.wait(pairingId, requestId)
  } catch (thrown) {
    if (!(thrown instanceof GatewayError) || thrown.code !== 'NOT_FOUND') throw thrown
    throw new GatewayError('INVALID_REQUEST', thrown.message, thrown.details)
  }
}

function ownDevice(
  { pairings }: UpstreamHouse,
  { caller }: Call,
): { pairingId: string; context: PairingContext } {
  const { pairingId, keyless } = caller.admission
  const snapshot = keyless ? null : pairings.snapshot(pairingId)
  const context = snapshot?.context as PairingContext | undefined
  if (snapshot?.value === 'paired' && (context?.publicKey ?? null) !== null) {
    return { pairingId, context: context as PairingContext }
  }
  const text = 'device scope upgrade requires a paired device with a key of its own'
  throw new GatewayError('INVALID_REQUEST', text, { code: 'DEVICE_IDENTITY_REQUIRED' })
}

function invalid(text: string): GatewayError {
  return new GatewayError('INVALID_REQUEST', text, { path: 'scopes' })
}
