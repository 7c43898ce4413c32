/** The models that are configured, as upstream's clients list them. Step 4 of 8. */
import { ECHO_MODEL } from '../../../protocol/config/model.ts'
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

/** Which providers have a key, never the key. */
export function listProviders({ configuration, services }: UpstreamHouse): unknown {
  const { providers } = configuration.live.config
  const rows = Object.entries(providers).map(([provider, { apiKey, apiKeyVariable }]) => ({
    provider,
    authProvider: provider,
    displayName: provider,
    status: 'static',
    profiles: [],
    ...(apiKey === null && apiKeyVariable === null
      ? {}
      : { apiKey: { source: apiKeyVariable === null ? 'config' : 'env' } }),
  }))
  return { ts: services.clock.now(), providers: rows, providerCapabilities: [] }
}
