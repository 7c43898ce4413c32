/**
 * A TLS connection to a gateway that is known by the fingerprint of its certificate: no authority
 * vouches for a home server. Nothing is sent before the fingerprint is seen to be right.
 */
import { isIP } from 'node:net'
import { connect } from 'node:tls'
import { GatewayError } from '../protocol/errors.ts'

interface Target {
  readonly host?: string | null
  readonly port?: number | string | null
}

type Created = (error: Error | null, socket?: object) => void

/** Makes what `ws` and `node:https` take as `createConnection`. */
export function pinnedTo(fingerprint: string): (target: Target, created: Created) => void {
  const wanted = canonicalFingerprint(fingerprint)
  return ({ host, port }, created) => {
    const name = host ?? '127.0.0.1'
    const socket = connect({
      host: name,
      port: Number(port),
      rejectUnauthorized: false, // The fingerprint decides, below.
      ...(isIP(name) === 0 ? { servername: name } : {}),
    })
    const failed = (error: Error): void => created(error)
    socket.once('error', failed)
    socket.once('secureConnect', () => {
      socket.off('error', failed)
      const shown = canonicalFingerprint(socket.getPeerCertificate().fingerprint256)
      if (shown === wanted) return created(null, socket)
      socket.destroy()
      const message = `the certificate is not the one that was pinned: expected ${wanted}, got ${shown}`
      created(new GatewayError('UNAVAILABLE', message, { expected: wanted, shown }))
    })
  }
}

/** Writes a SHA-256 fingerprint in one way: AB:CD:…, whatever case and colons it came with. */
function canonicalFingerprint(text: string): string {
  const digits = text
    .replace(/^sha256[:/]/i, '')
    .replaceAll(/[^\da-f]/gi, '')
    .toUpperCase()
  return digits.match(/../g)?.join(':') ?? ''
}
