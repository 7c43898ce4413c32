/** Upstream's methods about the configuration, said in its words. Step 4 of 8. */
import type { configMethods } from '../../../protocol/dialect/upstream/methods/config.ts'
import {
  findSchemaPlace,
  formatHints,
  formatJsonSchema,
} from '../../../protocol/config/json-schema.ts'
import { redactConfig } from '../../../protocol/config/redact.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import type { MethodParams } from '../../../protocol/methods.ts'
import type { Call, Handlers, UpstreamHouse } from '../house.ts'

export const configHandlers: Handlers<typeof configMethods> = {
  'config.get': readConfig,
  'config.schema': ({ version, services }) => ({
    schema: formatJsonSchema(),
    uiHints: formatHints(),
    version,
    generatedAt: new Date(services.clock.now()).toISOString(),
  }),
  'config.schema.lookup': (_house, { path }) => {
    const place = findSchemaPlace(path)
    if (place !== null) return place
    throw new GatewayError('INVALID_REQUEST', 'config schema path not found', { path: 'path' })
  },
  'config.set': (house, params, call) => change(house, { ...params, via: 'config.apply' }, call),
  'config.apply': (house, params, call) => change(house, { ...params, via: 'config.apply' }, call),
  'config.patch': (house, params, call) => change(house, { ...params, via: 'config.patch' }, call),
}

// A secret is absent, not marked: what is written back without it keeps it (decisions.md 28).
function readConfig({ configuration }: UpstreamHouse): Record<string, unknown> {
  const { parsed, hash, text } = configuration.live
  const { fault } = configuration
  const { config } = redactConfig(parsed)
  return {
    path: configuration.path,
    exists: text !== '',
    raw: JSON.stringify(config, null, 2),
    parsed: config,
    sourceConfig: config,
    resolved: config,
    runtimeConfig: config,
    config,
    valid: fault === null,
    hash,
    issues: fault === null ? [] : [{ path: '', message: fault }],
    warnings: [],
    legacyIssues: [],
    appliedConfigHash: hash,
  }
}

interface Change {
  readonly via: 'config.apply' | 'config.patch'
  readonly raw: string
  readonly baseHash?: string | undefined
  readonly note?: string | undefined
  readonly sessionKey?: string | undefined
  readonly restartDelayMs?: number | undefined
}

async function change(
  house: UpstreamHouse,
  { via, raw, baseHash, note, sessionKey, restartDelayMs }: Change,
  call: Call,
): Promise<unknown> {
  const params: MethodParams<'config.patch'> = {
    raw,
    ...(baseHash === undefined ? {} : { baseHash }),
    ...(note === undefined || note === '' ? {} : { note }),
    ...(sessionKey === undefined ? {} : { sessionKey }),
    ...(restartDelayMs === undefined ? {} : { restartDelayMs }),
  }
  const done = await performed(house, { method: via, params }, call)
  const { config } = readConfig(house)
  const { configuration, services } = house
  const kind = via === 'config.patch' ? 'config-patch' : 'config-apply'
  const requiresRestart = done.effect === 'restart'
  return {
    ok: true,
    path: configuration.path,
    config,
    hash: done.hash,
    changedPaths: done.changedPaths,
    ...(done.effect === 'none' ? { noop: true } : {}),
    sentinel: {
      persisted: true,
      payload: {
        kind,
        status: 'ok',
        ts: services.clock.now(),
        ...(sessionKey === undefined ? {} : { sessionKey }),
        ...(note === undefined ? {} : { message: note }),
        stats: { mode: via, root: configuration.path, requiresRestart },
      },
    },
  }
}

interface Done {
  readonly hash: string
  readonly changedPaths: readonly string[]
  readonly effect: 'none' | 'hot' | 'restart'
}

async function performed(
  house: UpstreamHouse,
  command: { method: Change['via']; params: MethodParams<'config.patch'> },
  call: Call,
): Promise<Done> {
  try {
    return (await house.perform(command, call)) as Done
  } catch (thrown) {
    throw inUpstreamWords(thrown, command.params.baseHash)
  }
}

function inUpstreamWords(thrown: unknown, baseHash: string | undefined): unknown {
  if (!(thrown instanceof GatewayError)) return thrown
  const { code, message, details } = thrown
  if (code === 'CONFIG_STALE') {
    const why = baseHash === undefined ? 'base hash required' : 'changed since last load'
    return new GatewayError(
      'INVALID_REQUEST',
      `config ${why}; re-run config.get and retry`,
      details,
    )
  }
  if (code !== 'CONFIG_INVALID') return thrown
  const { path } = details
  const issues = [{ path: typeof path === 'string' ? path : '', message }]
  return new GatewayError('INVALID_REQUEST', `invalid config: ${message}`, { ...details, issues })
}
