/** `node.*`: what paired nodes offer, what of it is allowed, and what they are asked. Step 4 of 8. */
import { allows } from '../../protocol/auth/scopes.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { streamId, streamName } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent, JournalRecord } from '../../protocol/record.ts'
import type { Origin } from '../caller.ts'
import { markRequest } from '../idempotency.ts'
import type { NodeRow } from '../nodes.ts'
import type { Handler, MethodHouse } from './house.ts'

/** What allowing commands of a node needs. */
export const NODE_APPROVE_SCOPES = ['operator.pairing', 'operator.admin'] as const

/** Lists every node: `{ nodes }`, by name. */
export const nodeList: Handler<'node.list'> = ({ nodes }) => ({
  nodes: nodes.list().map(formatNode),
})

/** Allows what a node asks for; `{ requestId, nodeId, capabilities, commands, position }`. */
export const nodeApprove: Handler<'node.approve'> = async (house, { requestId }, origin) => {
  const { nodeId, position } = await decide(house, { type: 'surface.approved', requestId }, origin)
  const { caps, commands } = house.nodes.find(nodeId).context.approved
  return { requestId, nodeId, capabilities: caps, commands, position }
}

/** Refuses it: what was allowed before stays; `{ requestId, nodeId, position }`. */
export const nodeReject: Handler<'node.reject'> = async (house, { requestId }, origin) => ({
  requestId,
  ...(await decide(house, { type: 'surface.rejected', requestId }, origin)),
})

/** Forgets a node and what it was allowed; `{ nodeId, position }`. */
export const nodeRemove: Handler<'node.remove'> = async (house, { nodeId }, origin) => {
  const { position } = await tell(house, nodeId, { type: 'node.removed' }, origin)
  return { nodeId, position }
}

/** Gives a node a name; `{ nodeId, name, position }`. */
export const nodeRename: Handler<'node.rename'> = async (house, { nodeId, name }, origin) => {
  const { position } = await tell(house, nodeId, { type: 'node.renamed', name }, origin)
  return { nodeId, name, position }
}

/** Asks a node to run a command; its answer, `{ nodeId, command, ok, payload, error, payloadJson }`. */
export const nodeInvoke: Handler<'node.invoke'> = async (house, asked, origin) => {
  const { nodeId, command, idempotencyKey, timeoutMs = limits.nodeCallMsDefault } = asked
  house.nodes.find(nodeId)
  const given: unknown = asked.params
  const paramsJson = JSON.stringify(given ?? {})
  const told = { nodeId, command, timeoutMs, message: paramsJson }
  const owner = origin.caller.admission.deviceId
  const mark =
    idempotencyKey === undefined ? null : markRequest(owner, idempotencyKey, 'node.invoke', told)
  const { cause, correlationId } = origin
  const cited = { cause, correlationId }
  const wish = { nodeId, command, paramsJson, timeoutMs, mark }
  const { ok, payloadJson, error } = await house.nodes.invoke(wish, house.idempotency, cited)
  const payload = payloadJson === null ? null : readPayload(payloadJson)
  return { nodeId, command, ok, payload, error, payloadJson }
}

/** A node's answer; `{ taken }`: false where nothing waits for it. */
export const nodeResult: Handler<'node.result'> = ({ nodes }, answer, { caller }) => {
  const { id, ok, error } = answer
  const given: unknown = answer.payload
  const payloadJson = given === undefined ? null : JSON.stringify(given)
  const said =
    error === undefined
      ? null
      : { code: error.code ?? 'FAILED', message: error.message ?? 'the node says no more' }
  const taken = nodes.answered(streamName(caller.stream), id, { ok, payloadJson, error: said })
  return { taken }
}

async function decide(
  house: MethodHouse,
  event: JournalEvent & { readonly requestId: string },
  origin: Origin,
): Promise<{ nodeId: string; position: number }> {
  const { requestId } = event
  const row = house.nodes.list().find(({ context }) => context.request?.requestId === requestId)
  if (row === undefined) throw unknownRequest()
  const { nodeId } = row.context
  if (event.type === 'surface.approved') assertMayApprove(row, origin)
  const { position } = await tell(house, nodeId, event, origin)
  return { nodeId, position }
}

// Whoever may ask a node may run its commands: to allow any is the owner's business.
function assertMayApprove({ context: { request } }: NodeRow, { caller }: Origin): void {
  if ((request?.commands.length ?? 0) === 0) return
  if (allows(caller.admission.scopes, 'operator.admin')) return
  const details = { requiredScopes: ['operator.admin'] }
  throw new GatewayError('FORBIDDEN', 'node.approve: commands need operator.admin', details)
}

async function tell(
  { nodes, registry }: MethodHouse,
  nodeId: string,
  event: JournalEvent,
  { caller, cause, correlationId }: Origin,
): Promise<JournalRecord> {
  nodes.find(nodeId)
  const told = { ...event, by: caller.admission.deviceId }
  const message = { event: told, cause, correlationId }
  const record = await registry.deliver(streamId('node', nodeId), message)
  if (record.ignored === 'refused' || record.ignored === 'unhandled') throw unknownRequest()
  return record
}

function unknownRequest(): GatewayError {
  return new GatewayError('NOT_FOUND', 'no node waits with this request', { path: 'requestId' })
}

function readPayload(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function formatNode({ state, context }: NodeRow): unknown {
  const { nodeId, name, displayName, platform, version, approved, request, approvedAt } = context
  const { connectedAt, seenAt } = context
  return {
    nodeId,
    name: name === '' ? displayName : name,
    state,
    platform,
    version,
    capabilities: approved.caps,
    commands: approved.commands,
    request,
    approvedAt: approvedAt === 0 ? null : approvedAt,
    connectedAt,
    seenAt,
  }
}
