/**
 * The door: one HTTP server, which upgrades WebSockets and answers probes. Before step 1 of 8.
 *
 * Host, Origin and URL are judged before any state is made, for HTTP and for upgrades alike
 * (hosts.ts). Nothing secret is ever read from a URL, no subprotocol is echoed, compression is off.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Connections } from './connections.ts'
import { type DoorLists, judgeHead, type Refusal } from './hosts.ts'
import type { Peer } from './peer.ts'
import type { ProbeAnswer, Probes } from './probes.ts'
import type { Log } from './services.ts'
import { createDoorServer, renewTls, type Tls } from './tls.ts'

export interface Listener {
  readonly port: number
  /** Refuses new sockets; those open stay. */
  readonly stop: () => void
  /** Shows another certificate from now on. */
  readonly renew: (tls: Tls) => void
  /** Ends the server; all sockets must be closed. */
  readonly close: () => void
}

interface Door {
  readonly connections: Connections
  readonly log: Log
  readonly probes: Probes
  readonly lists: DoorLists
}

/**
 * Listens; resolves when sockets can come.
 * @throws {GatewayError} PORT_TAKEN, PERMISSION
 */
export async function openListener(
  { address, port, tls = null }: { address: string; port: number; tls?: Tls | null },
  door: Door,
): Promise<Listener> {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.preAuthFrameBytesMax,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols: () => false,
  })
  let stopped = false
  const timeouts = {
    headersTimeout: limits.connectDeadlineMs,
    requestTimeout: limits.connectDeadlineMs,
  }
  const server = createDoorServer(timeouts, tls)
  server.on('request', (request, response) => answerHttp(request, response, door))
  server.on('clientError', (_error, socket: Duplex) => endWith(socket, '400 Bad Request'))
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {}) // A reset before the upgrade is nobody's fault (S61).
    const refusal = stopped ? REFUSE_STOPPED : judgeUpgrade(request, door)
    if (refusal !== null) {
      const from = request.socket.remoteAddress ?? ''
      door.log.warn('websocket refused', {
        address: from,
        status: refusal.status,
        reason: refusal.reason,
      })
      door.connections.refused(from, refusal.status.slice(0, 3))
      return endWith(socket, refusal.status)
    }
    sockets.handleUpgrade(request, socket, head, (upgraded) => {
      door.connections.take(upgraded, socket, describePeer(request))
    })
  })
  await listen(server, address, port)
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      stopped = true
      server.close()
    },
    renew: (next) => renewTls(server, next),
    close: () => server.closeAllConnections(),
  }
}

const REFUSE_STOPPED: Refusal = { status: '503 Service Unavailable', reason: 'the gateway stops' }

function judgeUpgrade(request: IncomingMessage, { connections, lists }: Door): Refusal | null {
  const refusal = judgeHead(request, lists, portOf(request))
  if (refusal !== null) return refusal
  if (
    connections.size >= limits.connectionsMax ||
    connections.waiting >= limits.connectionsPreAuthMax
  ) {
    return { status: '503 Service Unavailable', reason: 'too many connections' }
  }
  return null
}

function portOf({ socket }: IncomingMessage): number {
  return socket.localPort ?? 0
}

const FORWARDING_HEADERS = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'cf-connecting-ip',
  'true-client-ip',
  'tailscale-user-login',
  'via',
]

function describePeer(request: IncomingMessage): Peer {
  const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
  return {
    address,
    loopback: address === '::1' || address.startsWith('127.'),
    origin: request.headers.origin ?? null,
    forwarded: FORWARDING_HEADERS.some((name) => request.headers[name] !== undefined),
  }
}

function answerHttp(request: IncomingMessage, response: ServerResponse, door: Door): void {
  const refusal = judgeHead(request, door.lists, portOf(request))
  if (refusal !== null) {
    door.log.warn('request refused', { address: request.socket.remoteAddress, ...refusal })
    return respond(response, Number(refusal.status.slice(0, 3)), { error: refusal.reason })
  }
  const path = (request.url ?? '').split('?')[0]
  const { authorization } = request.headers
  const answer = door.probes.answer(path ?? '', { peer: describePeer(request), authorization })
  if (answer !== null) return void sendAnswer(answer, response, door)
  response.setHeader('upgrade', 'websocket')
  respond(response, 426, { error: 'this is an OpenClaw gateway: connect with a WebSocket' })
}

async function sendAnswer(
  answer: Promise<ProbeAnswer>,
  response: ServerResponse,
  { log }: Door,
): Promise<void> {
  try {
    const { status, type, body } = await answer
    response.statusCode = status
    response.setHeader('content-type', type)
    response.setHeader('cache-control', 'no-store')
    response.end(body)
  } catch (error) {
    log.error('probe not answered', { error: String(error) })
    respond(response, 500, { error: 'the probe failed' })
  }
}

function respond(response: ServerResponse, status: number, body: object): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json; charset=utf-8')
  response.end(`${JSON.stringify(body)}\n`)
}

// Who is refused may keep its half open for ever; ours is closed with the answer.
function endWith(socket: Duplex, status: string): void {
  if (!socket.writable) return void socket.destroy()
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => {
    socket.destroy()
  })
}

function listen(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(listenFault(error, address, port)),
    )
    server.listen({ host: address, port }, () => resolve())
  })
}

function listenFault(error: NodeJS.ErrnoException, address: string, port: number): GatewayError {
  const at = `${address}:${port}`
  if (error.code === 'EADDRINUSE') {
    return new GatewayError('PORT_TAKEN', `${at}: another process listens there`, { port }, error)
  }
  if (error.code === 'EACCES') {
    return new GatewayError('PERMISSION', `${at}: not allowed to listen there`, { port }, error)
  }
  return new GatewayError(
    'PORT_TAKEN',
    `${at}: cannot listen (${error.code ?? error.message})`,
    { port },
    error,
  )
}
