/**
 * Host, Origin and URL of a request, judged before any state is made. Before step 1 of 8.
 *
 * A Host must be an address, a name of this machine or a configured one, with our port or none:
 * against DNS rebinding. An Origin must be the page of that same Host and port, or a configured one,
 * letter by letter: against web pages. A URL that carries a credential is refused, and never logged.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'

/** What the configuration adds to what is always allowed. */
export interface DoorLists {
  readonly allowedOrigins: readonly string[]
  readonly allowedHosts: readonly string[] // with their port where it is not ours
}

/** How a request is refused: status line, further header lines, and why, for the log. */
export interface Refusal {
  readonly status: string
  readonly headers?: string // each line ends with CR LF
  readonly reason: string
}

const FORBIDDEN = '403 Forbidden'
const BAD_REQUEST = '400 Bad Request'
const REASON_CHARS_MAX = 128

// Names under which clients of all kinds put credentials into URLs (S59).
const SECRET_PARAMETER = /token|password|passwd|secret|auth|key|code|credential|session|jwt/i

/** Judges a request by its head alone; null where it may go on. `port` is the one we listen on. */
export function judgeHead(
  { headers, rawHeaders, socket, url = '' }: IncomingMessage,
  lists: DoorLists,
  port: number,
): Refusal | null {
  if (!/^\/(?!\/)/.test(url)) return { status: BAD_REQUEST, reason: 'the target is no path' }
  if (carriesSecret(url)) {
    return { status: BAD_REQUEST, reason: 'a credential has no place in a URL' }
  }
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host')
  if (hosts.length !== 1) return { status: BAD_REQUEST, reason: 'expected one Host' }
  const { host = '', origin } = headers
  if (!isOwnHost(host, lists.allowedHosts, port)) {
    return { status: FORBIDDEN, reason: cut(`host ${host} is not this machine`) }
  }
  const scheme = 'encrypted' in socket ? 'https' : 'http'
  if (origin === undefined || origin === `${scheme}://${host}`) return null
  if (lists.allowedOrigins.includes(origin)) return null
  return { status: FORBIDDEN, reason: cut(`origin ${origin} is not allowed`) }
}

// What proxies, tunnels and content networks add; a program that talks to us itself sends none.
const FORWARDING =
  /^(?:forwarded|via|cdn-loop|x-scheme|x-(?:forwarded|original|real|remote|client|cluster|proxyuser|envoy|azure|appengine|amzn|vercel|arr|cloud-trace)(?:-.*)?|(?:true|fastly|fly|proxy|wl-proxy)-client-.*|(?:cf|tailscale)-.*)$/

/**
 * Tells whether a request came through somebody else: a header says so, or it was meant for another
 * name than loopback's, as where a forwarder adds no header.
 */
export function isForwarded(headers: IncomingHttpHeaders): boolean {
  const { host = '' } = headers
  return !LOOPBACK_HOST.test(host) || Object.keys(headers).some((name) => FORWARDING.test(name))
}

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

// Upstream's pages keep the key of the conversation that they show in their address.
function namesSession(name: string, value: string): boolean {
  return name === 'session' && /^(?:main|agent:.*)$/.test(value)
}

function carriesSecret(url: string): boolean {
  const query = url.indexOf('?')
  if (query === -1) return false
  const members = [...new URLSearchParams(url.slice(query + 1))]
  return members.some(([name, value]) => SECRET_PARAMETER.test(name) && !namesSession(name, value))
}

function isOwnHost(host: string, allowed: readonly string[], port: number): boolean {
  if (allowed.includes(host)) return true
  const [, bracketed, plain, written] =
    /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(host) ?? []
  if (written !== undefined && Number(written) !== port) return false
  if (bracketed !== undefined) return isIP(bracketed) === 6
  const name = (plain ?? '').toLowerCase()
  const own = hostname().toLowerCase()
  // A name can be made to resolve here by anybody; an address or our own name can not.
  return (
    isIP(name) === 4 ||
    name === 'localhost' ||
    name === own ||
    name === `${own}.local` ||
    (plain !== undefined && allowed.includes(plain))
  )
}

function cut(text: string): string {
  return text.slice(0, REASON_CHARS_MAX)
}
