/**
 * What the door says to HTTP: probes, and refusals of requests that are not what they seem.
 * Before step 1 of 8.
 *
 * Only GET and HEAD, only known paths. What a probe says is in probes.ts. An upgrade must be
 * HTTP/1.1, version 13, with one key, to a path of ours; its Host is judged in hosts.ts.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ChannelHooks } from './channel-hooks.ts'
import type { Completions } from './completions.ts'
import type { Refusal } from './hosts.ts'
import type { Pages } from './pages.ts'
import type { Peer } from './peer.ts'
import { jsonAnswer, type ProbeAnswer, type Probes } from './probes.ts'
import type { Log } from './services.ts'

/** What an answer depends on. */
export interface Standing {
  readonly log: Log
  readonly probes: Probes
  readonly pages: Pages | null
  readonly completions: Completions | null
  readonly hooks: ChannelHooks
  readonly peer: Peer
  readonly refusal: Refusal | null // of the request's head
}

const ONCE = ['origin', 'upgrade', 'sec-websocket-key', 'sec-websocket-version']
const KEY = /^[+/0-9A-Za-z]{22}==$/
const VERSION_13 = 'sec-websocket-version: 13\r\n'

/** Judges the form of an upgrade; null: it is one. Host, Origin and URL are judged in hosts.ts. */
export function judgeForm(request: IncomingMessage): Refusal | null {
  const { headers, method, httpVersion } = request
  const twice = ONCE.find((name) => countOf(request, name) > 1)
  if (twice !== undefined) return refuse('400 Bad Request', `${twice} was said twice`)
  if (headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined) {
    return refuse('400 Bad Request', 'an upgrade has no body')
  }
  if (method !== 'GET') return refuse('405 Method Not Allowed', 'not GET', 'allow: GET\r\n')
  if (httpVersion !== '1.1' || headers.upgrade?.toLowerCase() !== 'websocket') {
    return refuse('426 Upgrade Required', 'no websocket over HTTP/1.1', VERSION_13)
  }
  if (headers['sec-websocket-version'] !== '13') {
    return refuse('426 Upgrade Required', 'another version than 13', VERSION_13)
  }
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) {
    return refuse('400 Bad Request', 'no sec-websocket-key')
  }
  return null
}

/** Answers a request that is no upgrade. */
export function answerHttp(
  request: IncomingMessage,
  response: ServerResponse,
  { log, probes, pages, completions, hooks, peer, refusal }: Standing,
): void {
  const { method = '', url = '' } = request
  const path = url.split('?')[0] ?? ''
  const completes = completions?.handles(method, path) === true
  const comes = hooks.handles(method, path)
  // One answer a socket: it holds its place among the raw ones until it is gone, and a body that
  // nobody reads cannot be taken for the next request.
  response.setHeader('connection', 'close')
  if (request.httpVersionMajor !== 1) {
    return respond(response, 505, { error: 'only HTTP/1.1' })
  }
  if (method !== 'GET' && method !== 'HEAD' && !completes && !comes) {
    response.setHeader('allow', 'GET, HEAD')
    return respond(response, 405, { error: 'only GET and HEAD' })
  }
  if (refusal !== null) {
    return respond(response, Number(refusal.status.slice(0, 3)), { error: refusal.reason })
  }
  if (comes) return void hooks.answer(request, response, path)
  if (completes) return void completions.answer({ request, response, peer })
  const answer = probes.answer(path, { peer, authorization: request.headers.authorization })
  if (answer !== null) return void sendAnswer(answer, response, log)
  if (pages !== null) return void sendPage(pages, path, response)
  if (path !== '/') return respond(response, 404, { error: 'no such path' })
  response.setHeader('upgrade', 'websocket')
  respond(response, 426, { error: 'this is an OpenClaw gateway: connect with a WebSocket' })
}

async function sendAnswer(
  answer: Promise<ProbeAnswer>,
  response: ServerResponse,
  log: Log,
): Promise<void> {
  try {
    send(response, await answer)
  } catch (error) {
    log.error('probe not answered', { error: String(error) })
    respond(response, 500, { error: 'the probe failed' })
  }
}

// The page asks for what its gateway could tell it before it connects; there is nothing.
const PAGE_CONFIG = '/control-ui-config.json'

async function sendPage(pages: Pages, path: string, response: ServerResponse): Promise<void> {
  const page = path === PAGE_CONFIG ? null : await pages.answer(path)
  if (page === null) {
    const status = path === PAGE_CONFIG ? 401 : 404
    return respond(response, status, { error: 'no such path' })
  }
  const { status, type, body, headers } = page
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  send(response, { status, type, body })
}

function respond(response: ServerResponse, status: number, body: object): void {
  send(response, jsonAnswer(status, body))
}

type Sent = Omit<ProbeAnswer, 'body'> & { readonly body: string | Buffer }

function send(response: ServerResponse, { status, type, body }: Sent): void {
  response.statusCode = status
  response.setHeader('content-type', type)
  if (!response.hasHeader('cache-control')) response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('cross-origin-resource-policy', 'same-origin')
  response.end(body)
}

function refuse(status: string, reason: string, headers = ''): Refusal {
  return { status, headers, reason }
}

// Node keeps the first of some headers and forgets the rest.
function countOf({ rawHeaders }: IncomingMessage, name: string): number {
  return rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === name).length
}
