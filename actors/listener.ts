/**
 * The door: one HTTP server, which upgrades WebSockets and answers probes. Before step 1 of 8.
 *
 * Host, Origin and URL are judged before any state is made, for HTTP and for upgrades alike
 * (hosts.ts). Nothing secret is ever read from a URL, no subprotocol is echoed, compression is off.
 */
import type { IncomingMessage, Server } from 'node:http'
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { fullBucket, takeOne } from '../machines/rules/rate.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { ChannelHooks } from './channel-hooks.ts'
import type { Completions } from './completions.ts'
import type { Connections } from './connections.ts'
import { type DoorLists, isForwarded, judgeHead, type Refusal } from './hosts.ts'
import { answerHttp, judgeForm } from './http.ts'
import type { Pages } from './pages.ts'
import type { Peer } from './peer.ts'
import type { Probes } from './probes.ts'
import { addressOf, endWith, RawSockets } from './raw-sockets.ts'
import type { Clock, Log } from './services.ts'
import { createDoorServer, renewTls, type Tls } from './tls.ts'
import { Turnstile } from './turnstile.ts'

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
  readonly clock: Clock
  readonly probes: Probes
  readonly pages: Pages | null
  readonly completions: Completions | null
  readonly hooks: ChannelHooks
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
    maxFragments: limits.fragmentsMax,
    handleProtocols: () => false,
  })
  let stopped = false
  const tell = refusalTeller(door)
  const raw = new RawSockets(door.clock, tls === null)
  const server = openServer({ ...door, tell }, raw, tls)
  const turnstile = new Turnstile(door.clock)
  const enter = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    raw.spoke(request.socket)
    if (socket.destroyed) return
    const refusal = stopped ? REFUSE_STOPPED : judgePlace(request, door)
    if (refusal !== null) return refuse(request, socket, refusal)
    sockets.handleUpgrade(request, socket, head, (upgraded) => {
      door.connections.take(upgraded, socket, describePeer(request))
    })
  }
  const refuse = (request: IncomingMessage, socket: Duplex, refusal: Refusal): void => {
    const address = request.socket.remoteAddress ?? ''
    const { status, reason, headers } = refusal
    tell('websocket refused', { address, status, reason })
    door.connections.refused(address, status.slice(0, 3))
    endWith(socket, status, headers)
  }
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {}) // A reset before the upgrade is nobody's fault (S61).
    // Who is refused by his head alone takes nobody's turn: a page tries hundreds of times a second.
    const refusal = judgeUpgrade(request, door)
    if (refusal !== null) return refuse(request, socket, refusal)
    const taken = turnstile.take(() => enter(request, socket, head))
    if (!taken) refuse(request, socket, REFUSE_CROWD)
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

// Sockets that ask for no upgrade end here: bounded in number, in time and in what they may ask.
function openServer(
  door: Door & { readonly tell: Tell },
  raw: RawSockets,
  tls: Tls | null,
): Server {
  const settings = {
    headersTimeout: limits.headerDeadlineMs,
    requestTimeout: limits.headerDeadlineMs,
    connectionsCheckingInterval: limits.halfFrameLookMs,
    maxHeaderSize: limits.headerBytesMax,
  }
  const server = createDoorServer(settings, tls)
  server.maxConnections = limits.connectionsMax + limits.connectionsReserved + limits.rawLoopbackMax
  server.on('connection', (socket) => {
    if (!raw.take(socket)) door.connections.refused(addressOf(socket.remoteAddress).address, 'raw')
  })
  server.on('request', (request, response) => {
    const refusal = judgeHead(request, door.lists, portOf(request))
    if (refusal !== null) {
      door.tell('request refused', { address: request.socket.remoteAddress, ...refusal })
    }
    const { log, probes, pages, completions, hooks } = door
    const peer = describePeer(request)
    answerHttp(request, response, { log, probes, pages, completions, hooks, peer, refusal })
  })
  server.on('connect', (_request, socket: Duplex) => {
    endWith(socket, '405 Method Not Allowed', 'allow: GET, HEAD\r\n')
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    endWith(socket, STATUS_OF[error.code ?? ''] ?? '400 Bad Request')
  })
  return server
}

type Tell = (phrase: string, facts: Readonly<Record<string, unknown>>) => void

// Nobody may push everything else out of the log by being refused: a line tells of those before it.
function refusalTeller({ log, clock }: Door): Tell {
  const policy = { burst: limits.refusalsLoggedBurst, perSecond: 1 }
  let bucket = fullBucket(policy, clock.monotonic())
  let untold = 0
  return (phrase, facts) => {
    const taken = takeOne(policy, bucket, clock.monotonic())
    bucket = taken.bucket
    if (taken.waitMs > 0) {
      untold += 1
      return
    }
    log.warn(phrase, untold === 0 ? facts : { ...facts, untold })
    untold = 0
  }
}

const STATUS_OF: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

const REFUSE_CROWD: Refusal = { status: '503 Service Unavailable', reason: 'a crowd at the door' }
const REFUSE_STOPPED: Refusal = { status: '503 Service Unavailable', reason: 'the gateway stops' }

function judgeUpgrade(request: IncomingMessage, { lists }: Door): Refusal | null {
  return judgeForm(request) ?? judgeHead(request, lists, portOf(request))
}

function judgePlace(request: IncomingMessage, { connections }: Door): Refusal | null {
  const reason = connections.refusal(addressOf(request.socket.remoteAddress))
  return reason === null ? null : { status: '503 Service Unavailable', reason }
}

function portOf({ socket }: IncomingMessage): number {
  return socket.localPort ?? 0
}

function describePeer(request: IncomingMessage): Peer {
  return {
    ...addressOf(request.socket.remoteAddress),
    origin: request.headers.origin ?? null,
    forwarded: isForwarded(request.headers),
  }
}

/**
 * Tries whether an address can be listened at, before anything is written: a start that cannot serve
 * leaves no trace in the journal. @throws {GatewayError} PORT_TAKEN, PERMISSION
 */
export async function tryAddress(address: string, port: number): Promise<void> {
  const trial = createServer()
  await listen(trial, address, port)
  await new Promise((resolve) => {
    trial.close(resolve)
  })
}

function listen(server: NetServer, address: string, port: number): Promise<void> {
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
