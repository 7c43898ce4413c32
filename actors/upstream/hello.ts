/** The answer to upstream's `connect`: what this gateway can do, how it is, and what was granted. */
import { allows } from '../../protocol/auth/scopes.ts'
import { PROTOCOL_MAX, type UpstreamConnect } from '../../protocol/dialect/upstream/connect.ts'
import { UPSTREAM_EVENT_NAMES } from '../../protocol/dialect/upstream/events.ts'
import { UPSTREAM_METHOD_NAMES } from '../../protocol/dialect/upstream/methods.ts'
import { limits } from '../../protocol/limits.ts'
import { DEFAULT_AGENT_ID, MAIN_SESSION_KEY } from '../../protocol/session-key.ts'
import type { Admitted } from '../speech.ts'
import type { Admission } from '../admission.ts'
import { uptimeOf } from '../health.ts'
import { readUpstreamHealth } from './health.ts'
import type { UpstreamHouse } from './house.ts'

interface Given extends Admitted {
  readonly connectionId: string
  readonly asked: UpstreamConnect | null
}

/** Writes `hello-ok`; paths of this machine are for those who administer it. */
export function formatHello(house: UpstreamHouse, given: Given): unknown {
  const { admission, deviceToken, asked, connectionId } = given
  const isAdmin = allows(admission.scopes, 'operator.admin')
  const { configuration, stateDir, auth, services } = house
  const places = { configPath: configuration.path, stateDir, authMode: auth.mode }
  return {
    type: 'hello-ok',
    protocol: asked?.protocol ?? PROTOCOL_MAX,
    server: { version: house.version, bootId: house.bootId, connId: connectionId },
    features: { methods: UPSTREAM_METHOD_NAMES, events: UPSTREAM_EVENT_NAMES, capabilities: [] },
    snapshot: {
      presence: house.presence.list(),
      health: readUpstreamHealth(house),
      stateVersion: house.feed.version,
      uptimeMs: uptimeOf(house) * 1_000,
      sessionDefaults: {
        defaultAgentId: DEFAULT_AGENT_ID,
        modelConfigured: true,
        ownership: 'sole',
        selectionRequired: false,
        mainKey: 'main',
        mainSessionKey: MAIN_SESSION_KEY,
        scope: 'per-sender',
      },
      ...(isAdmin ? places : {}),
    },
    auth: {
      ...methodOf(admission),
      role: asked?.role ?? 'operator',
      scopes: grantedWords(given),
      ...(deviceToken === null ? {} : { deviceToken, issuedAtMs: services.clock.now() }),
    },
    policy: {
      maxPayload: limits.frameBytesMax,
      maxBufferedBytes: limits.connectionBufferBytesMax,
      tickIntervalMs: limits.tickIntervalMs,
    },
  }
}

// Asked for by name: said back in that order, with those of newer clients that we do not know left out.
function grantedWords({ asked, admission }: Given): readonly string[] {
  const wanted = asked?.params.scopes
  return wanted === undefined
    ? admission.scopes
    : wanted.filter((scope) => allows(admission.scopes, scope))
}

// How it got in; a device that only signed has shown nothing that upstream has a word for.
function methodOf({ rule, secret }: Admission): { method?: string } {
  if (rule === 'device.token') return { method: 'device-token' }
  if (rule === 'setup.code') return { method: 'bootstrap-token' }
  return secret === 'none' ? {} : { method: secret }
}
