/** An MCP server made with the official SDK: over pipes where it is started, over HTTP where it is asked for. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { z } from 'zod'

// `add` adds numbers, `grow` offers one more tool, `fall` ends the process.
function makeMcpServer(): McpServer {
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

function answer(request: IncomingMessage, response: ServerResponse): void {
  const transport = new StreamableHTTPServerTransport({})
  void makeMcpServer()
    .connect(transport as unknown as Transport)
    .then(() => transport.handleRequest(request, response))
}

/** Serves it over HTTP; each request has a session of its own. */
export async function serveMcp(
  listener: typeof answer = answer,
): Promise<{ url: string; close: () => Promise<void> }> {
  const http = createServer(listener).listen(0, '127.0.0.1')
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

/** Answers as a server would whose list of tools has a next page for ever, and nothing on any. */
export function answerEndlessly(request: IncomingMessage, response: ServerResponse): void {
  let body = ''
  request.on('data', (chunk) => (body += String(chunk)))
  request.on('end', () => {
    const { id, method } = JSON.parse(body || '{}') as { id?: number; method?: string }
    if (id === undefined) return void response.writeHead(method === undefined ? 405 : 202).end()
    const serverInfo = { name: 'endless', version: '1' }
    const hello = { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo }
    const result = method === 'initialize' ? hello : { tools: [], nextCursor: 'again' }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  })
}

if (process.argv[2] === 'stdio') await makeMcpServer().connect(new StdioServerTransport())
