/**
 * What the fakes of platforms that speak HTTP have in common: each is at one place, goes away and
 * comes back there, and can fall silent.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Json = Record<string, unknown>

export abstract class HttpFake {
  port = 0
  #server: Server | null = null
  #frozen: (() => void) | null = null // told of each request that is not answered

  /** Answers one request. */
  protected abstract serve(request: IncomingMessage, response: ServerResponse): Promise<void>

  /** The server; null: it is stopped. */
  protected get server(): Server | null {
    return this.#server
  }

  protected get isFrozen(): boolean {
    return this.#frozen !== null
  }

  /** Whether what has come gets no answer; whoever froze it is told that it is here. */
  protected swallows(): boolean {
    this.#frozen?.()
    return this.isFrozen
  }

  /** Listens, again after `stop` and at the same place. */
  async listen(): Promise<void> {
    if (this.#server !== null) return
    const server = createServer((request, response) => {
      response.on('error', () => {})
      void this.serve(request, response)
    })
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.port = (server.address() as AddressInfo).port
    this.#server = server
    this.#frozen = null
  }

  /** Cuts all connections and listens no more; what it knows stays. */
  async stop(): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }

  /** Takes what comes and answers none of it, until it is stopped; resolves with the first. */
  freeze(): Promise<void> {
    return new Promise((resolve) => {
      this.#frozen = resolve
    })
  }
}

/** Answers in JSON. */
export function answer(
  response: ServerResponse,
  status: number,
  body: Json | readonly Json[],
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** Reads a request whole; null: it was cut while it was read. */
export async function readText(request: IncomingMessage): Promise<string | null> {
  let text = ''
  try {
    for await (const chunk of request) text += String(chunk)
    return text
  } catch {
    return null
  }
}

/** Reads what a request says in JSON; nothing, where it says nothing or was cut. */
export async function readJson(request: IncomingMessage): Promise<Json> {
  return JSON.parse((await readText(request)) || '{}') as Json
}
