/**
 * A webhook: one signed POST, to no address that only this network knows.
 *
 * A name is resolved once and the connection goes to the address that was judged, so that no second
 * answer of a name server can lead elsewhere. Redirects are not followed. The signature is over
 * time and body, `HMAC-SHA256(secret, "<timestamp>.<body>")`, so that an old one cannot be used again.
 */
import { lookup } from 'node:dns/promises'
import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { BlockList, isIP } from 'node:net'
import {
  DELIVERY_HEADER,
  SIGNATURE_HEADER,
  signPost,
  TIMESTAMP_HEADER,
} from '../protocol/channels/webhook.ts'
import type { ResolvedWebhook } from '../protocol/config/defaults.ts'
import { messageOf } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'

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

const PRIVATE = privateAddresses()

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
    return resultOf(await post(target, { address, headers, body, way }))
  } catch (thrown) {
    const reason = messageOf(thrown)
    const { connected } = way
    const retryable = !(thrown instanceof Refused)
    return { status: 0, retryable, retryAfterMs: null, reason, connected }
  }
}

/** Why a webhook is not gone to, or its name not found; null: it can be tried. Posts nothing. */
export async function webhookFault({ url, allowPrivate }: ResolvedWebhook): Promise<string | null> {
  try {
    await resolveHost(new URL(url).hostname, allowPrivate)
    return null
  } catch (thrown) {
    return messageOf(thrown)
  }
}

/** An address that we do not go to, now or later. */
class Refused extends Error {}

async function resolveHost(hostname: string, allowPrivate: boolean): Promise<string> {
  const host = hostname.replace(/^\[|\]$/g, '')
  const found = isIP(host) === 0 ? await lookup(host, { all: true }) : [{ address: host }]
  const [first] = found
  if (first === undefined) throw new Error(`${host}: no address`)
  if (allowPrivate) return first.address
  const inside = found.find(({ address }) => isPrivate(address))
  if (inside === undefined) return first.address
  throw new Refused(`webhook: ${inside.address} is a private address`)
}

/** Tells whether an address is known in its own network only, or stands for none. */
export function isPrivate(address: string): boolean {
  // A v4 address that is mapped into v6 is judged as what it stands for.
  return PRIVATE.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

// IANA's special-purpose registries: what is not globally reachable, and multicast.
function privateAddresses(): BlockList {
  const list = new BlockList()
  const ranges =
    '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 ' +
    '192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 ' +
    '::/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 ' +
    '2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8'
  for (const range of ranges.split(' ')) {
    const [network = '', prefix = ''] = range.split('/')
    list.addSubnet(network, Number(prefix), network.includes(':') ? 'ipv6' : 'ipv4')
  }
  return list
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

function resultOf({ statusCode: status = 0, headers }: IncomingMessage): PostResult {
  const retryable = status === 408 || status === 429 || status >= 500
  const seconds = Number(headers['retry-after'])
  const retryAfterMs = retryable && seconds > 0 ? seconds * 1_000 : null
  return { status, retryable, retryAfterMs, reason: `HTTP ${status}`, connected: true }
}
