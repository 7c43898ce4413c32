/**
 * Tools of MCP servers: one session with each that is configured, over its pipes or over HTTP.
 *
 * A server that is not there costs its tools and nothing else; the reason stands in `tools.list`, and it
 * is tried again with back-off. Its names get the server's before them. What it sends is somebody else's:
 * it is bounded and judged like every tool. The SDK (1.32.2) is imported only where a server is configured.
 */
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { ResolvedMcpServer } from '../../protocol/config/tools.ts'
import { messageOf } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { isObject, memberOf } from '../../protocol/members.ts'
import type { Cancel, Services } from '../services.ts'
import type { ToolRegistry } from './registry.ts'
import {
  type Tool,
  type ToolArguments,
  type ToolContext,
  ToolError,
  type ToolOutput,
} from './tool.ts'

interface McpHouse {
  readonly registry: ToolRegistry
  readonly services: Services
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Keeps the sessions with all configured servers. */
export class McpServers {
  #house: McpHouse
  #servers: McpServer[]

  constructor(house: McpHouse, servers: Readonly<Record<string, ResolvedMcpServer>>) {
    this.#house = house
    this.#servers = Object.entries(servers).map(
      ([name, server]) => new McpServer(this.#house, name, server),
    )
  }

  /** Begins with each of them; nobody waits for them. */
  start(): void {
    for (const server of this.#servers) void server.open()
  }

  /** Ends all sessions and the servers that were started here. */
  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()))
  }
}

class McpServer {
  #house: McpHouse
  #name: string
  #server: ResolvedMcpServer
  #client: Client | null = null
  #failures = 0
  #stopped = false
  #retry: Cancel = () => {}

  constructor(house: McpHouse, name: string, server: ResolvedMcpServer) {
    this.#house = house
    this.#name = name
    this.#server = server
  }

  async open(): Promise<void> {
    const { registry } = this.#house
    registry.replace(this.#source, [], 'it is being connected to')
    try {
      const client = await this.#connect()
      if (this.#stopped) return await client.close()
      this.#client = client
      // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it is no event target
      client.onclose = () => this.#lost('it ended the session')
      await this.#refresh(client)
      this.#failures = 0
    } catch (error) {
      this.#lost(messageOf(error))
    }
  }

  async close(): Promise<void> {
    this.#stopped = true
    this.#retry()
    const client = this.#client
    this.#client = null
    await client?.close().catch(() => {})
  }

  get #source(): string {
    return `mcp:${this.#name}`
  }

  async #connect(): Promise<Client> {
    const { Client: McpClient } = await import('@modelcontextprotocol/sdk/client/index.js')
    const transport = await openTransport(this.#server, this.#house.env)
    const client: Client = new McpClient(
      { name: 'openclaw-gateway', version: this.#house.version },
      {
        listChanged: {
          tools: { autoRefresh: false, onChanged: () => void this.#refreshed() },
        },
      },
    )
    await client.connect(transport, { timeout: limits.mcpOpenMs })
    return client
  }

  // A list that cannot be read anew is no session any more.
  async #refreshed(): Promise<void> {
    const client = this.#client
    if (client === null) return
    try {
      await this.#refresh(client)
    } catch (error) {
      this.#lost(messageOf(error))
    }
  }

  async #refresh(client: Client): Promise<void> {
    const { registry, services } = this.#house
    const tools: Tool[] = []
    let cursor: string | undefined
    let pages = 0
    do {
      const page = await client.listTools(cursor === undefined ? {} : { cursor }, {
        timeout: limits.mcpOpenMs,
      })
      for (const tool of page.tools) tools.push(this.#toolOf(client, tool))
      cursor = page.nextCursor
      pages += 1 // A page may be empty, and still not be the last.
    } while (cursor !== undefined && Math.max(tools.length, pages) < limits.toolsMax)
    const refused = registry.replace(this.#source, tools)
    const server = this.#name
    if (refused.length > 0)
      services.log.warn('tools of a server not registered', { server, refused })
    services.log.info('MCP server connected', { server, tools: tools.length - refused.length })
  }

  #toolOf(
    client: Client,
    tool: { name: string; description?: string | undefined; inputSchema: object },
  ): Tool {
    const { name, description = '', inputSchema } = tool
    return {
      name: `${this.#name}__${name}`,
      description: description.slice(0, limits.toolTextCharsMax).toWellFormed(),
      parameters: { ...inputSchema },
      source: this.#source,
      fault: () => null,
      run: (args, context) => callTool(client, name, args, context),
    }
  }

  // Told once as a fault of its tools; then it is tried again, later each time.
  #lost(reason: string): void {
    const client = this.#client
    this.#client = null
    if (client !== null) {
      delete client.onclose
      void client.close().catch(() => {})
    }
    if (this.#stopped) return
    const { registry, services } = this.#house
    registry.replace(this.#source, [], reason.slice(0, limits.modelFaultCharsMax))
    services.log.warn('MCP server not there', { server: this.#name, reason })
    const delayMs = Math.min(
      limits.channelBackoffMs * 2 ** this.#failures,
      limits.channelBackoffMsMax,
    )
    this.#failures += 1
    this.#retry()
    this.#retry = services.clock.after(delayMs, () => void this.open())
  }
}

async function openTransport(server: ResolvedMcpServer, env: McpHouse['env']): Promise<Transport> {
  if ('url' in server) {
    const { StreamableHTTPClientTransport } =
      await import('@modelcontextprotocol/sdk/client/streamableHttp.js')
    const { url, headers } = server
    return new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers, redirect: 'error' },
    })
  }
  const { StdioClientTransport } = await import('@modelcontextprotocol/sdk/client/stdio.js')
  const { command, args, cwd, env: own } = server
  const path = env['PATH']
  return new StdioClientTransport({
    command,
    args: [...args],
    env: { ...(path === undefined ? {} : { PATH: path }), ...own },
    stderr: 'ignore',
    ...(cwd === null ? {} : { cwd }),
  })
}

async function callTool(
  client: Client,
  name: string,
  args: ToolArguments,
  { signal, timeoutMs }: ToolContext,
): Promise<ToolOutput> {
  try {
    const call = { name, arguments: { ...args } }
    const result = await client.callTool(call, undefined, { signal, timeout: timeoutMs })
    const { content, isError } = result
    return { text: textOfContent(content), isError: isError === true }
  } catch (error) {
    throw new ToolError(messageOf(error))
  }
}

// What is no text is told of: a model reads words.
function textOfContent(content: unknown): string {
  const parts: readonly unknown[] = Array.isArray(content) ? content : []
  return parts
    .map((part) => {
      const text = memberOf(part, 'text') ?? memberOf(memberOf(part, 'resource'), 'text')
      if (typeof text === 'string') return text
      const type = isObject(part) ? part['type'] : null
      return `[${typeof type === 'string' ? type : 'something'} left out]`
    })
    .join('\n')
}
