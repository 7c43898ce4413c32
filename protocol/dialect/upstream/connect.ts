/**
 * Upstream's `connect`: what it carries, and which protocol is spoken. Step 3 of 8.
 *
 * Newer clients add members and scopes, so what is unknown is left out, not refused; what is known
 * has its shape. The device signs the words as it sent them: role `operator`, its scopes in its order.
 */
import {
  array,
  boolean,
  enums,
  type Infer,
  integer,
  min,
  optional,
  record,
  size,
  string,
  type Struct,
  type as shape,
} from 'superstruct'
import { isScope } from '../../auth/scopes.ts'
import type { SignedConnect } from '../../auth/signature.ts'
import { GatewayError } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { ConnectParams } from '../../methods.ts'
import { checkParams } from './params.ts'

export const PROTOCOL_MIN = 3
export const PROTOCOL_MAX = 4

/** The two protocols that are spoken. */
export type Protocol = typeof PROTOCOL_MIN | typeof PROTOCOL_MAX

export const CLIENT_IDS = [
  'cli',
  'openclaw-control-ui',
  'openclaw-tui',
  'webchat',
  'webchat-ui',
  'gateway-client',
  'node-host',
  'openclaw-macos',
  'openclaw-linux',
  'openclaw-ios',
  'openclaw-watchos',
  'openclaw-android',
  'openclaw-worker',
  'openclaw-probe',
  'openclaw-browser-copilot',
  'test',
  'fingerprint',
] as const

export const CLIENT_MODES = [
  'cli',
  'ui',
  'webchat',
  'backend',
  'node',
  'worker',
  'probe',
  'test',
] as const

const name = (charsMax = 128) => size(string(), 1, charsMax)
const secret = () => size(string(), 0, 1_024)

const connect = shape({
  minProtocol: min(integer(), 1),
  maxProtocol: min(integer(), 1),
  client: shape({
    id: enums(CLIENT_IDS),
    mode: enums(CLIENT_MODES),
    version: name(),
    platform: name(),
    deviceFamily: optional(name()),
    modelIdentifier: optional(name()),
    displayName: optional(name()),
    instanceId: optional(name()),
    timeZone: optional(name(64)),
  }),
  role: optional(string()),
  scopes: optional(size(array(name()), 0, limits.upstreamScopesMax)),
  caps: optional(size(array(name()), 0, limits.upstreamCapsMax)),
  commands: optional(size(array(name()), 0, limits.upstreamCommandsMax)),
  permissions: optional(record(string(), boolean())),
  device: optional(
    shape({
      id: name(),
      publicKey: name(),
      signature: name(),
      signedAt: min(integer(), 0),
      nonce: name(),
    }),
  ),
  auth: optional(
    shape({
      token: optional(secret()),
      password: optional(secret()),
      deviceToken: optional(secret()),
      bootstrapToken: optional(secret()),
    }),
  ),
})

type Asked = Infer<typeof connect>

/** What a client says of itself. */
export type UpstreamClient = Asked['client'] & {
  readonly caps: readonly string[]
  readonly commands: readonly string[]
  readonly permissions: Readonly<Record<string, boolean>>
}

/** What the device's signature covers beyond what our own `connect` carries. */
export type Signed = Pick<
  SignedConnect,
  'clientId' | 'clientMode' | 'role' | 'scopes' | 'platform' | 'deviceFamily'
>

/** An upstream `connect` in our words. */
export interface UpstreamConnect {
  readonly protocol: Protocol
  readonly client: UpstreamClient
  readonly role: 'operator' | 'node'
  /** Whether it comes without a device of its own. */
  readonly keyless: boolean
  readonly signed: Signed
  readonly params: ConnectParams
}

// Who only asks and goes leaves one record an hour, not one for each call (decisions.md 12).
const PASSING_MODES: ReadonlySet<string> = new Set(['cli', 'probe', 'backend'])

/**
 * Reads the parameters of a `connect`.
 * @throws {GatewayError} INVALID_REQUEST: their shape, the range of protocols, or the role.
 */
export function parseUpstreamConnect(params: unknown): UpstreamConnect {
  const asked = checkParams('connect', connect as unknown as Struct<Asked>, params)
  const protocol = chooseProtocol(asked)
  const role = readRole(asked.role)
  const { client, caps = [], commands = [], permissions = {}, scopes } = asked
  const { platform, deviceFamily = '' } = client
  return {
    protocol,
    client: { ...client, caps, commands, permissions },
    role,
    keyless: asked.device === undefined,
    signed: {
      clientId: client.id,
      clientMode: client.mode,
      role,
      scopes: scopes ?? [],
      platform,
      deviceFamily,
    },
    params: paramsOf(asked, role),
  }
}

function paramsOf(asked: Asked, role: 'operator' | 'node'): ConnectParams {
  const { client, device, commands = [], caps = [], scopes } = asked
  const passing = PASSING_MODES.has(client.mode) && role === 'operator'
  return {
    deviceId: device?.id ?? `upstream:${client.id}`,
    role: role === 'operator' ? 'client' : 'node',
    ...(role === 'operator' && scopes !== undefined ? { scopes: scopes.filter(isScope) } : {}),
    auth: authOf(asked),
    ...(role === 'node' ? { capabilities: nodeCapabilities(commands, caps) } : {}),
    version: client.version.slice(0, 64),
    ...(passing ? { subscribe: [] } : {}),
  }
}

// What a node can be asked for are its commands; older ones name only what they can do.
function nodeCapabilities(commands: readonly string[], caps: readonly string[]): string[] {
  const named = commands.length > 0 ? commands : caps
  return named.length > 0 ? [...named] : ['node']
}

function authOf({ auth = {}, device }: Asked): NonNullable<ConnectParams['auth']> {
  const shown = Object.entries(auth).filter(([, text]) => text !== undefined && text !== '')
  const { token, password, deviceToken, bootstrapToken } = Object.fromEntries(shown) as typeof auth
  return {
    ...(token === undefined ? {} : { token }),
    ...(password === undefined ? {} : { password }),
    ...(deviceToken === undefined ? {} : { deviceToken }),
    ...(bootstrapToken === undefined ? {} : { bootstrapToken }),
    ...(device === undefined
      ? {}
      : {
          challenge: device.nonce,
          challengeResponse: device.signature,
          publicKey: device.publicKey,
          signedAt: device.signedAt,
        }),
  }
}

function chooseProtocol({ minProtocol, maxProtocol }: Asked): Protocol {
  if (maxProtocol >= PROTOCOL_MAX && minProtocol <= PROTOCOL_MAX) return PROTOCOL_MAX
  if (maxProtocol >= PROTOCOL_MIN && minProtocol <= PROTOCOL_MIN) return PROTOCOL_MIN
  throw new GatewayError('INVALID_REQUEST', 'protocol mismatch', {
    code: 'PROTOCOL_MISMATCH',
    clientMinProtocol: minProtocol,
    clientMaxProtocol: maxProtocol,
    expectedProtocol: PROTOCOL_MAX,
    minimumProbeProtocol: PROTOCOL_MIN,
  })
}

function readRole(role = 'operator'): 'operator' | 'node' {
  if (role === 'operator' || role === 'node') return role
  throw new GatewayError('INVALID_REQUEST', 'invalid role', { path: 'role' })
}
