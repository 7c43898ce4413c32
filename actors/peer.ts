/** What the listener saw of a socket before any frame, and whether that is a program right here. */

export interface Peer {
  readonly address: string
  readonly loopback: boolean
  readonly origin: string | null
  readonly forwarded: boolean
}

/** Tells whether a peer is on loopback itself: no web page, and nobody behind a proxy or a tunnel. */
export function isDirect({ loopback, origin, forwarded }: Peer): boolean {
  return loopback && origin === null && !forwarded
}
