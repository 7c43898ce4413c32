/**
 * A stand-in for the gateway: a WebSocket server that answers the wire's shapes from a script, so
 * that the command line can be tested without a gateway behind it.
 */
import { type WebSocket, WebSocketServer } from 'ws'

export type Json = Readonly<Record<string, unknown>>

/** What an accepted request is followed by: event name and payload. */
export type Follow = readonly (readonly [string, Json])[]

export interface Script {
  readonly token?: string // demanded of `connect`
  readonly forgetful?: boolean // refuses every device token that is shown
  readonly position?: number // the journal's end, as told at `connect`
  readonly answers?: Readonly<Record<string, Json>> // payload by method
  readonly faults?: Readonly<Record<string, Json>> // error by method
  readonly follows?: Readonly<Record<string, Follow>> // events behind the answer, by method
  readonly resumed?: Follow // events for a client that resumes
  readonly hangUpAfter?: string // ends the connection behind the answer to this method
}

interface Asked {
  readonly method: string
  readonly id: string
  readonly params: Json
}

const HEALTH: Json = {
  status: 'healthy',
  uptime: 65,
  sessions: 2,
  agents: 0,
  channels: { irc: 'connected' },
}

/** A running stand-in, and what it was asked. */
export class StandIn {
  readonly asked: Asked[] = []
  #server: WebSocketServer
  #script: Script

  private constructor(server: WebSocketServer, script: Script) {
    this.#server = server
    this.#script = script
    server.on('connection', (socket) => this.#serve(socket))
  }

  /** Starts one on loopback; rejects as `net` does where the port is taken. */
  static start(script: Script = {}, port = 0): Promise<StandIn> {
    return new Promise((resolve, reject) => {
      const server = new WebSocketServer({ host: '127.0.0.1', port })
      server.once('error', reject)
      server.once('listening', () => resolve(new StandIn(server, script)))
    })
  }

  get port(): number {
    const address = this.#server.address()
    if (typeof address !== 'object' || address === null) throw new Error('no port')
    return address.port
  }

  /** Parameters of the requests of one method, in order. */
  params(method: string): Json[] {
    return this.asked.filter((asked) => asked.method === method).map(({ params }) => params)
  }

  stop(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate()
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  #serve(socket: WebSocket): void {
    const send = (frame: Json): void => socket.send(JSON.stringify(frame))
    let seq = 0
    const tell = (follow: Follow): void => {
      for (const [event, payload] of follow)
        send({ type: 'event', event, payload, seq: (seq += 1) })
    }
    send({ type: 'event', event: 'connect.challenge', payload: { nonce: 'n', ts: 0 } })
    socket.on('message', (data) => {
      const { id, params } = JSON.parse((data as Buffer).toString('utf8')) as Asked
      const method = id.split('#')[0] ?? ''
      this.asked.push({ method, id, params })
      if (method === 'connect') return this.#admit(socket, id, params, tell)
      const error = this.#script.faults?.[method]
      if (error !== undefined) return send({ type: 'res', id, ok: false, error })
      const payload = this.#script.answers?.[method] ?? (method === 'health' ? HEALTH : {})
      send({ type: 'res', id, ok: true, payload })
      tell(this.#script.follows?.[method] ?? [])
      if (this.#script.hangUpAfter === method) socket.close(1001, 'gone')
    })
  }

  #admit(socket: WebSocket, id: string, params: Json, tell: (follow: Follow) => void): void {
    const { token, forgetful = false, position = 10, resumed = [] } = this.#script
    const shown = (params['auth'] ?? {}) as Json
    const isRefused =
      (token !== undefined && shown['token'] !== token) ||
      (forgetful && shown['deviceToken'] !== undefined)
    if (isRefused) {
      const error = { code: 'UNAUTHORIZED', message: 'the token is wrong' }
      socket.send(JSON.stringify({ type: 'res', id, ok: false, error }))
      socket.close(1008, 'UNAUTHORIZED')
      return
    }
    const payload = { connectionId: 'c1', position, deviceToken: `issued-${this.asked.length}` }
    socket.send(JSON.stringify({ type: 'res', id, ok: true, payload }))
    if (params['resumeFrom'] !== undefined) tell(resumed)
  }
}
