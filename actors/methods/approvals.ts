/** `approval.*`: commands that wait for a person. Step 4 of 8. */
import { streamName } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { canonicalSessionKey } from '../../protocol/session-key.ts'
import { type Approval, deciderOf, decisionOf } from '../approvals.ts'
import type { Handler } from './house.ts'

/** Asks; `{ approvalId, status, expiresAt, position }`, `expired` where nobody can be asked. */
export const approvalRequest: Handler<'approval.request'> = async (house, params, origin) => {
  const { command, argv = null, cwd = null, env = {}, host = null, nodeId = null } = params
  const { agentId = null, approvalId, mayAlways = true } = params
  const sessionKey = params.sessionKey === undefined ? null : canonicalSessionKey(params.sessionKey)
  const request = { command, argv, cwd, env, host, nodeId, agentId, sessionKey, more: {} }
  const { admission, stream } = origin.caller
  const { timeoutMs = limits.approvalMsDefault } = params
  const who = { deviceId: admission.deviceId, connectionId: streamName(stream) }
  const asked = { request, approvalId, mayAlways, timeoutMs, needsRoute: true, ...who }
  const { state, context, position } = await house.approvals.request(asked, citedOf(origin))
  const { approvalId: id, expiresAt } = context
  return { approvalId: id, status: state, expiresAt, position }
}

/** Lists those that wait, oldest first: `{ approvals }`. */
export const approvalList: Handler<'approval.list'> = ({ approvals }) => ({
  approvals: approvals.waiting().map(formatApproval),
})

/** Waits for a decision: the approval as it then is. */
export const approvalWait: Handler<'approval.wait'> = async ({ approvals }, params) => {
  const { approvalId, timeoutMs = limits.runWaitMsDefault } = params
  return formatApproval(await approvals.wait(approvalId, timeoutMs))
}

/** Decides; `{ approvalId, decision, changed, position }`. */
export const approvalResolve: Handler<'approval.resolve'> = async (house, params, origin) => {
  const { approvalId, decision } = params
  const by = origin.named ?? origin.caller.admission.deviceId
  const { approvals } = house
  const { position, isNew } = await approvals.resolve(approvalId, decision, by, citedOf(origin))
  return { approvalId, decision, changed: isNew, position }
}

/** Takes one's own request back; `{ approvalId, position }`. */
export const approvalCancel: Handler<'approval.cancel'> = async (house, { approvalId }, origin) => {
  const { deviceId } = origin.caller.admission
  const { position } = await house.approvals.cancel(approvalId, deviceId, citedOf(origin))
  return { approvalId, position }
}

function citedOf({ cause, correlationId }: { cause: string; correlationId: string }) {
  return { cause, correlationId }
}

// Values of the environment are not shown: they are secrets more often than not.
function formatApproval(approval: Approval): unknown {
  const { state, context, request } = approval
  const { approvalId, sessionKey, requestedAt, expiresAt, mayAlways, deviceId } = context
  const { command = null, argv = null, cwd = null, env = {}, host = null } = request ?? {}
  return {
    approvalId,
    status: state,
    decision: decisionOf(approval),
    command,
    argv,
    cwd,
    envKeys: Object.keys(env).sort(),
    host,
    nodeId: request?.nodeId ?? null,
    agentId: request?.agentId ?? null,
    sessionKey: sessionKey === '' ? null : sessionKey,
    requestedBy: deviceId,
    resolvedBy: deciderOf(context) || null,
    mayAlways,
    requestedAt,
    expiresAt,
  }
}
