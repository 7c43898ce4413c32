/** The other side of a webhook channel: a program that takes what is posted, and posts. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { SIGNATURE_HEADER, signPost, TIMESTAMP_HEADER } from '../../protocol/channels/webhook.ts'
import { HttpFake, readText } from './http-fake.ts'

export const WEBHOOK_SECRET = 'sesame-sesame-sesame'

/** One delivery as it was posted. */
export interface Posted {
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export class WebhookPeer extends HttpFake {
  readonly posted: Posted[] = []
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

  /** Answers the next post otherwise. */
  refuse(status: number, headers: Record<string, string> = {}): void {
    this.#answers.push({ status, headers })
  }

  protected override async serve(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const body = await readText(request)
    if (body === null || this.swallows()) return
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
