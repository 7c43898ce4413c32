/**
 * TLS with a certificate of one's own: read, judged before anybody is served with it, and read
 * again when its file has been renewed.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import type { ResolvedTls } from '../protocol/config/defaults.ts'
import { GatewayError, messageOf, toGatewayError } from '../protocol/errors.ts'
import { quote } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { namedFile } from './config-files.ts'
import type { Services } from './services.ts'

/** A certificate that may be shown. */
export interface Tls {
  readonly cert: string // PEM, with its chain
  readonly key: string // PEM
  readonly fingerprint: string // SHA-256 of the certificate, AB:CD:…
  readonly validTo: number // ms since epoch
}

/**
 * Reads the certificate that a configuration names; paths are relative to its file.
 * @throws {GatewayError} CONFIG_INVALID: unreadable, no certificate, another one's key, expired.
 */
export function readTls({ cert, key }: ResolvedTls, configPath: string, now: number): Tls {
  const certificate = readPem('cert', cert, configPath)
  const secret = readPem('key', key, configPath)
  const parsed = parse('cert', cert, () => new X509Certificate(certificate))
  const isItsKey = parse('key', key, () => parsed.checkPrivateKey(createPrivateKey(secret)))
  if (!isItsKey) throw invalid('key', `${quote(key)} is not the key of the certificate`)
  const { validFrom, validTo, fingerprint256: fingerprint } = parsed
  if (Date.parse(validFrom) > now) throw invalid('cert', `valid only from ${validFrom} on`)
  if (Date.parse(validTo) <= now) throw invalid('cert', `expired on ${validTo}`)
  return { cert: certificate, key: secret, fingerprint, validTo: Date.parse(validTo) }
}

/** Makes the server of the door: HTTP, or HTTPS where there is a certificate. */
export function createDoorServer(options: ServerOptions, tls: Tls | null): Server {
  if (tls === null) return createServer(options)
  const { cert, key } = tls
  return createTlsServer({ ...options, cert, key, minVersion: 'TLSv1.2' })
}

/** Shows another certificate from now on; open connections keep theirs. */
export function renewTls(server: Server, { cert, key }: Tls): void {
  if (server instanceof TlsServer) server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' })
}

/** What a watch over a certificate needs. */
interface Renewal {
  readonly named: ResolvedTls
  readonly configPath: string
  readonly services: Pick<Services, 'clock' | 'log'>
  readonly renew: (tls: Tls) => void
}

/**
 * Makes what looks, at most every limits.tlsLookMs, whether a certificate was renewed. One that
 * cannot be used is told once, and the old one stays.
 */
export function watchTls(first: Tls, { named, configPath, services, renew }: Renewal): () => void {
  const { clock, log } = services
  let { fingerprint } = first
  let lookedAt = clock.monotonic()
  let told = ''
  return () => {
    const now = clock.monotonic()
    if (now - lookedAt < limits.tlsLookMs) return
    lookedAt = now
    try {
      const next = readTls(named, configPath, clock.now())
      if (next.fingerprint === fingerprint) return
      fingerprint = next.fingerprint
      renew(next)
      log.info('the certificate was renewed', { fingerprint, validTo: next.validTo })
    } catch (thrown) {
      const { message: reason } = toGatewayError(thrown)
      if (reason !== told) log.error('the certificate cannot be renewed', { reason })
      told = reason
    }
  }
}

function readPem(name: 'cert' | 'key', path: string, configPath: string): string {
  return parse(name, path, () => readFileSync(namedFile(path, configPath), 'utf8'))
}

function parse<T>(name: 'cert' | 'key', path: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    const reason = messageOf(cause)
    throw invalid(name, `${quote(path)} cannot be used: ${reason}`, cause)
  }
}

function invalid(name: 'cert' | 'key', reason: string, cause?: unknown): GatewayError {
  const path = `gateway.tls.${name}`
  return new GatewayError('CONFIG_INVALID', `${path}: ${reason}`, { path }, cause)
}
