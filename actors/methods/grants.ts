/** `approvals.*`: calls of tools that a person allowed from then on. Step 4 of 8. */
import { deciderOf } from '../approvals.ts'
import type { Grant } from '../grants.ts'
import type { Handler } from './house.ts'

/** Lists what is allowed without asking, the newest last: `{ grants }`. */
export const approvalsGrants: Handler<'approvals.grants'> = ({ grants }) => ({
  grants: grants.list().map(formatGrant),
})

/** Takes one back; `{ grantId, changed, position }`. */
export const approvalsRevoke: Handler<'approvals.revoke'> = async (house, { grantId }, origin) => {
  const { caller, named, cause, correlationId } = origin
  const by = named ?? caller.admission.deviceId
  const { position, isNew } = await house.grants.revoke(grantId, by, { cause, correlationId })
  return { grantId, changed: isNew, position }
}

function formatGrant({ context, command, holds }: Grant): unknown {
  const { grantId, tool, source, agentId, place, approvalId, givenAt } = context
  const givenBy = deciderOf(context)
  return { grantId, tool, source, command, agentId, ...place, approvalId, givenBy, givenAt, holds }
}
