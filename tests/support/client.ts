/** A client for tests: a real socket, frames as they come, nothing hidden. */
import { once } from 'node:events'
import WebSocket, { type ClientOptions } from 'ws'

export interface Frame {
  readonly type: 'res' | 'event'
  readonly id?: string
  readonly ok?: boolean
  readonly event?: string
  readonly seq?: number
  readonly payload: Readonly<Record<string, unknown>>
  readonly error?: {
    code: string
    message: string
    details?: Record<string, unknown>
    retryable?: boolean
  }
}

/** One open socket and every frame that came. */
export class TestClient {
  readonly socket: WebSocket
  readonly frames: Frame[] = []
  readonly closed: Promise<{ code: number; reason: string }>
  #waiting = new Set<() => void>()
  #count = 0

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, options)
    this.socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString('utf8')) as Frame)
      this.#wake()
    })
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        resolve({ code, reason: String(reason) })
        this.#wake()
      })
    })
    this.socket.on('error', () => this.#wake())
  }

  get events(): Frame[] {
    return this.frames.filter(
      ({ type, event }) => type === 'event' && event !== 'connect.challenge',
    )
  }

  /** Sends any text as one frame. */
  async send(text: string): Promise<void> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, 'open')
    this.socket.send(text)
  }

  /** Sends a request and waits for its answer. */
  async request(method: string, params: unknown = {}): Promise<Frame> {
    const id = `${method}#${(this.#count += 1)}`
    await this.send(JSON.stringify({ type: 'req', id, params }))
    return this.frame((frame) => frame.type === 'res' && frame.id === id, id)
  }

  /** Sends `connect` with sensible parameters. */
  connect(params: Record<string, unknown> = {}): Promise<Frame> {
    return this.request('connect', { deviceId: 'device-1', role: 'client', ...params })
  }

  /** Waits for an event of a type, from the first on. */
  event(
    name: string,
    matches: (payload: Frame['payload']) => boolean = () => true,
  ): Promise<Frame> {
    return this.frame((frame) => frame.event === name && matches(frame.payload), `event ${name}`)
  }

  /** Waits for a frame; fails when the socket closes first or after 10 s. */
  async frame(matches: (frame: Frame) => boolean, what: string): Promise<Frame> {
    const deadline = Date.now() + 10_000
    for (;;) {
      const found = this.frames.find(matches)
      if (found !== undefined) return found
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`closed before ${what}`)
      if (Date.now() > deadline) throw new Error(`no ${what} within 10 s`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000)
        this.#waiting.add(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  async close(): Promise<void> {
    this.socket.terminate()
    await this.closed
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }
}
