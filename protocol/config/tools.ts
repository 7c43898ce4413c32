/**
 * What a configuration says of tools: who may run which, where they work, and servers that offer more.
 *
 * Rules stand in up to four places, each narrower than the one before: `tools` for everybody,
 * `agents.defaults.tools` for every agent, `agents.list[].tools` (or `agents.entries.<id>.tools`) for
 * the sessions of one, `channels.<name>.tools` for conversations there.
 */
import { limits } from '../limits.ts'
import { formatPath } from './path.ts'
import type { GatewayConfig } from './schema.ts'
import type { AgentsConfig } from './schema-agents.ts'
import type { McpServerConfig } from './schema-tools.ts'

/** The rules of one place; a list that is not there says nothing. */
export interface ToolRules {
  readonly where: string // path in the configuration
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  readonly ask?: readonly string[]
}

/** The rules of one agent. */
export interface AgentToolRules extends ToolRules {
  readonly agentId: string // as it stands in session keys
}

export interface ResolvedTools {
  readonly rules: readonly ToolRules[] // for everybody and for every agent
  readonly byAgent: readonly AgentToolRules[] // those of one agent narrow each other, too
  readonly byChannel: Readonly<Record<string, ToolRules>>
  readonly askMs: number // how long a person is waited for
  readonly workspace: string | null // as written; null: no tool has a folder to work in
  readonly servers: Readonly<Record<string, ResolvedMcpServer>> // by name, those that are enabled
}

/** A server of tools: started here, or reached over HTTP. */
export type ResolvedMcpServer =
  | {
      readonly command: string
      readonly args: readonly string[]
      readonly env: Readonly<Record<string, string>>
      readonly cwd: string | null
    }
  | { readonly url: string; readonly headers: Readonly<Record<string, string>> }

// What changes something on this machine, or on a node, is asked for unless its owner says otherwise.
const ASK_DEFAULT = ['exec', 'write', 'node__*']

/** Reads it with every default filled in. */
export function resolveTools({ tools = {}, agents, channels, mcp }: GatewayConfig): ResolvedTools {
  const { allow = ['*'], deny = [], ask = ASK_DEFAULT, askMinutes } = tools
  const own = agents?.defaults?.tools
  return {
    rules: [
      { where: 'tools', allow, deny, ask },
      ...(own === undefined ? [] : [rulesOf('agents.defaults.tools', own)]),
    ],
    byAgent: agents === undefined ? [] : rulesOfAgents(agents),
    byChannel: rulesByChannel(channels ?? {}),
    askMs: askMinutes === undefined ? limits.approvalMsDefault : Math.round(askMinutes * 60_000),
    workspace: agents?.defaults?.workspace ?? null,
    servers: Object.fromEntries(
      Object.entries(mcp?.servers ?? {}).flatMap(([name, server]) => {
        const resolved = server.enabled === false ? null : resolveServer(server)
        return resolved === null ? [] : [[name, resolved] as const]
      }),
    ),
  }
}

function rulesOfAgents({ list = [], entries = {} }: AgentsConfig): AgentToolRules[] {
  const written = [
    ...list.map(({ id, tools }, index) => ({ id, tools, path: ['agents', 'list', index] })),
    ...Object.entries(entries).map(([id, { tools }]) => {
      return { id, tools, path: ['agents', 'entries', id] }
    }),
  ]
  return written.flatMap(({ id, tools, path }) => {
    if (tools === undefined) return []
    return [{ ...rulesOf(formatPath([...path, 'tools']), tools), agentId: id.toLowerCase() }]
  })
}

function rulesByChannel(
  channels: NonNullable<GatewayConfig['channels']>,
): Record<string, ToolRules> {
  const rules = WITH_TOOLS.flatMap((name) => {
    const own = channels[name]?.tools
    return own === undefined ? [] : [[name, rulesOf(`channels.${name}.tools`, own)] as const]
  })
  return Object.fromEntries(rules)
}

/** The channels whose conversations may have rules of their own. */
export const WITH_TOOLS = ['irc', 'telegram', 'discord', 'whatsapp', 'webhook'] as const

function rulesOf(where: string, { allow, deny, ask }: Omit<Written, 'where'>): ToolRules {
  return {
    where,
    ...(allow === undefined ? {} : { allow }),
    ...(deny === undefined ? {} : { deny }),
    ...(ask === undefined ? {} : { ask }),
  }
}

interface Written {
  readonly allow?: string[] | undefined
  readonly deny?: string[] | undefined
  readonly ask?: string[] | undefined
}

function resolveServer({
  command,
  args,
  env,
  cwd,
  url,
  headers,
}: McpServerConfig): ResolvedMcpServer | null {
  if (command !== undefined) return { command, args: args ?? [], env: env ?? {}, cwd: cwd ?? null }
  return url === undefined ? null : { url, headers: headers ?? {} }
}
