/**
 * Calls of Discord's REST API, and what their failures mean.
 *
 * @discordjs/rest 2.6.3 names routes, errors and the limits that Discord tells of; a call that would
 * break one is refused before it is made. Its retries, waits and sweeps are off, and requests are made
 * here: each on a connection of its own, so that it is known whether anything was written. Part of
 * `discord.ts`.
 */
import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import type * as Core from '@discordjs/core/http-only'
import type * as Rest from '@discordjs/rest'
import type { DiscordTarget } from '../../protocol/channels/discord.ts'
import type { ResolvedDiscord } from '../../protocol/config/discord.ts'
import { messageOf } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { memberOf } from '../../protocol/members.ts'
import { parseRetryAfter } from '../../protocol/retry-after.ts'
import { readBody } from '../http-body.ts'
import type { Clock } from '../services.ts'
import { DeliveryFault, LinkFault, Unreached } from './adapter.ts'

/** A call that did not succeed, without anything secret. */
export class DiscordFault extends Error {
  readonly status: number // Discord's; 0: it did not answer
  readonly retryAfterMs: number | null
  readonly connected: boolean // the request may have been read

  constructor(
    message: string,
    status: number,
    {
      retryAfterMs = null,
      connected = true,
    }: { retryAfterMs?: number | null; connected?: boolean } = {},
  ) {
    super(message)
    this.name = 'DiscordFault'
    this.status = status
    this.retryAfterMs = retryAfterMs
    this.connected = connected
  }

  /** Whether a message may be there in spite of it. */
  get isOpen(): boolean {
    return this.status >= 500 || (this.status === 0 && this.connected)
  }

  /** As the fault of a link: a token that is refused once is refused again. */
  asLinkFault(): LinkFault {
    const { message, status, retryAfterMs } = this
    return new LinkFault(message, { final: status === 401, retryAfterMs })
  }

  /** As the fault of a delivery of which nothing was sent before. */
  asDeliveryFault(): DeliveryFault {
    const { message, status, retryAfterMs } = this
    if (this.isOpen) return new DeliveryFault(message, 'maybe', false)
    if (status === 0) return new Unreached(message)
    return new DeliveryFault(message, 'no', status === 429, retryAfterMs)
  }
}

/** Where the gateway is, and how many sessions may still be begun. */
export interface DiscordGateway {
  readonly url: string
  readonly startsLeft: number
  readonly resetAfterMs: number // until there are more
}

/** The calls that we make. All reject with a DiscordFault. */
export class DiscordApi {
  readonly #rest: typeof Rest
  readonly #api: Core.API

  constructor(
    core: typeof Core,
    rest: typeof Rest,
    { token, apiRoot }: ResolvedDiscord,
    clock: Clock,
  ) {
    this.#rest = rest
    const calls = new rest.REST({
      api: apiRoot,
      version: '10',
      retries: 0,
      offset: 0,
      timeout: limits.discordGraceMs,
      rejectOnRateLimit: () => true,
      hashSweepInterval: 0,
      handlerSweepInterval: 0,
      makeRequest: requester(clock),
    })
    this.#api = new core.API(calls.setToken(token))
  }

  /** Who we are there. */
  async botId(signal: AbortSignal): Promise<string> {
    const { id } = await this.#call(signal, (own) => this.#api.users.getCurrent({ signal: own }))
    return id
  }

