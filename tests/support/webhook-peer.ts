/** The other side of a webhook channel: a program that takes what is posted, and posts. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SIGNATURE_HEADER, signPost, TIMESTAMP_HEADER } from '../../protocol/channels/webhook.ts'

export const WEBHOOK_SECRET = 'sesame-sesame-sesame'

/** One delivery as it was posted. */
export interface Posted {
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export class WebhookPeer {
  readonly posted: Posted[] = []
  port = 0
  #server: Server | null = null
  #frozen: (() => void) | null = null // told of each request that is not answered
  #answers: { status: number; headers: Record<string, string> }[] = []

  static async start(): Promise<WebhookPeer> {
    const peer = new WebhookPeer()
    await peer.listen()
    return peer
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/in`
  }

  /** The texts that were taken, each delivery once: a repetition has the id of the first. */
  get texts(): string[] {
    const seen = new Map<string, string>()
    for (const { body } of this.posted) {
      const { id, text } = JSON.parse(body) as { id: string; text: string }
      if (!seen.has(id)) seen.set(id, text)
    }
    return [...seen.values()]
  }

  async listen(): Promise<void> {
    if (this.#server !== null) return
    const server = createServer((request, response) => void this.#take(request, response))
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.port = (server.address() as AddressInfo).port
    this.#server = server
    this.#frozen = null
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }

  freeze(): Promise<void> {
    return new Promise((resolve) => {
      this.#frozen = resolve
    })
  }

  /** Answers the next post otherwise. */
  refuse(status: number, headers: Record<string, string> = {}): void {
    this.#answers.push({ status, headers })
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {})
    let body = ''
    try {
      for await (const chunk of request) body += String(chunk)
    } catch {
      return
    }
    if (this.#frozen !== null) return this.#frozen()
    const refusal = this.#answers.shift()
    if (refusal !== undefined) return void response.writeHead(refusal.status, refusal.headers).end()
    this.posted.push({ headers: request.headers, body })
    response.writeHead(204).end()
  }
}

/** Posts a message to the gateway, signed; resolves with the status, 0 where nobody answered. */
export async function postMessage(
  url: string,
  message: object,
  { secret = WEBHOOK_SECRET, at = Date.now() }: { secret?: string; at?: number } = {},
): Promise<number> {
  const body = JSON.stringify(message)
  const timestamp = String(Math.floor(at / 1_000))
  try {
    const { status } = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        [TIMESTAMP_HEADER]: timestamp,
        [SIGNATURE_HEADER]: signPost(secret, timestamp, body),
      },
      body,
    })
    return status
  } catch {
    return 0
  }
}
