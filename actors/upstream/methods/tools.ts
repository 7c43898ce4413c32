/** Upstream's methods about tools. Step 4 of 8. */
import type { toolMethods } from '../../../protocol/dialect/upstream/methods/tools.ts'
import { agentOf, canonicalSessionKey, DEFAULT_AGENT_ID } from '../../../protocol/session-key.ts'
import { placeOf } from '../../calls.ts'
import type { Invoked } from '../../invocations.ts'
import type { Tool } from '../../tools/tool.ts'
import type { Handlers } from '../house.ts'
import { keyNamed } from '../keys.ts'

// Upstream has four; here the rules of the configuration say what runs, whatever the profile.
const PROFILE = 'full'
const MCP = 'mcp:'

export const toolHandlers: Handlers<typeof toolMethods> = {
  'tools.catalog': ({ tools }, { includePlugins = true }) => ({
    agentId: DEFAULT_AGENT_ID,
    profiles: [{ id: PROFILE, label: 'Full' }],
    groups: grouped(tools.list().filter((tool) => includePlugins || isCore(tool))).map(
      ([source, own]) => ({
        id: source,
        label: labelOf(source),
        ...kindOf(source),
        tools: own.map(({ name, description }) => ({
          id: name,
          label: name,
          description,
          ...kindOf(source),
          defaultProfiles: [PROFILE],
        })),
      }),
    ),
  }),
  'tools.effective': ({ tools, calls }, { sessionKey }) => ({
    agentId: agentOf(canonicalSessionKey(sessionKey)) ?? DEFAULT_AGENT_ID,
    profile: PROFILE,
    groups: effectiveGroups(calls.running(placeOf(canonicalSessionKey(sessionKey)))),
    notices: tools.faults().map(({ source, reason }) => ({
      id: source,
      severity: 'warning',
      message: `${source} offers nothing now: ${reason}`,
    })),
  }),
  'tools.invoke': async (house, asked, call) => {
    const { name, args = {}, confirm: ask = false, idempotencyKey } = asked
    const { sessionKey: named, agentId } = asked
    const sessionKey = keyNamed({ sessionKey: named, agentId })
    const key = idempotencyKey === undefined ? {} : { idempotencyKey }
    const params = { name, arguments: args, sessionKey, ask, ...key }
    const answer = await house.perform({ method: 'tools.invoke', params }, call)
    return formatInvoked(answer as Invoked)
  },
}

// What upstream calls the reasons why a call gave nothing; all others are `internal_error`.
const CODES: Readonly<Record<string, string>> = {
  approval: 'requires_approval',
  arguments: 'validation_error',
  cancelled: 'forbidden',
  denied: 'forbidden',
  expired: 'forbidden',
  refused: 'forbidden',
  unavailable: 'not_found',
  unknown: 'not_found',
}
const BY_A_PERSON: ReadonlySet<string> = new Set(['refused', 'expired', 'cancelled'])

function formatInvoked({ callId, name: toolName, source, text, isError, fault }: Invoked): object {
  const output = { content: [{ type: 'text', text }] }
  const kind = source === '' ? {} : { source: effectiveKind(source) }
  if (!isError) return { ok: true, toolName, output, ...kind }
  const code = (Object.hasOwn(CODES, fault) ? CODES[fault] : undefined) ?? 'internal_error'
  return {
    ok: false,
    toolName,
    ...(fault === '' ? { output } : {}),
    ...(fault === 'approval' ? { requiresApproval: true } : {}),
    ...(BY_A_PERSON.has(fault) ? { approvalId: callId } : {}),
    ...kind,
    error: { code, message: text },
  }
}

function effectiveKind(source: string): 'core' | 'mcp' | 'plugin' {
  if (source === 'built-in') return 'core'
  return source.startsWith(MCP) ? 'mcp' : 'plugin'
}

function isCore({ source }: Tool): boolean {
  return source === 'built-in'
}

function labelOf(source: string): string {
  return source === 'built-in' ? 'Built-in' : source
}

function kindOf(source: string): { source: 'core' } | { source: 'plugin'; pluginId: string } {
  return source === 'built-in' ? { source: 'core' } : { source: 'plugin', pluginId: source }
}

function grouped(tools: readonly Tool[]): [string, Tool[]][] {
  const groups = new Map<string, Tool[]>()
  for (const tool of tools) groups.set(tool.source, [...(groups.get(tool.source) ?? []), tool])
  return [...groups]
}

// One group a kind: those of MCP servers name their server, others of foreign sources their source.
function effectiveGroups(tools: readonly Tool[]): object[] {
  const kinds = [
    { id: 'core', label: 'Built-in', own: tools.filter(isCore) },
    { id: 'mcp', label: 'MCP servers', own: tools.filter(isMcp) },
    { id: 'plugin', label: 'Nodes and clients', own: tools.filter((t) => !isCore(t) && !isMcp(t)) },
  ]
  return kinds.flatMap(({ id, label, own }) =>
    own.length === 0
      ? []
      : [{ id, label, source: id, tools: own.map((tool) => entryOf(tool, id)) }],
  )
}

function isMcp({ source }: Tool): boolean {
  return source.startsWith(MCP)
}

function entryOf({ name, description, source }: Tool, kind: string): object {
  const head = { id: name, label: name, description, rawDescription: description, source: kind }
  if (kind === 'mcp') return { ...head, mcpServer: source.slice(MCP.length) }
  return kind === 'plugin' ? { ...head, pluginId: source } : head
}
