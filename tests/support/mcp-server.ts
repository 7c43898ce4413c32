/** An MCP server made with the official SDK: over pipes where it is started, over HTTP where it is asked for. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { z } from 'zod'

/** Makes it: `add` adds numbers, `grow` offers one more tool, `fall` ends the process. */
export function makeMcpServer(): McpServer {
  const server = new McpServer({ name: 'test', version: '1' })
  const said = (text: string) => ({ content: [{ type: 'text' as const, text }] })
  const inputSchema = { a: z.number(), b: z.number() }
  server.registerTool('add', { description: 'Adds', inputSchema }, ({ a, b }) =>
    said(String(a + b)),
  )
  server.registerTool('grow', { description: 'Grows' }, () => {
    server.registerTool('grown', { description: 'New' }, () => said('grown'))
    return said('one more')
  })
  server.registerTool('fall', { description: 'Falls' }, () => process.exit(1))
  return server
}

/** Serves it over HTTP; each request has a session of its own. */
export async function serveMcp(): Promise<{ url: string; close: () => Promise<void> }> {
  const http = createServer((request, response) => {
    const transport = new StreamableHTTPServerTransport({})
    void makeMcpServer()
      .connect(transport as unknown as Transport)
      .then(() => transport.handleRequest(request, response))
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}/mcp`,
    close: async () => {
      http.close()
      http.closeAllConnections()
      await once(http, 'close')
    },
  }
}

if (process.argv[2] === 'stdio') await makeMcpServer().connect(new StdioServerTransport())
