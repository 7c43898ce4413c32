/**
 * Models behind the OpenAI chat completions API, wherever it is spoken: OpenAI, Ollama, llama.cpp.
 *
 * One `call` is one HTTP request, streamed, never repeated; each failure becomes a ModelFault. The
 * user's text goes out as a plain string, unchanged. Step 7 of 8.
 */
import type { Services } from '../services.ts'
import { knockAtModels } from './knock.ts'
import type { ModelProvider } from './provider.ts'
import { streamCall } from './sdk.ts'
import { openAiThinking } from './thinking.ts'
import { overWire } from './wire.ts'

/** Where the API is and with which key. */
export interface OpenAiEndpoint {
  readonly baseUrl: string // without a slash at its end
  readonly apiKey: string | null
}

/** Makes the provider. The SDK is imported at the first call (about 0.2 s, 25 MB). */
export function openOpenAi(endpoint: OpenAiEndpoint, services: Services): ModelProvider {
  const { baseUrl, apiKey } = endpoint
  return {
    probe: (signal) => knockAtModels({ ...endpoint, api: 'openai-completions' }, signal),
    call: (call, onDelta, signal) =>
      overWire(services, signal, apiKey, async (wire) => {
        const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
        const provider = createOpenAICompatible({
          name: 'openaiCompatible',
          baseURL: baseUrl,
          includeUsage: true,
          fetch: wire.fetch,
          ...(apiKey === null ? {} : { apiKey }),
        })
        const { model, thinking, maxOutputTokens } = call
        const providerOptions = { openaiCompatible: openAiThinking(thinking) }
        const sdkCall = { model: provider.chatModel(model), providerOptions, maxOutputTokens }
        return streamCall(call, sdkCall, wire, onDelta)
      }),
  }
}
