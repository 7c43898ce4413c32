/**
 * `config.*`: what is configured, without its secrets, and changes of it. Step 4 of 8.
 *
 * A write names the hash of the configuration that its writer saw. It is answered when the change is
 * on disk as proposed; whether it took effect is told to the session that is named.
 */
import { describeSchema } from '../../protocol/config/describe.ts'
import { redactConfig } from '../../protocol/config/redact.ts'
import { unsupportedPaths } from '../../protocol/config/unread.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { MethodParams } from '../../protocol/methods.ts'
import { canonicalSessionKey } from '../../protocol/session-key.ts'
import type { Origin } from '../caller.ts'
import type { Handler, MethodHouse } from './house.ts'

/** `{ path, raw, parsed, hash, valid, issues, secretPaths, unsupported }`, without any secret. */
export const configGet: Handler<'config.get'> = ({ configuration }) => {
  const { parsed, hash } = configuration.live
  const { fault } = configuration
  const { config, secretPaths } = redactConfig(parsed)
  return {
    path: configuration.path,
    raw: JSON.stringify(config, null, 2),
    parsed: config,
    hash,
    valid: fault === null,
    issues: fault === null ? [] : [{ path: '', message: fault }],
    secretPaths,
    unsupported: unsupportedPaths(parsed),
  }
}

/** `{ schema }`: every key with what it holds, whether it is secret, and how a change takes effect. */
export const configSchema: Handler<'config.schema'> = () => ({ schema: describeSchema() })

/** Replaces the whole configuration. */
export const configApply: Handler<'config.apply'> = (house, params, origin) =>
  change(house, params, origin, 'apply')

/** Lays a merge patch over the configuration. */
export const configPatch: Handler<'config.patch'> = (house, params, origin) =>
  change(house, params, origin, 'patch')

async function change(
  { configuration }: MethodHouse,
  params: MethodParams<'config.apply'>,
  { caller, cause, correlationId }: Origin,
  via: 'apply' | 'patch',
): Promise<unknown> {
  assertBase(params.baseHash, configuration.live.hash)
  const text =
    via === 'patch' ? configuration.patched(params.raw) : configuration.replaced(params.raw)
  const { sessionKey, note = null, restartDelayMs = limits.configDelayMsDefault } = params
  const { record, hash, paths, effect } = await configuration.propose({
    via,
    by: caller.admission.deviceId,
    text,
    delayMs: restartDelayMs,
    note,
    sessionKey: sessionKey === undefined ? null : canonicalSessionKey(sessionKey),
    cause,
    correlationId,
  })
  const position = record?.position ?? null
  return {
    hash,
    changedPaths: paths,
    effect,
    position,
    ...(effect === 'restart' ? { restartDelayMs } : {}),
  }
}

function assertBase(baseHash: string | undefined, hash: string): void {
  if (baseHash === hash) return
  const why =
    baseHash === undefined
      ? 'params.baseHash: required; config.get tells it'
      : 'params.baseHash: the configuration has changed since; call config.get and try again'
  throw new GatewayError('CONFIG_STALE', why, { path: 'baseHash', hash })
}
