/**
 * A scripted HTTP server for what aimock does not do: exact headers, exact bytes, silence.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export interface ModelServer {
  readonly baseUrl: string
  readonly requests: readonly string[] // bodies, in order
  readonly close: () => Promise<void>
}

/** Starts a server that answers each request, its body read, as it is told. */
export async function startModelServer(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
): Promise<ModelServer> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      requests.push(Buffer.concat(chunks).toString())
      answer(response, request)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    baseUrl: `http://127.0.0.1:${address.port}/v1`,
    requests,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** Begins a stream of events; every string is one event's JSON, other values are written so. */
export function writeEvents(response: ServerResponse, ...events: unknown[]): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of events) {
    response.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`)
  }
}

/** One piece of an answer as the OpenAI API streams it. */
export function delta(content: string, finish: string | null = null): object {
  return { id: 'x', choices: [{ index: 0, delta: { content }, finish_reason: finish }] }
}
