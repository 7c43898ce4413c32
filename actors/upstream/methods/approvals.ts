/** Upstream's methods about commands that wait for a person. Step 4 of 8. */
import type { approvalMethods } from '../../../protocol/dialect/upstream/methods/approvals.ts'
import type { UpstreamParams } from '../../../protocol/dialect/upstream/methods.ts'
import { sha256Hex } from '../../../protocol/codec.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { isId } from '../../../protocol/ids.ts'
import { limits } from '../../../protocol/limits.ts'
import { memberOf } from '../../../protocol/members.ts'
import { DECISIONS, type Decision } from '../../../protocol/methods/approvals.ts'
import { type Approval, decisionOf, type ExecRequest } from '../../approvals.ts'
import type { Grant } from '../../grants.ts'
import type { Call, Handlers, UpstreamHouse } from '../house.ts'
import { allowedOf, formatAsked, formatSnapshot } from '../approval-rows.ts'

export const approvalHandlers: Handlers<typeof approvalMethods> = {
  'exec.approval.request': request,
  'exec.approval.list': ({ approvals }) => approvals.waiting().map(formatAsked),
  'exec.approval.get': (house, { id }) => {
    const approval = find(house, id)
    const { command: commandText = '', host = null, nodeId = null } = approval.request ?? {}
    const { agentId = null } = approval.request ?? {}
    const { expiresAt: expiresAtMs } = approval.context
    const who = { host, nodeId, agentId }
    const allowedDecisions = allowedOf(approval)
    return { id, commandText, commandPreview: null, allowedDecisions, ...who, expiresAtMs }
  },
  'exec.approval.resolve': resolve,
  'exec.approval.waitDecision': async (house, { id = '' }) => {
    if (id.trim() === '') throw invalid('id is required')
    if (!isKnown(house, id)) throw invalid('approval expired or not found')
    return formatEnd(await house.approvals.wait(id, limits.approvalMsMax))
  },
  'approval.get': (house, { id }) => {
    if (!isKnown(house, id)) throw notFound()
    return { approval: formatSnapshot(house.approvals.find(id)) }
  },
  'approval.history': readHistory,
  'approval.resolve': resolveAny,
  'exec.approvals.get': ({ configuration, grants }) => {
    const agents = allowlistsOf(grants.list())
    const exists = Object.keys(agents).length > 0
    const file = { version: 1, defaults: {}, agents }
    const hash = sha256Hex(JSON.stringify(file))
    return { path: `${configuration.path}#exec-approvals`, exists, hash, file }
  },
}

// Commands that were allowed always, word for word, as upstream names such a one. Each holds only where
// it was given, which its file cannot say; grants of other tools have no place there.
function allowlistsOf(grants: readonly Grant[]): Record<string, { allowlist: object[] }> {
  const rows = grants.flatMap(({ context, command: commandText, holds }) => {
    const { tool, source, grantId: id, agentId } = context
    if (tool !== 'exec' || source !== 'built-in' || commandText === null || !holds) return []
    const pattern = `=command:${sha256Hex(commandText).slice(0, 16)}`
    return [{ agentId, entry: { id, pattern, source: 'allow-always', commandText } }]
  })
  const agents = [...new Set(rows.map(({ agentId }) => agentId))]
  const entriesOf = (agent: string): object[] =>
    rows.flatMap(({ agentId, entry }) => (agentId === agent ? [entry] : []))
  return Object.fromEntries(agents.map((agent) => [agent, { allowlist: entriesOf(agent) }]))
}

type Asked = UpstreamParams<'exec.approval.request'>

// Two answers where two were asked for: accepted, which is on disk, and what became of it.
async function request(house: UpstreamHouse, asked: Asked, call: Call): Promise<unknown> {
  const { approvals } = house
  const { id: approvalId, requireDeliveryRoute: needsRoute = true, twoPhase = false } = asked
  const { timeoutMs = limits.approvalMsDefault } = asked
  if (approvalId !== undefined && !isId(approvalId)) throw invalid('approval id is invalid')
  const wish = {
    request: readRequest(asked),
    approvalId,
    mayAlways: mayAlways(asked),
    timeoutMs,
    needsRoute,
    deviceId: call.caller.admission.deviceId,
    connectionId: call.connectionId,
  }
  const { cause, correlationId } = call
  const approval = await approvals.request(wish, { cause, correlationId })
  const { approvalId: id, requestedAt: createdAtMs, expiresAt: expiresAtMs } = approval.context
  if (approval.state === 'requested' && twoPhase) {
    const deliveryRoute = approvals.hasRoute(call.connectionId) ? 'approval-client' : 'none'
    call.accept({ status: 'accepted', id, deliveryRoute, createdAtMs, expiresAtMs })
  }
  return formatEnd(await approvals.wait(id, limits.approvalMsMax))
}

