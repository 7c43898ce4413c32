/** Methods about the record itself: what its head is, and erasing what it holds of somebody. */
import { parseCheckpoint } from '../../protocol/history/checkpoint.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { eraseHistory, parseScope } from '../erase.ts'
import { GATEWAY } from '../../protocol/ids.ts'
import type { Handler } from './house.ts'

/**
 * `{ size, root, checkpoint, key, consistency? }`: the head of now, the newest signed one, and,
 * where `since` is not beyond that, the proof that the tree of `since` is its beginning.
 */
export const historyHead: Handler<'history.head'> = ({ heads, store }, { since }) => {
  const head = heads.current()
  if (head === null) throw new GatewayError('UNAVAILABLE', 'the tree over the journal is not there')
  const size = head.checkpoint === null ? 0 : parseCheckpoint(head.checkpoint).size
  const isProvable = since !== undefined && since <= size
  const proof = isProvable ? store.tree.consistency(since, size) : []
  const consistency = proof.map((hash) => Buffer.from(hash).toString('base64'))
  return { ...head, key: heads.key, ...(isProvable ? { consistency } : {}) }
}

/** `{ scope, bodies, bytes, dryRun, recordsChanged: 0, position? }` */
export const historyErase: Handler<'history.erase'> = async (house, params, origin) => {
  const { store, registry } = house
  const { caller, cause, correlationId } = origin
  const { dryRun = false, reason = '' } = params
  const by = caller.admission.deviceId
  return eraseHistory(store, { scope: parseScope(params), reason, by, dryRun }, async (event) => {
    const message = { event, cause, correlationId }
    return registry.deliver(GATEWAY, message)
  })
}
