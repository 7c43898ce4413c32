/** Upstream's methods about nodes, and those that nodes themselves call. Step 4 of 8. */
import type { nodeMethods } from '../../../protocol/dialect/upstream/methods/nodes.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { streamId } from '../../../protocol/ids.ts'
import { limits } from '../../../protocol/limits.ts'
import type { JournalEvent } from '../../../protocol/record.ts'
import { markRequest } from '../../idempotency.ts'
import type { NodeRow } from '../../nodes.ts'
import type { Call, Handlers, UpstreamHouse } from '../house.ts'

export const nodeHandlers: Handlers<typeof nodeMethods> = {
  'node.list': ({ nodes, services }) => ({
    ts: services.clock.now(),
    nodes: nodes.list().map(formatNode),
  }),
  'node.describe': (house, { nodeId }) => ({
    ts: house.services.clock.now(),
    ...formatNode(find(house, nodeId)),
  }),
  'node.pair.list': ({ nodes }) => {
    const rows = nodes.list()
    const asking = rows.filter(({ context }) => context.request !== null)
    const paired = rows.filter(({ context }) => context.approvedAt > 0)
    return { pending: asking.map(formatAsking), paired: paired.map(formatPaired) }
  },
  'node.pair.approve': async (house, { requestId }, call) => {
    const nodeId = asking(house, requestId)
    await tell(house, nodeId, { type: 'surface.approved', requestId, by: byOf(call) }, call)
    return { requestId, node: formatPaired(find(house, nodeId)) }
  },
  'node.pair.reject': async (house, { requestId }, call) => {
    const nodeId = asking(house, requestId)
    await tell(house, nodeId, { type: 'surface.rejected', requestId, by: byOf(call) }, call)
    return { requestId, nodeId }
  },
  'node.pair.remove': async (house, { nodeId }, call) => {
    find(house, nodeId)
    await tell(house, nodeId, { type: 'node.removed', by: byOf(call) }, call)
    return { nodeId }
  },
  'node.rename': async (house, { nodeId, displayName }, call) => {
    find(house, nodeId)
    await tell(house, nodeId, { type: 'node.renamed', name: displayName, by: byOf(call) }, call)
    return { nodeId, displayName }
  },
  'node.invoke': invoke,
  'node.invoke.result': ({ nodes }, answer, { connectionId }) => {
    const { id, ok, payload, payloadJSON, error } = answer
    const given = payload === undefined ? null : JSON.stringify(payload)
    const said =
      error === undefined
        ? null
        : { code: error.code ?? 'FAILED', message: error.message ?? 'the node says no more' }
    nodes.answered(connectionId, id, { ok, payloadJson: payloadJSON ?? given, error: said })
    return { ok: true }
  },
  // Numbers of the moment: shown nowhere, kept nowhere.
  'node.event': (_house, { event }) => ({ ok: true, event, handled: false, reason: 'not kept' }),
  'node.skills.update': (_house, { skills }, call) => ({ nodeId: byOf(call), skills }),
  'node.pluginTools.update': (_house, { tools }, call) => ({ nodeId: byOf(call), tools }),
  'node.runnerInventory.update': (house, _params, call) => {
    const nodeId = byOf(call)
    const { request } = find(house, nodeId).context
    if (request === null) return { nodeId }
    const { requestId } = request
    const text = `node capability surface is awaiting operator approval; run \`openclaw nodes approve ${requestId}\` (see \`openclaw nodes pending\`), then this node retries automatically`
    throw new GatewayError('UNAVAILABLE', text, { requestId })
  },
  'skills.bins': () => ({ bins: [] }),
}

const byOf = (call: Call): string => call.caller.admission.deviceId

async function tell(
  { registry }: UpstreamHouse,
  nodeId: string,
  event: JournalEvent,
  { cause, correlationId }: Call,
): Promise<void> {
  const { ignored } = await registry.deliver(streamId('node', nodeId), {
    event,
    cause,
    correlationId,
  })
  if (ignored !== null) throw unknownRequest()
}

