/** Upstream's methods about nodes, and those that nodes themselves call. Step 4 of 8. */
import type { nodeMethods } from '../../../protocol/dialect/upstream/methods/nodes.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import type { Command } from '../../../protocol/command.ts'
import { limits } from '../../../protocol/limits.ts'
import type { UpstreamParams } from '../../../protocol/dialect/upstream/methods.ts'
import { NODE_APPROVE_SCOPES } from '../../methods/nodes.ts'
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
    const { nodeId } = await perform(house, { method: 'node.approve', params: { requestId } }, call)
    return { requestId, node: formatPaired(find(house, String(nodeId))) }
  },
  'node.pair.reject': async (house, { requestId }, call) => {
    const { nodeId } = await perform(house, { method: 'node.reject', params: { requestId } }, call)
    return { requestId, nodeId }
  },
  'node.pair.remove': async (house, { nodeId }, call) => {
    await perform(house, { method: 'node.remove', params: { nodeId } }, call)
    return { nodeId }
  },
  'node.rename': async (house, { nodeId, displayName: name }, call) => {
    await perform(house, { method: 'node.rename', params: { nodeId, name } }, call)
    return { nodeId, displayName: name }
  },
  'node.invoke': invoke,
  'environments.list': (house, { projection }) => ({
    environments: projection === 'profiles' ? [] : listEnvironments(house),
  }),
  'environments.status': (house, { environmentId }) => {
    const found = listEnvironments(house).find(({ id }) => id === environmentId)
    if (found !== undefined) return found
    throw new GatewayError('INVALID_REQUEST', 'unknown environmentId', { path: 'environmentId' })
  },
  // What a node itself lets run is kept there, and asked for there.
  'exec.approvals.node.get': (house, { nodeId }, call) =>
    askNode(house, { nodeId, command: 'system.execApprovals.get', params: {} }, call),
  'exec.approvals.node.set': (house, { nodeId, file, native, baseHash }, call) => {
    const params = { ...(native ?? { file }), baseHash }
    return askNode(house, { nodeId, command: 'system.execApprovals.set', params }, call)
  },
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

// Our own table, with faults in the words that upstream's clients know.
async function perform(
  house: UpstreamHouse,
  command: Command,
  call: Call,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await house.perform(command, call)) as Readonly<Record<string, unknown>>
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'NOT_FOUND') throw error
    const { path } = error.details
    throw new GatewayError('INVALID_REQUEST', `unknown ${String(path)}`, { path })
  }
}

function find({ nodes }: UpstreamHouse, nodeId: string): NodeRow {
  try {
    return nodes.find(nodeId)
  } catch {
    throw new GatewayError('INVALID_REQUEST', 'unknown nodeId', { path: 'nodeId' })
  }
}

type Invoked = UpstreamParams<'node.invoke'>

async function invoke(house: UpstreamHouse, asked: Invoked, call: Call): Promise<unknown> {
  const { nodeId, command, idempotencyKey, timeoutMs } = asked
  const given: unknown = asked.params
  const patience = timeoutMs === undefined || timeoutMs === 0 ? {} : { timeoutMs }
  const params = { nodeId, command, params: given, idempotencyKey, ...patience }
  const answer = await perform(house, { method: 'node.invoke', params }, call)
  const { ok, payload, payloadJson: payloadJSON, error } = answer as unknown as Answered
  if (!ok) {
    const said = error ?? { code: 'FAILED', message: 'the node could not do it' }
    throw new GatewayError('UNAVAILABLE', said.message, { code: said.code, nodeError: said })
  }
  return { ok: true, nodeId, command, payload, payloadJSON }
}

async function askNode(
  house: UpstreamHouse,
  asked: Pick<Invoked, 'nodeId' | 'command' | 'params'>,
  call: Call,
): Promise<unknown> {
  const idempotencyKey = house.services.chance.id()
  const answer = await invoke(house, { ...asked, idempotencyKey }, call)
  return (answer as Answered).payload
}

interface Answered {
  readonly ok: boolean
  readonly payload: unknown
  readonly payloadJson: string | null
  readonly error: { readonly code: string; readonly message: string } | null
}

/** Where commands may run: this machine first, then the nodes. */
function listEnvironments({ nodes }: UpstreamHouse): (Record<string, unknown> & { id: string })[] {
  const trust = 'persistent'
  const capabilities = ['agent.run', 'sessions']
  const local = { id: 'gateway', type: 'local', label: 'Gateway local', status: 'available', trust }
  const own = { ...local, platform: process.platform, sessionHost: true, capabilities }
  const others = nodes.list().map(({ state, context }) => ({
    id: `node:${context.nodeId}`,
    type: 'node',
    label: factsOf(context).displayName,
    status: state === 'online' ? 'available' : 'unavailable',
    ...(context.platform === '' ? {} : { platform: context.platform }),
    sessionHost: false,
    ...(context.connectedAt > 0 ? { lastConnectedAtMs: context.connectedAt } : {}),
    ...(context.seenAt > 0 ? { lastSeenAtMs: context.seenAt } : {}),
    trust,
    capabilities: context.approved.caps.filter((cap) => cap !== ''),
    invocableCommands: [...new Set(context.approved.commands)].slice(0, limits.commandsShownMax),
  }))
  return [own, ...others]
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
  const requiredApproveScopes = NODE_APPROVE_SCOPES
  return { requestId, ...factsOf(context), caps, commands, requiredApproveScopes, silent: true, ts }
}

function formatPaired({ context }: NodeRow): unknown {
  const { approved, approvedAt, seenAt } = context
  const times = { createdAtMs: approvedAt, approvedAtMs: approvedAt, lastSeenAtMs: seenAt }
  return { ...factsOf(context), caps: approved.caps, commands: approved.commands, ...times }
}
