/**
 * A proxy between a client and a gateway that writes down each WebSocket frame.
 *
 *   client ──► recorder (port 0, loopback) ──► gateway
 *                 └──► a Recorded for each frame, in the order in which they passed
 *
 * The gateway sees its own address: Host, and an Origin that is the recorder's, name the gateway.
 * All else passes as it is, HTTP and close codes too; pings end at each side, and compression is
 * not offered to the gateway.
 */
import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http'
import type { Duplex } from 'node:stream'
import WebSocket, { WebSocketServer } from 'ws'

/** One frame, request over HTTP, or end of a connection that passed. */
export interface Recorded {
  readonly at: number // ms since epoch
  readonly connection: number // counts from 1
  readonly from: 'client' | 'gateway'
  readonly frame?: unknown // the parsed frame, or its text where that is no JSON
  readonly http?: string // `GET /startupz 200`
  readonly closed?: { readonly code: number; readonly reason: string }
}

/** A recorder that runs. */
export interface Recorder {
  readonly port: number
  readonly url: string // ws://127.0.0.1:port
  readonly close: () => Promise<void>
}

const NO_STATUS = 1005 // RFC 6455, 7.4.1: never on the wire
const ABNORMAL = 1006

/** Starts a recorder in front of a gateway; `record` is called for all that passes. */
export async function startRecorder(
  target: Address,
  record: (recorded: Recorded) => void,
): Promise<Recorder> {
  let connections = 0
  const server = createServer((request, response) => {
    passHttp(target, { request, response }, (http) =>
      record({ at: Date.now(), connection: 0, from: 'client', http }),
    )
  })
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const open = new Set<WebSocket>()
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.handleUpgrade(request, socket, head, (client) => {
      const connection = (connections += 1)
      const gateway = new WebSocket(`ws://${target.host}:${target.port}${request.url ?? '/'}`, {
        headers: socketHeaders(target, request),
        perMessageDeflate: false,
      })
      for (const end of [client, gateway]) {
        open.add(end)
        end.on('close', () => open.delete(end))
      }
      const note = (part: Pick<Recorded, 'from' | 'frame' | 'closed'>): void =>
        record({ at: Date.now(), connection, ...part })
      pass(client, gateway, (part) => note({ from: 'client', ...part }))
      pass(gateway, client, (part) => note({ from: 'gateway', ...part }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    url: `ws://127.0.0.1:${address.port}`,
    close: async () => {
      for (const socket of open) socket.terminate()
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

interface Address {
  readonly host: string
  readonly port: number
}

/** Headers that the gateway shall see: addressed to it. */
function headersTo({ host, port }: Address, { headers }: IncomingMessage): IncomingHttpHeaders {
  const ours = `http://${headers.host}`
  const origin = headers.origin === ours ? { origin: `http://${host}:${port}` } : {}
  return { ...headers, ...origin, host: `${host}:${port}` }
}

/** The same for a WebSocket, whose own headers are made anew. */
function socketHeaders(target: Address, request: IncomingMessage): Record<string, string> {
  const kept = Object.entries(headersTo(target, request)).filter(
    ([name, value]) =>
      typeof value === 'string' &&
      !name.startsWith('sec-websocket') &&
      name !== 'upgrade' &&
      name !== 'connection',
  )
  return Object.fromEntries(kept) as Record<string, string>
}

/** Passes on what one side says; what comes before the other side is open waits for it. */
function pass(
  from: WebSocket,
  to: WebSocket,
  note: (part: Pick<Recorded, 'frame' | 'closed'>) => void,
): void {
  const waiting: (() => void)[] = []
  const whenOpen = (act: () => void): void => {
    if (to.readyState === WebSocket.CONNECTING) waiting.push(act)
    else act()
  }
  to.on('open', () => {
    for (const act of waiting.splice(0)) act()
  })
  from.on('message', (data: Buffer, isBinary: boolean) => {
    note({ frame: isBinary ? `${data.length} bytes` : parse(data.toString('utf8')) })
    whenOpen(() => to.send(data, { binary: isBinary }))
  })
  from.on('close', (code, reason) => {
    note({ closed: { code, reason: String(reason) } })
    whenOpen(() => {
      if (code === NO_STATUS) to.close()
      else if (code === ABNORMAL) to.terminate()
      else to.close(code, reason)
    })
  })
  from.on('error', () => to.terminate())
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

function passHttp(
  target: Address,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  note: (http: string) => void,
): void {
  const { method, url: path } = request
  const headers = headersTo(target, request)
  const onward = httpRequest({ ...target, method, path, headers }, (answer) => {
    note(`${method} ${path} ${answer.statusCode}`)
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => response.destroy())
  request.pipe(onward)
}