function readRequest(asked: Asked): ExecRequest {
  const { command, commandArgv: argv = null, systemRunPlan: plan, cwd, env = {}, host } = asked
  const planned = memberOf(plan, 'commandText')
  const text = command ?? (typeof planned === 'string' ? planned : (argv ?? []).join(' '))
  if (text.trim() === '') throw invalid('command is required')
  if (host === 'node' && plan === undefined)
    throw invalid('systemRunPlan is required for host=node')
  const { nodeId, agentId, sessionKey, security, ask, warningText, resolvedPath } = asked
  const { sessionId, runId, toolCallId, turnSourceChannel, turnSourceTo } = asked
  const { turnSourceAccountId, turnSourceThreadId } = asked
  const more = {
    systemRunPlan: plan ?? null,
    security: security ?? null,
    ask: ask ?? null,
    warningText: warningText ?? null,
    resolvedPath: resolvedPath ?? null,
    sessionId: sessionId ?? null,
    runId: runId ?? null,
    toolCallId: toolCallId ?? null,
    turnSourceChannel: turnSourceChannel ?? null,
    turnSourceTo: turnSourceTo ?? null,
    turnSourceAccountId: turnSourceAccountId ?? null,
    turnSourceThreadId: turnSourceThreadId ?? null,
  }
  const where = { cwd: cwd ?? null, host: host ?? null, nodeId: nodeId ?? null }
  const who = { agentId: agentId ?? null, sessionKey: sessionKey ?? null }
  return { command: text, argv, env, ...where, ...who, more }
}

function mayAlways({ ask, unavailableDecisions }: Asked): boolean {
  const isOut = Array.isArray(unavailableDecisions) && unavailableDecisions.includes('allow-always')
  return ask !== 'always' && !isOut
}

async function resolve(
  house: UpstreamHouse,
  { id, decision: said }: { id: string; decision: string },
  call: Call,
): Promise<unknown> {
  const decision = DECISIONS.find((known) => known === said)
  if (decision === undefined) throw invalid('invalid decision')
  const approval = find(house, id)
  if (decision === 'allow-always' && !approval.context.mayAlways) {
    const reason = 'APPROVAL_ALLOW_ALWAYS_UNAVAILABLE'
    const why = 'the effective policy requires approval every time'
    throw invalid(`allow-always is unavailable because ${why}`, { reason })
  }
  return decide(house, { id, decision }, call)
}

// The first decision stands; whoever comes later is shown it.
async function resolveAny(
  house: UpstreamHouse,
  { id, kind, decision }: UpstreamParams<'approval.resolve'>,
  call: Call,
): Promise<unknown> {
  if (kind !== 'exec' || !isKnown(house, id)) throw notFound()
  const isOpen = house.approvals.find(id).state === 'requested'
  if (isOpen) await resolve(house, { id, decision }, call)
  return { applied: isOpen, approval: formatSnapshot(house.approvals.find(id)) }
}

// A cursor names the last row of its page: what ended later has its place before it.
function readHistory(
  { approvals }: UpstreamHouse,
  { cursor, limit = 50, kind = 'exec' }: UpstreamParams<'approval.history'>,
): unknown {
  const ended = kind === 'exec' ? approvals.ended() : []
  const at = ended.findIndex(({ context }) => context.approvalId === cursor)
  if (cursor !== undefined && at === -1) throw invalid('invalid approval.history cursor')
  const page = ended.slice(at + 1, at + 1 + limit)
  const last = page.at(-1)
  const hasMore = last !== undefined && at + 1 + limit < ended.length
  return {
    items: page.map(formatSnapshot),
    ...(hasMore ? { nextCursor: last.context.approvalId } : {}),
  }
}

async function decide(
  house: UpstreamHouse,
  { id: approvalId, decision }: { id: string; decision: Decision },
  call: Call,
): Promise<unknown> {
  try {
    await house.perform({ method: 'approval.resolve', params: { approvalId, decision } }, call)
    return { ok: true }
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'NOT_FOUND') throw notFound()
    throw error
  }
}

// What has ended by itself is unknown to upstream's clients; what somebody decided is not.
function find(house: UpstreamHouse, id: string): Approval {
  if (!isKnown(house, id)) throw notFound()
  const approval = house.approvals.find(id)
  if (approval.state === 'expired' || approval.state === 'cancelled') throw notFound()
  return approval
}

function isKnown({ store }: UpstreamHouse, id: string): boolean {
  return isId(id) && store.version(`approval:${id}`) > 0
}

function formatEnd(approval: Approval): unknown {
  const { approvalId: id, requestedAt: createdAtMs, expiresAt: expiresAtMs } = approval.context
  return { id, decision: decisionOf(approval), createdAtMs, expiresAtMs }
}

function invalid(text: string, details: Record<string, string> = {}): GatewayError {
  return new GatewayError('INVALID_REQUEST', text, details)
}

function notFound(): GatewayError {
  return invalid('unknown or expired approval id', {
    reason: 'APPROVAL_NOT_FOUND',
    remediation: 'Re-request the action; pending approvals are cleared after expiry or restart.',
  })
}
