/**
 * The models of a configuration: full names -> who answers under them.
 */
import type { ResolvedConfig, ResolvedProvider } from '../../protocol/config/defaults.ts'
import { ECHO_MODEL, readModelName } from '../../protocol/config/model.ts'
import { formatPath } from '../../protocol/config/path.ts'
import type { Services } from '../services.ts'
import { openAnthropic } from './anthropic.ts'
import { openEcho } from './echo.ts'
import { toolFaultOf } from './fault.ts'
import { openOpenAi } from './openai.ts'
import { ModelFault, type ModelProvider } from './provider.ts'

/** One model, ready to be called. */
export interface OpenModel {
  readonly provider: ModelProvider
  readonly model: string // what goes into `ModelCall.model`
  readonly maxOutputTokens: number | null // what goes into `ModelCall.maxOutputTokens`
  readonly takesTools: boolean // false: it must be told of none
}

export interface Models {
  /** The provider of a name (`home`, `echo`), or null. */
  readonly provider: (name: string) => ModelProvider | null
  /** The model of a full name (`home/llama3.2`, `echo`), or null. */
  readonly find: (name: string) => OpenModel | null
}

/**
 * Opens every configured provider; nothing is dialled or imported before a call. A provider whose
 * key is missing from the environment is there and answers with an `auth` fault.
 */
export function openModels(
  config: ResolvedConfig,
  services: Services,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Models {
  const providers = new Map<string, ModelProvider>([[ECHO_MODEL, openEcho()]])
  for (const [name, entry] of Object.entries(config.providers)) {
    providers.set(name, openProvider(name, entry, services, env))
  }
  return {
    provider: (name) => providers.get(name) ?? null,
    find: (name) => {
      const parsed = readModelName(name)
      const provider = parsed === null ? undefined : providers.get(parsed.provider)
      if (parsed === null || provider === undefined) return null
      const models = new Map(Object.entries(config.providers[parsed.provider]?.models ?? {}))
      const { maxTokens = null, takesTools = true } = models.get(parsed.model) ?? {}
      return { provider, model: parsed.model, maxOutputTokens: maxTokens, takesTools }
    },
  }
}

function openProvider(
  name: string,
  { baseUrl, api, apiKey, apiKeyVariable }: ResolvedProvider,
  services: Services,
  env: Readonly<Record<string, string | undefined>>,
): ModelProvider {
  const open = api === 'anthropic-messages' ? openAnthropic : openOpenAi
  const opened = (key: string | null): ModelProvider =>
    namingTools(open({ baseUrl, apiKey: key }, services), name)
  if (apiKeyVariable === null) return opened(apiKey)
  const found = env[apiKeyVariable]
  if (found !== undefined && found !== '') return opened(found)
  const fault = `${name}: the environment variable ${apiKeyVariable} is not set`
  const refuse = () => Promise.reject(new ModelFault(fault, 'auth'))
  return { probe: refuse, call: refuse }
}

// Whoever reads of the fault is told what to write where.
function namingTools({ probe, call }: ModelProvider, name: string): ModelProvider {
  return {
    probe,
    call: async (asked, onDelta, signal) => {
      try {
        return await call(asked, onDelta, signal)
      } catch (thrown) {
        const path = `${formatPath(['models', 'providers', name, 'models'])}[${asked.model}]`
        throw toolFaultOf(thrown, (asked.tools ?? []).length > 0, path)
      }
    },
  }
}
