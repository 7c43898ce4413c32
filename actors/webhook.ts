/**
 * A webhook: one signed POST, to no address that only this network knows.
 *
 * A name is resolved once and the connection goes to the address that was judged, so that no second
 * answer of a name server can lead elsewhere. Redirects are not followed. The signature is over
 * time and body, `HMAC-SHA256(secret, "<timestamp>.<body>")`, so that an old one cannot be used again.
 */
import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import {
  DELIVERY_HEADER,
  SIGNATURE_HEADER,
  signPost,
  TIMESTAMP_HEADER,
} from '../protocol/channels/webhook.ts'
import type { ResolvedWebhook } from '../protocol/config/defaults.ts'
import { messageOf } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { parseRetryAfter } from '../protocol/retry-after.ts'
import { RefusedAddress, resolveHost } from './addresses.ts'

/** How a post ended; `status` 0: nobody answered. */
export interface PostResult {
  readonly status: number
  readonly retryable: boolean
  readonly retryAfterMs: number | null
  readonly reason: string
  readonly connected: boolean // the other side may have read it
}

/** Posts a JSON body; resolves with how that ended, and never throws. */
export type PostWebhook = typeof postWebhook

/** Posts a JSON body; resolves with how that ended, and never throws. */
export async function postWebhook(
  { url, secret, allowPrivate }: ResolvedWebhook,
  { id, body, at }: { id: string; body: string; at: number },
): Promise<PostResult> {
  const way = { connected: false }
  try {
    const target = new URL(url)
    const address = await resolveHost(target.hostname, allowPrivate)
    const timestamp = String(Math.floor(at / 1_000))
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      [DELIVERY_HEADER]: id,
      [TIMESTAMP_HEADER]: timestamp,
      [SIGNATURE_HEADER]: signPost(secret, timestamp, body),
    }
    return resultOf(await post(target, { address, headers, body, way }), at)
  } catch (thrown) {
    const reason = messageOf(thrown)
    const { connected } = way
    const retryable = !(thrown instanceof RefusedAddress)
    return { status: 0, retryable, retryAfterMs: null, reason, connected }
  }
}

/** Why a webhook is not gone to, or its name not found; null: it can be tried. Posts nothing. */
export async function webhookFault({ url, allowPrivate }: ResolvedWebhook): Promise<string | null> {
  try {
    await resolveHost(new URL(url).hostname, allowPrivate)
    return null
  } catch (thrown) {
    return `webhook: ${messageOf(thrown)}`
  }
}

interface Post {
  readonly address: string
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: string
  readonly way: { connected: boolean } // told as soon as it is so
}

function post(target: URL, { address, headers, body, way }: Post): Promise<IncomingMessage> {
  const isTls = target.protocol === 'https:'
  const { hostname, port, pathname, search, host } = target
  const name = hostname.replace(/^\[|\]$/g, '')
  const options = {
    method: 'POST',
    host: address,
    path: `${pathname}${search}`,
    headers: { ...headers, host },
    agent: false,
    signal: AbortSignal.timeout(limits.webhookMs),
    ...(port === '' ? {} : { port }),
    ...(isTls && isIP(name) === 0 ? { servername: name } : {}),
  } as const
  return new Promise((resolve, reject) => {
    const asked = (isTls ? requestHttps : requestHttp)(options, (answer) => {
      answer.on('error', () => {}) // What it says is not read.
      answer.destroy()
      resolve(answer)
    })
    asked.on('socket', (socket) => {
      socket.once(isTls ? 'secureConnect' : 'connect', () => {
        way.connected = true
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

function resultOf({ statusCode: status = 0, headers }: IncomingMessage, now: number): PostResult {
  const retryable = status === 408 || status === 429 || status >= 500
  const told = parseRetryAfter(headers['retry-after'], now)
  const retryAfterMs = retryable && told !== null && told > 0 ? told : null
  return { status, retryable, retryAfterMs, reason: `HTTP ${status}`, connected: true }
}
