/**
 * Where things are: state directory, configuration file, port, credentials.
 *
 *   state    OPENCLAW_STATE_DIR, else ~/.openclaw
 *   config   OPENCLAW_CONFIG_PATH, else openclaw.json in the state directory
 *   port     --port, OPENCLAW_GATEWAY_PORT, gateway.port, 18789
 *   token    --token, OPENCLAW_GATEWAY_TOKEN, gateway.auth.token
 *   tls      gateway.tls; pinned to OPENCLAW_GATEWAY_TLS_FINGERPRINT, gateway.remote.tlsFingerprint,
 *            or the certificate that the configuration names
 *   password OPENCLAW_GATEWAY_PASSWORD, gateway.auth.password where it stands there in plain text
 *
 * Verbs that only knock at the gateway must work with a configuration that it would refuse, so
 * the file is read tolerantly here; the gateway itself reads it with `protocol/config/parse.ts`.
 */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { isPasswordHash } from '../protocol/auth/password.ts'
import { GatewayError } from '../protocol/errors.ts'
import { quote } from '../protocol/ids.ts'
import { memberOf } from '../protocol/members.ts'
import { wholeNumber } from './arguments.ts'

export const DEFAULT_PORT = 18_789

// As protocol/config/parse.ts reads it: `$${NAME}` stands for itself.
const REFERENCE = /\$?\$\{([A-Za-z_]\w*)\}/g

export interface Settings {
  readonly stateDir: string // absolute
  readonly configPath: string // absolute
  readonly host: string // where a client on this machine finds the gateway
  readonly port: number
  readonly portSource: '--port' | 'OPENCLAW_GATEWAY_PORT' | 'gateway.port' | 'default'
  readonly tls: PinnedTls | null // null: plain ws://
  readonly token: string | null
  readonly password: string | null
}

/** How the gateway is known over TLS. */
export interface PinnedTls {
  readonly fingerprint: string | null // SHA-256; null: an authority must vouch for it
}

export interface SettingsFlags {
  readonly port?: string | undefined
  readonly token?: string | undefined
}

/**
 * Resolves the settings of one call.
 * @throws {GatewayError} USAGE: --port is no port; CONFIG_INVALID: OPENCLAW_GATEWAY_PORT is none.
 */
export async function readSettings(
  flags: SettingsFlags,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Settings> {
  const stateDir = resolve(expandHome(env['OPENCLAW_STATE_DIR'] || '~/.openclaw'))
  const configPath = resolve(
    expandHome(env['OPENCLAW_CONFIG_PATH'] || join(stateDir, 'openclaw.json')),
  )
  const gateway = memberOf(await readConfigFile(configPath), 'gateway')
  const auth = memberOf(gateway, 'auth')
  return {
    stateDir,
    configPath,
    host: hostOf(memberOf(gateway, 'bind')),
    tls: await readPinnedTls(gateway, configPath, env),
    ...readPort(flags, env, memberOf(gateway, 'port')),
    token: flags.token ?? env['OPENCLAW_GATEWAY_TOKEN'] ?? secretOf(memberOf(auth, 'token'), env),
    password: env['OPENCLAW_GATEWAY_PASSWORD'] || plainPassword(memberOf(auth, 'password'), env),
  }
}

/** Writes the gateway's address. */
export function urlOf({ host, port, tls }: Pick<Settings, 'host' | 'port' | 'tls'>): string {
  const scheme = tls === null ? 'ws' : 'wss'
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Tells whether the caller named the port, so that no other may be tried. */
export function isPortNamed({ portSource }: Settings): boolean {
  return portSource === '--port' || portSource === 'OPENCLAW_GATEWAY_PORT'
}

function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path
}

async function readPinnedTls(
  gateway: unknown,
  configPath: string,
  env: NodeJS.ProcessEnv,
): Promise<PinnedTls | null> {
  const tls = memberOf(gateway, 'tls')
  const path = memberOf(tls, 'cert') ?? memberOf(tls, 'certPath')
  const named = env['OPENCLAW_GATEWAY_TLS_FINGERPRINT']
  const isOn = typeof path === 'string' && memberOf(tls, 'enabled') !== false
  if (named !== undefined && named !== '') return { fingerprint: named }
  if (!isOn) return null
  const pinned = memberOf(memberOf(gateway, 'remote'), 'tlsFingerprint')
  if (typeof pinned === 'string') return { fingerprint: pinned }
  const pem = await readFile(resolve(dirname(configPath), expandHome(path)), 'utf8').catch(() => '')
  return { fingerprint: fingerprintOf(pem) }
}

function fingerprintOf(pem: string): string | null {
  try {
    return new X509Certificate(pem).fingerprint256
  } catch {
    return null // None, or not for us to read.
  }
}

type Port = Pick<Settings, 'port' | 'portSource'>

function readPort(flags: SettingsFlags, env: NodeJS.ProcessEnv, configured: unknown): Port {
  if (flags.port !== undefined) {
    return { port: wholeNumber('--port', flags.port, 0, 65_535), portSource: '--port' }
  }
  const name = 'OPENCLAW_GATEWAY_PORT'
  const text = env[name]
  if (text !== undefined && text !== '') {
    if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) {
      return { port: Number(text), portSource: name }
    }
    const message = `${name}: expected a port from 0 to 65535, got ${quote(text)}`
    throw new GatewayError('CONFIG_INVALID', message, { path: name })
  }
  return typeof configured === 'number' && configured > 0
    ? { port: configured, portSource: 'gateway.port' }
    : { port: DEFAULT_PORT, portSource: 'default' }
}

async function readConfigFile(path: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch {
    return {} // None, or not for us to read: the gateway and doctor say which.
  }
  const { default: json5 } = await import('json5')
  try {
    return json5.parse(text)
  } catch {
    return {}
  }
}

// A gateway that listens on every address is found on loopback.
function hostOf(bind: unknown): string {
  const isAddress = typeof bind === 'string' && /^[\da-f.:]+$/i.test(bind)
  if (!isAddress || bind === '0.0.0.0') return '127.0.0.1'
  return bind === '::' ? '::1' : bind
}

function secretOf(value: unknown, env: NodeJS.ProcessEnv): string | null {
  if (typeof value !== 'string' || value === '') return null
  return value.replaceAll(REFERENCE, (reference, name: string) =>
    reference.startsWith('$$') ? reference.slice(1) : (env[name] ?? reference),
  )
}

// A hash opens nothing: the device's own key and token do.
function plainPassword(value: unknown, env: NodeJS.ProcessEnv): string | null {
  const password = secretOf(value, env)
  return password !== null && isPasswordHash(password) ? null : password
}
