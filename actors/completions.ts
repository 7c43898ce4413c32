/**
 * An OpenAI-compatible door to the agent: POST /v1/chat/completions, GET /v1/models. Step 4 of 8.
 *
 * Off unless configured. A request is one message of a session, accepted like any other: on disk
 * before the model is asked. Earlier messages of a request are context for the last one; the session
 * is the one named by a header or by `user`, else a new one. With `stream` pieces come as they are.
 * OpenAI's libraries ask again after a lost connection, under the same `idempotency-key`: such a
 * request is answered from the first one's run, in one piece.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  array,
  boolean,
  enums,
  optional,
  size,
  string,
  type Struct,
  type as shape,
  union,
} from 'superstruct'
import type { Infer } from 'superstruct'
import { GatewayError, toGatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { canonicalSessionKey, encodePart } from '../protocol/session-key.ts'
import { shapeOf } from '../protocol/shape.ts'
import type { IdempotencyMark } from '../machines/session-events.ts'
import type { AuthSettings } from './admission.ts'
import type { Hub } from './hub.ts'
import { markRequest } from './idempotency.ts'
import type { Limiter } from './limiter.ts'
import { acceptMessage } from './methods/accept.ts'
import type { MethodHouse } from './methods/house.ts'
import { readBody } from './http-body.ts'
import { SecretChecks } from './passwords.ts'
import { isDirect, type Peer } from './peer.ts'
import type { RunEnd } from './run-ends.ts'

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool'] as const

const request = shape({
  model: optional(size(string(), 0, 256)),
  messages: size(
    array(
      shape({
        role: enums(ROLES),
        content: union([string(), array(shape({ type: enums(['text']), text: string() }))]),
      }),
    ),
    1,
    1_000,
  ),
  stream: optional(boolean()),
  user: optional(size(string(), 1, 128)),
})

type Asked = Infer<typeof request>

interface Setup {
  readonly house: MethodHouse
  readonly hub: Hub
  readonly auth: AuthSettings
  readonly limiter: Limiter
}

/** One HTTP request with who sends it. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly peer: Peer
}

/** Answers the two paths; `handles` tells whether a path is one of them. */
export class Completions {
  #setup: Setup
  #secrets: SecretChecks
  #running = 0

  constructor(setup: Setup) {
    this.#setup = setup
    this.#secrets = new SecretChecks(setup.auth.secret, setup.auth.mode)
  }

  handles(method: string, path: string): boolean {
    return (
      (method === 'POST' && path === '/v1/chat/completions') ||
      (method === 'GET' && path === '/v1/models')
    )
  }

  /** Never rejects: what is wrong is the answer. */
  async answer(exchange: Exchange): Promise<void> {
    const { response } = exchange
    try {
      await this.#judge(exchange)
      if (exchange.request.method === 'GET') return sendJson(response, 200, this.#models())
      if (this.#running >= limits.completionsMax) {
        throw new GatewayError('UNAVAILABLE', 'too many completions at a time, try again later')
      }
      this.#running += 1
      try {
        await this.#complete(exchange)
      } finally {
        this.#running -= 1
      }
    } catch (thrown) {
      this.#refuse(response, toGatewayError(thrown))
    }
  }

  async #judge({ request: { headers }, peer }: Exchange): Promise<void> {
    const { auth, limiter } = this.#setup
    const [, offered] = /^Bearer (\S+)$/i.exec(headers.authorization ?? '') ?? []
    if (auth.mode === 'none' && isDirect(peer)) return
    if (offered === undefined || auth.mode === 'none') {
      throw new GatewayError('UNAUTHORIZED', 'a bearer token is required')
    }
    const attempt = limiter.attempt('secret', peer)
    const isRight = await this.#secrets.isRight(offered).catch((thrown: unknown) => {
      attempt.right() // Nobody has looked at it: no attempt at all.
      throw thrown
    })
    if (isRight) return attempt.right()
    attempt.wrong()
    throw new GatewayError('UNAUTHORIZED', 'the bearer token is wrong')
  }

  #models(): unknown {
    const created = Math.floor(this.#setup.house.services.clock.now() / 1_000)
    return { object: 'list', data: [{ id: MODEL, object: 'model', created, owned_by: MODEL }] }
  }

  async #complete({ request: incoming, response }: Exchange): Promise<void> {
    const { house, hub } = this.#setup
    const asked = readRequest(
      (await readBody(incoming, limits.completionBytesMax)).toString('utf8'),
    )
    const { chance, clock } = house.services
    const id = chance.id()
    const chat = { id: `chatcmpl-${id}`, created: Math.floor(clock.now() / 1_000), model: MODEL }
    const named = incoming.headers['x-openclaw-session-key']
    const sessionKey = keyOf(asked, typeof named === 'string' ? named : null, id)
    const text = textOf(asked)
    const mark = markOf(incoming, asked, text, named)
    let own = ''
    const stop = hub.hear((delta) => {
      if (asked.stream === true && delta.runId === own) sendPiece(response, chat, delta.text)
    })
    try {
      const begun = (begins: string): void => {
        own = begins
        if (asked.stream === true) beginStream(response)
      }
      const cited = {
        cause: `ext:http:${id}`,
        correlationId: chance.hex(limits.correlationIdBytes),
      }
      const model = this.#modelOf(asked)
      const wish = { sessionKey, text, mark, begun, ...model }
      const { event } = await acceptMessage(house, wish, cited)
      const end = await house.runEnds.wait(String(event['runId']), limits.runWaitMsMax)
      if (asked.stream === true) {
        if (own === '') beginStream(response)
        if (own === '' && end.text !== undefined) sendPiece(response, chat, end.text)
        endStream(response, chat, end)
      } else sendJson(response, ...formatEnd(chat, end))
    } finally {
      stop()
    }
  }

  #modelOf({ model = MODEL }: Asked): { model?: string } {
    return this.#setup.house.configuration.live.models.find(model) === null ? {} : { model }
  }

  #refuse(response: ServerResponse, { code, message }: GatewayError): void {
    if (code === 'INTERNAL') this.#setup.house.services.log.error('completion failed', { message })
    if (response.headersSent) return void response.end()
    const shown = code === 'INTERNAL' ? 'internal error; the log has it' : message
    sendJson(response, STATUS[code] ?? 400, { error: { message: shown, type: TYPE[code] ?? BAD } })
  }
}