function unknownRequest(): GatewayError {
  return new GatewayError('INVALID_REQUEST', 'unknown requestId', { path: 'requestId' })
}

function asking({ nodes }: UpstreamHouse, requestId: string): string {
  const row = nodes.list().find(({ context }) => context.request?.requestId === requestId)
  if (row === undefined) throw unknownRequest()
  return row.context.nodeId
}

function find({ nodes }: UpstreamHouse, nodeId: string): NodeRow {
  try {
    return nodes.find(nodeId)
  } catch {
    throw new GatewayError('INVALID_REQUEST', 'unknown nodeId', { path: 'nodeId' })
  }
}

interface Invoked {
  readonly nodeId: string
  readonly command: string
  readonly params?: unknown
  readonly timeoutMs?: number | undefined
  readonly idempotencyKey: string
}

async function invoke(house: UpstreamHouse, asked: Invoked, call: Call): Promise<unknown> {
  const { nodeId, command, idempotencyKey, timeoutMs = limits.nodeCallMsDefault } = asked
  find(house, nodeId)
  const paramsJson = JSON.stringify(asked.params ?? {})
  const told = { nodeId, command, timeoutMs, message: paramsJson }
  const mark = markRequest(byOf(call), idempotencyKey, 'node.invoke', told)
  const wish = { nodeId, command, paramsJson, timeoutMs, mark }
  const { ok, payloadJson, error } = await house.nodes.invoke(wish, house.idempotency, call)
  if (!ok) {
    const said = error ?? { code: 'FAILED', message: 'the node could not do it' }
    throw new GatewayError('UNAVAILABLE', said.message, { code: said.code, nodeError: said })
  }
  const payload = payloadJson === null ? null : readPayload(payloadJson)
  return { ok: true, nodeId, command, payload, payloadJSON: payloadJson }
}

function readPayload(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

// Until more is allowed than was declared before, what is shown is what can be asked.
function formatNode({ state, context }: NodeRow): Record<string, unknown> {
  const { request, approved, approvedAt, connectedAt, seenAt, declared } = context
  const asked =
    request === null
      ? {}
      : {
          pendingRequestId: request.requestId,
          pendingDeclaredCaps: declared.caps,
          pendingDeclaredCommands: declared.commands,
        }
  return {
    ...factsOf(context),
    caps: approved.caps,
    commands: approved.commands,
    approvalState: request === null ? 'approved' : 'pending-approval',
    ...asked,
    ...(state === 'online' ? { connectedAtMs: connectedAt } : {}),
    lastConnectedAtMs: connectedAt,
    lastSeenAtMs: seenAt,
    lastSeenReason: state === 'online' ? 'connect' : 'disconnect',
    ...(approvedAt > 0 ? { approvedAtMs: approvedAt } : {}),
    paired: true,
    connected: state === 'online',
  }
}

function factsOf({ nodeId, name, displayName, platform, version, clientId }: NodeRow['context']) {
  return {
    nodeId,
    displayName: name === '' ? displayName : name,
    platform,
    version,
    clientId,
    clientMode: 'node',
  }
}

function formatAsking({ context }: NodeRow): unknown {
  const { request } = context
  if (request === null) return null
  const { requestId, caps, commands, requestedAt: ts } = request
  const requiredApproveScopes = ['operator.pairing', 'operator.admin']
  return { requestId, ...factsOf(context), caps, commands, requiredApproveScopes, silent: true, ts }
}

function formatPaired({ context }: NodeRow): unknown {
  const { approved, approvedAt, seenAt } = context
  const times = { createdAtMs: approvedAt, approvedAtMs: approvedAt, lastSeenAtMs: seenAt }
  return { ...factsOf(context), caps: approved.caps, commands: approved.commands, ...times }
}
