/**
 * Platforms that come to us: a POST to a path of a channel, given to its adapter. Before step 1 of 8.
 *
 * Who posts is judged by the adapter alone: by a signature or a secret that the platform was told. So
 * nothing is locked by wrong ones, which anybody behind the same proxy could send; what they cost is
 * bounded instead: by a body's size, by how many are read at a time, and by the door's deadlines.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { toGatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Link } from './channel-link.ts'
import type { ChannelAdapter, HookAnswer, HookRequest } from './channels/adapter.ts'
import { readBody } from './http-body.ts'
import type { Log } from './services.ts'

/** Gives a request to the adapter whose path it came to. */
export type OpenHook = (request: HookRequest) => Promise<HookAnswer>

/** What finds the way in for a path; null: nobody has it. */
export interface Hooked {
  readonly hook: (path: string) => OpenHook | null
}

/** Finds the adapter that has a path. While its link is down the platform is told to come later. */
export function findHook(
  channels: readonly { readonly adapter: ChannelAdapter; readonly link: Link }[],
  path: string,
): OpenHook | null {
  const channel = channels.find(({ adapter }) => adapter.hook?.path === path)
  const hook = channel?.adapter.hook
  if (channel === undefined || hook === undefined) return null
  return async (request) =>
    channel.link.isUp
      ? hook.answer(request)
      : { status: 503, body: { error: 'the channel is not open' }, retryAfterMs: 1_000 }
}

/** The paths of all channels. */
export class ChannelHooks {
  #channels: Hooked
  #log: Log
  #running = 0

  constructor(channels: Hooked, log: Log) {
    this.#channels = channels
    this.#log = log
  }

  handles(method: string, path: string): boolean {
    return method === 'POST' && this.#channels.hook(path) !== null
  }

  /** Never rejects: what is wrong is the answer. */
  async answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const hook = this.#channels.hook(path)
    if (hook === null || this.#running >= limits.hooksMax) {
      return send(response, { status: 503, body: { error: 'busy' }, retryAfterMs: 1_000 })
    }
    this.#running += 1
    try {
      send(response, await this.#ask(hook, request))
    } finally {
      this.#running -= 1
    }
  }

  async #ask(hook: OpenHook, request: IncomingMessage): Promise<HookAnswer> {
    try {
      const body = await readBody(request, limits.hookBytesMax)
      return await hook({ headers: request.headers, body })
    } catch (thrown) {
      const { code, message } = toGatewayError(thrown)
      if (code === 'PAYLOAD_TOO_LARGE') return { status: 413, body: { error: message } }
      this.#log.error('channel hook failed', { error: message })
      return { status: 500, body: { error: 'internal error; the log has it' } }
    }
  }
}

function send(response: ServerResponse, { status, body, retryAfterMs }: HookAnswer): void {
  response.statusCode = status
  if (retryAfterMs !== undefined) {
    response.setHeader('retry-after', String(Math.ceil(retryAfterMs / 1_000)))
  }
  response.setHeader('content-type', 'application/json; charset=utf-8')
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  response.end(JSON.stringify(body))
}