const MODEL = 'openclaw'
const BAD = 'invalid_request_error'

const STATUS: Readonly<Partial<Record<string, number>>> = {
  UNAUTHORIZED: 401,
  RATE_LIMITED: 429,
  IDEMPOTENCY_CONFLICT: 422, // 409 would be tried again
  HISTORY_PRUNED: 410,
  UNAVAILABLE: 503,
  PAYLOAD_TOO_LARGE: 413,
  INTERNAL: 500,
}

const TYPE: Readonly<Partial<Record<string, string>>> = {
  UNAUTHORIZED: 'unauthorized',
  RATE_LIMITED: 'rate_limit_exceeded',
  UNAVAILABLE: 'api_error',
  INTERNAL: 'api_error',
}

interface Chat {
  readonly id: string
  readonly created: number // s since epoch
  readonly model: string
}

function readRequest(body: string): Asked {
  const shaped = shapeOf(request as unknown as Struct<Asked>, parse(body))
  if (shaped.ok) return shaped.value
  const path = shaped.failure.path.map(String).join('.')
  throw new GatewayError('INVALID_REQUEST', `${path === '' ? 'the body' : path}: not as expected`)
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw new GatewayError('INVALID_REQUEST', 'the body is no JSON', {}, cause)
  }
}

function keyOf({ user }: Asked, named: string | null, id: string): string {
  if (named !== null) return canonicalSessionKey(named)
  const rest = user === undefined ? `openai:${id}` : `openai-user:${encodePart(user)}`
  return canonicalSessionKey(`agent:main:${rest}`)
}

// Which session a request falls to where it names none is no part of what it asks.
function markOf(
  { headers }: IncomingMessage,
  { user, model }: Asked,
  message: string,
  named: string | string[] | undefined,
): IdempotencyMark | null {
  const key = headers['idempotency-key']
  if (typeof key !== 'string') return null
  if (key === '' || key.length > limits.idempotencyKeyCharsMax) {
    const text = `idempotency-key: expected 1 to ${limits.idempotencyKeyCharsMax} characters`
    throw new GatewayError('INVALID_REQUEST', text)
  }
  const asked = { message, user: user ?? null, model: model ?? null, session: named ?? null }
  return markRequest('http', key, 'chat.completions', asked)
}

// What went before is said as it was, so that the last message reads as an answer to it.
function textOf({ messages }: Asked): string {
  const said = messages.map(({ role, content }) => ({
    role,
    text: typeof content === 'string' ? content : content.map(({ text }) => text).join('\n'),
  }))
  const last = said.at(-1)
  if (last === undefined || last.text === '') {
    throw new GatewayError('INVALID_REQUEST', 'messages: the last one is empty')
  }
  const before = said.slice(0, -1).map(({ role, text }) => `[${role}] ${text}`)
  return before.length === 0 ? last.text : [...before, '', last.text].join('\n')
}

function beginStream(response: ServerResponse): void {
  response.statusCode = 200
  response.setHeader('content-type', 'text/event-stream; charset=utf-8')
  response.setHeader('cache-control', 'no-store')
  response.flushHeaders()
}

// A reader that does not read loses its answer, not our memory: it is in the session's history.
function sendPiece(response: ServerResponse, chat: Chat, content: string): void {
  if (response.writableLength > limits.completionBytesMax) return void response.destroy()
  sendChunk(response, chat, { delta: { role: 'assistant', content }, finish_reason: null })
}

function sendChunk(response: ServerResponse, chat: Chat, choice: object): void {
  const chunk = { ...chat, object: 'chat.completion.chunk', choices: [{ index: 0, ...choice }] }
  response.write(`data: ${JSON.stringify(chunk)}\n\n`)
}

function endStream(response: ServerResponse, chat: Chat, end: RunEnd): void {
  if (end.status === 'ok') sendChunk(response, chat, { delta: {}, finish_reason: 'stop' })
  else response.write(`data: ${JSON.stringify({ error: faultOf(end) })}\n\n`)
  response.end('data: [DONE]\n\n')
}

function faultOf({ status, fault }: RunEnd): object {
  const why = status === 'aborted' ? 'the run was aborted' : `no answer (${fault ?? status})`
  return { message: why, type: 'api_error' }
}

function formatEnd(chat: Chat, end: RunEnd): [status: number, body: object] {
  if (end.status !== 'ok') return [end.status === 'timeout' ? 504 : 502, { error: faultOf(end) }]
  const { text: content = '', usage = { inputTokens: 0, outputTokens: 0 } } = end
  const { inputTokens: prompt, outputTokens: completion } = usage
  const tokens = { prompt_tokens: prompt, completion_tokens: completion }
  const choice = { index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }
  const counted = { usage: { ...tokens, total_tokens: prompt + completion } }
  return [200, { ...chat, object: 'chat.completion', choices: [choice], ...counted }]
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json; charset=utf-8')
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  response.end(JSON.stringify(body))
}
