/**
 * Names of models and of those who provide them: `home/llama3.2`, `openai/gpt-5`, `echo`.
 */
import { GatewayError } from '../errors.ts'
import { quote } from '../ids.ts'

/** The model that answers offline when none is configured. */
export const ECHO_MODEL = 'echo'

/** A model's name taken apart at its first slash. */
export interface ModelName {
  readonly provider: string
  readonly model: string // as the provider names it; may hold more slashes
}

/** The wire formats of models that we speak, by upstream's names. */
export type ModelApi = 'openai-completions' | 'anthropic-messages'

/** The name of the built-in provider that speaks Anthropic's format, and no other. */
export const ANTHROPIC_PROVIDER = 'anthropic'

/** Providers that need no entry under `models.providers`, with the variable that holds their key. */
export const BUILT_IN_PROVIDERS: Readonly<
  Record<string, { baseUrl: string; api: ModelApi; apiKeyVariable: string | null }>
> = {
  [ANTHROPIC_PROVIDER]: {
    baseUrl: 'https://api.anthropic.com/v1',
    api: 'anthropic-messages',
    apiKeyVariable: 'ANTHROPIC_API_KEY',
  },
  openai: {
    baseUrl: 'https://api.openai.com/v1',
    api: 'openai-completions',
    apiKeyVariable: 'OPENAI_API_KEY',
  },
  ollama: {
    baseUrl: 'http://127.0.0.1:11434/v1',
    api: 'openai-completions',
    apiKeyVariable: null,
  },
}

/**
 * Takes a model's name apart.
 * @throws {GatewayError} CONFIG_INVALID: neither `echo` nor `provider/model`.
 */
export function parseModelName(name: string): ModelName {
  const parsed = readModelName(name)
  if (parsed !== null) return parsed
  throw new GatewayError(
    'CONFIG_INVALID',
    `model: expected provider/model or echo, got ${quote(name)}`,
  )
}

/** Takes a model's name apart, or tells by null that it is none. */
export function readModelName(name: string): ModelName | null {
  if (name === ECHO_MODEL) return { provider: ECHO_MODEL, model: ECHO_MODEL }
  const slash = name.indexOf('/')
  if (slash < 1 || slash === name.length - 1) return null
  return { provider: name.slice(0, slash), model: name.slice(slash + 1) }
}
