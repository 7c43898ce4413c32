/** Commands that wait for a person as upstream's clients show them, and its notices of them. */
import { streamName } from '../../protocol/ids.ts'
import type { Decision } from '../../protocol/methods/approvals.ts'
import { type Approval, deciderOf, decisionOf } from '../approvals.ts'
import type { MethodHouse } from '../methods/house.ts'
import type { Teller } from './feed.ts'

/** What can be said of one. */
export function allowedOf({ context }: Approval): readonly Decision[] {
  return context.mayAlways ? ['allow-once', 'allow-always', 'deny'] : ['allow-once', 'deny']
}

/** One as lists and `exec.approval.requested` show it. */
export function formatAsked(approval: Approval): Record<string, unknown> {
  const { approvalId: id, requestedAt: createdAtMs, expiresAt: expiresAtMs } = approval.context
  const request = formatRequest(approval)
  return { approvalKind: 'exec', id, request, createdAtMs, expiresAtMs }
}

/** One as newer clients show it by itself and in their history: where it came from, how it ended. */
export function formatSnapshot(approval: Approval): Record<string, unknown> {
  const { state, context, request } = approval
  const { approvalId: id, requestedAt: createdAtMs, expiresAt: expiresAtMs, sessionKey } = context
  const { command = '[erased]', host = null, nodeId = null, agentId = null } = request ?? {}
  const shown = { kind: 'exec', commandText: command, commandPreview: null, host, nodeId, agentId }
  const presentation = { ...shown, allowedDecisions: allowedOf(approval) }
  const urlPath = `/approve/${encodeURIComponent(id)}`
  const facts = { id, urlPath, createdAtMs, expiresAtMs, presentation }
  const named = sessionKey === '' ? {} : { sessionKey }
  if (state === 'requested') return { ...facts, status: 'pending', ...sourceOf(sessionKey) }
  const source = { ...named, ...(agentId === null ? {} : { agentId }) }
  const kind = context.channel === undefined ? 'device' : 'channel'
  const resolver = context.by === '' ? {} : { resolver: { kind, id: deciderOf(context) } }
  return { ...facts, resolvedAtMs: context.endedAt, source, ...resolver, ...endOf(approval) }
}

function sourceOf(sessionKey: string): { sourceSessionKey?: string } {
  return sessionKey === '' ? {} : { sourceSessionKey: sessionKey }
}

// One that ended before its time, and that nobody decided, had nobody who could be asked.
function endOf(approval: Approval): Record<string, unknown> {
  const { state, context } = approval
  const decision = decisionOf(approval)
  if (decision !== null) return { status: state, decision, reason: 'user' }
  if (state === 'cancelled') return { status: 'cancelled', reason: 'run-aborted' }
  const hadRoute = context.endedAt >= context.expiresAt
  if (hadRoute) return { status: 'expired', reason: 'timeout' }
  return { status: 'denied', decision: 'deny', reason: 'no-route' }
}

// Values of the environment are not shown: they are secrets more often than not.
function formatRequest(approval: Approval): unknown {
  const { request } = approval
  const { command = '[erased]', argv = null, cwd = null, env = {}, host = null } = request ?? {}
  const { nodeId = null, agentId = null, sessionKey = null, more = {} } = request ?? {}
  const envKeys = Object.keys(env).sort()
  return {
    command,
    ...(argv === null ? {} : { commandArgv: argv }),
    ...(envKeys.length === 0 ? {} : { envKeys }),
    systemRunBinding: null,
    systemRunPlan: null,
    cwd,
    nodeId,
    host,
    scope: null,
    allowedDecisions: allowedOf(approval),
    agentId,
    sessionKey,
    ...more,
  }
}

/** Makes the teller of approvals. */
export function approvalTeller({ approvals }: MethodHouse): Teller {
  return ({ event: { type }, stream, at: ts, cancelled }, feed) => {
    if (!stream.startsWith('approval:')) return
    const id = streamName(stream)
    if (type === 'exec.requested') {
      feed.announce('exec.approval.requested', formatAsked(approvals.find(id)))
    }
    // What decides cancels the deadline; an answer that comes late does not.
    const decides = type === 'exec.answered' && cancelled.length > 0
    if (type !== 'exec.allowed' && type !== 'exec.denied' && !decides) return
    const approval = approvals.find(id)
    const resolvedBy = deciderOf(approval.context)
    const decided = { id, decision: decisionOf(approval), resolvedBy, ts }
    feed.announce('exec.approval.resolved', { ...decided, request: formatRequest(approval) })
  }
}