  async gateway(signal: AbortSignal): Promise<DiscordGateway> {
    const { url, session_start_limit: starts } = await this.#call(signal, (own) =>
      this.#api.gateway.getBot({ signal: own }),
    )
    return { url, startsLeft: starts.remaining, resetAfterMs: starts.reset_after }
  }

  /** What is known of a channel; null: nothing that we may see. */
  async channel(id: string, signal: AbortSignal): Promise<unknown> {
    try {
      return await this.#call(signal, (own) => this.#api.channels.get(id, { signal: own }))
    } catch (thrown) {
      const { status } = thrown as DiscordFault
      if (status === 403 || status === 404) return null
      throw thrown
    }
  }

  /** What was written in a channel behind a message, a page at most; nothing where we may not see it. */
  async messages(channel: string, after: string, signal: AbortSignal): Promise<readonly unknown[]> {
    const query = { after, limit: limits.discordPageMax }
    try {
      return await this.#call(signal, (own) =>
        this.#api.channels.getMessages(channel, query, { signal: own }),
      )
    } catch (thrown) {
      const { status } = thrown as DiscordFault
      if (status === 403 || status === 404) return []
      throw thrown
    }
  }

  /** The channel behind a target. Asking for it sends nothing to anybody. */
  async channelOf({ kind, id }: DiscordTarget, signal: AbortSignal): Promise<string> {
    if (kind === 'channel') return id
    const { id: channel } = await this.#call(signal, (own) =>
      this.#api.users.createDM(id, { signal: own }),
    )
    return channel
  }

  /**
   * Sends one message that calls nobody; resolves with its id there. Whoever sends again within
   * minutes under the same nonce is given the first one's id.
   */
  async createMessage(
    channel: string,
    { content, nonce }: { readonly content: string; readonly nonce: string },
    signal: AbortSignal,
  ): Promise<string> {
    const body = { content, nonce, enforce_nonce: true, allowed_mentions: { parse: [] } }
    const sent = await this.#call(signal, (own) =>
      this.#api.channels.createMessage(channel, body, { signal: own }),
    )
    return sent.id
  }

  // The library never lets go of a signal: each call has one of its own, or a session's would keep all.
  async #call<T>(signal: AbortSignal, call: (own: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await call(AbortSignal.any([signal]))
    } catch (thrown) {
      throw this.#faultOf(thrown)
    }
  }

  #faultOf(thrown: unknown): DiscordFault {
    const { DiscordAPIError, HTTPError, RateLimitError } = this.#rest
    if (thrown instanceof Unanswered) {
      return new DiscordFault(thrown.message, 0, { connected: thrown.connected })
    }
    if (thrown instanceof RateLimitError) {
      const { retryAfter } = thrown
      return new DiscordFault('discord: 429 asks for patience', 429, { retryAfterMs: retryAfter })
    }
    if (thrown instanceof DiscordAPIError) {
      const [said = ''] = thrown.message.split('\n')
      return new DiscordFault(`discord: ${thrown.status} ${said}`, thrown.status)
    }
    if (thrown instanceof HTTPError) {
      return new DiscordFault(`discord: ${thrown.status} ${thrown.message}`, thrown.status)
    }
    // An answer that is no JSON: something was there, and it is not known what it did.
    return new DiscordFault('discord: an answer that cannot be read', 502)
  }
}

/** No answer, and whether the question may have been read. */
class Unanswered extends Error {
  readonly connected: boolean

  constructor(why: string, connected: boolean) {
    super(`discord: ${why}`)
    this.connected = connected
  }
}

type MakeRequest = NonNullable<ConstructorParameters<typeof Rest.REST>[0]>['makeRequest']

const requester =
  (clock: Clock): NonNullable<MakeRequest> =>
  async (url, { method, headers, body, signal }) => {
    const target = new URL(url)
    const isTls = target.protocol === 'https:'
    const way = { connected: false }
    if (memberOf(signal, 'aborted') === true) throw new Unanswered('not connected', false)
    const options = {
      method: method ?? 'GET',
      headers: headers as Record<string, string>,
      // A request on a connection that the server has just given up would be one that was maybe read.
      agent: false,
      signal: signal as AbortSignal,
    } as const
    try {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const asked = (isTls ? requestHttps : requestHttp)(target, options, resolve)
        asked.on('socket', (socket) => {
          socket.once(isTls ? 'secureConnect' : 'connect', () => {
            way.connected = true
          })
        })
        asked.on('error', reject)
        asked.end(typeof body === 'string' ? body : undefined)
      })
      return await readAnswer(answer, clock.now())
    } catch (thrown) {
      throw new Unanswered(reasonOf(thrown), way.connected)
    }
  }

// The library takes Retry-After for seconds, which a proxy's date is not.
async function readAnswer(answer: IncomingMessage, now: number): Promise<Response> {
  const read = await readBody(answer, limits.discordAnswerBytesMax)
  const headers = Object.entries(answer.headers)
    .filter(([name]) => name !== 'retry-after')
    .map(([name, value]): [string, string] => [name, String(value)])
  const waitMs = parseRetryAfter(answer.headers['retry-after'], now)
  if (waitMs !== null) headers.push(['retry-after', String(waitMs / 1_000)])
  const { statusCode: status = 502 } = answer
  const body = status === 204 || status === 304 ? null : read
  return new Response(body, { status, headers })
}

function reasonOf(thrown: unknown): string {
  if (memberOf(thrown, 'name') === 'AbortError') return `no answer in ${limits.discordGraceMs} ms`
  const code = memberOf(thrown, 'code')
  return typeof code === 'string' ? code : messageOf(thrown)
}
