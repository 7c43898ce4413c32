/** The models that are configured, as upstream's clients list them. Step 4 of 8. */
import { ECHO_MODEL } from '../../../protocol/config/model.ts'
import { valueAt } from '../../../protocol/config/path.ts'
import { isObject } from '../../../protocol/members.ts'
import { THINKING_LEVELS } from '../../../protocol/methods.ts'
import type { UpstreamHouse } from '../house.ts'

/** A model's name taken apart: `home/llama3.2` is llama3.2 of home; echo is its own provider. */
export function partsOf(name: string): { provider: string; model: string } {
  const slash = name.indexOf('/')
  return slash === -1
    ? { provider: name, model: name }
    : { provider: name.slice(0, slash), model: name.slice(slash + 1) }
}

/** The default first, then those of the configured providers. */
export function listModels({ configuration }: UpstreamHouse): Record<string, unknown>[] {
  const { agent, providers } = configuration.live.config
  const rows = new Map<string, Record<string, unknown>>()
  const add = (name: string, tags: readonly string[], contextWindow: number | null): void => {
    if (rows.has(name)) return
    const { provider, model } = partsOf(name)
    const levels = name === ECHO_MODEL ? (['off'] as const) : THINKING_LEVELS
    rows.set(name, {
      id: model,
      name: model,
      provider,
      tags,
      available: true,
      ...(contextWindow === null ? {} : { contextWindow }),
      reasoning: name !== ECHO_MODEL,
      thinkingLevels: levels.map((id) => ({ id, label: id })),
      thinkingDefault: 'off',
    })
  }
  const windowOf = (name: string): number | null => {
    const { provider, model } = partsOf(name)
    return providers[provider]?.models[model]?.contextWindow ?? null
  }
  const { primary, fallbacks } = agent.model
  add(primary, ['default', 'configured'], windowOf(primary))
  for (const name of fallbacks) add(name, ['fallback', 'configured'], windowOf(name))
  for (const [provider, { models }] of Object.entries(providers)) {
    for (const [model, { contextWindow }] of Object.entries(models)) {
      add(`${provider}/${model}`, ['configured'], contextWindow)
    }
  }
  return [...rows.values()]
}

/**
 * Where the keys of providers come from, never the keys: of those that are configured, that a model
 * in use needs, or whose variable is set.
 */
export function listProviders({ configuration, services }: UpstreamHouse): unknown {
  const { config, parsed } = configuration.live
  const { primary, fallbacks } = config.agent.model
  const used = new Set([primary, ...fallbacks].map((name) => partsOf(name).provider))
  const own = valueAt(parsed, ['models', 'providers'])
  const rows = Object.entries(config.providers).flatMap(([provider, { apiKeyVariable }]) => {
    const isOwn = isObject(own) && Object.hasOwn(own, provider)
    const variable = isOwn ? variableIn(valueAt(own, [provider, 'apiKey'])) : apiKeyVariable
    const isSet = variable !== null && configuration.isSet(variable)
    const isWritten = isOwn && variable === null && valueAt(own, [provider, 'apiKey']) !== undefined
    if (!isOwn && !isSet && !used.has(provider)) return []
    const apiKey = isWritten ? { source: 'config' } : { source: 'env', envVar: variable }
    return {
      provider,
      authProvider: provider,
      displayName: provider,
      status: variable === null || isSet ? 'static' : 'missing',
      profiles: [],
      ...(isWritten || isSet ? { apiKey } : {}),
    }
  })
  return { ts: services.clock.now(), providers: rows, providerCapabilities: [] }
}

// A key that is nothing but a variable's name comes from there.
function variableIn(written: unknown): string | null {
  if (typeof written !== 'string') return null
  return /^\$\{(\w+)\}$/.exec(written)?.[1] ?? null
}
