/**
 * Models behind Anthropic's messages API.
 *
 * One `call` is one HTTP request, streamed, never repeated; each failure becomes a ModelFault. What
 * a model thinks is not kept: Anthropic wants it back in front of the tool calls that it led to, so
 * a call that brings results of tools goes out without thinking. Step 7 of 8.
 *
 * What @ai-sdk/anthropic 3.0.140 does by itself, and what we do about it:
 *   - without a key it takes ANTHROPIC_API_KEY, also for a server that is not Anthropic's: it is
 *     always given one, and the header is taken off where there is none
 *   - it asks for arguments of tools in pieces that need not become JSON: `toolStreaming: false`
 *   - it sends thinking's budget on top of the answer's: `thinking.ts` takes it off before
 */
import type { Services } from '../services.ts'
import { knockAtModels, versionedUrl } from './knock.ts'
import type { ModelCall, ModelProvider } from './provider.ts'
import { streamCall } from './sdk.ts'
import { type AnthropicThinking, anthropicThinking } from './thinking.ts'
import { overWire, type Wire } from './wire.ts'

/** Where the API is and with which key. */
export interface AnthropicEndpoint {
  readonly baseUrl: string // without a slash at its end; with or without `/v1`
  readonly apiKey: string | null
}

/** Makes the provider. The SDK is imported at the first call (about 0.2 s, 25 MB). */
export function openAnthropic(endpoint: AnthropicEndpoint, services: Services): ModelProvider {
  const { baseUrl, apiKey } = endpoint
  return {
    probe: (signal) => knockAtModels({ ...endpoint, api: 'anthropic-messages' }, signal),
    call: (call, onDelta, signal) =>
      overWire(services, signal, apiKey, async (wire) => {
        const { createAnthropic } = await import('@ai-sdk/anthropic')
        const provider = createAnthropic({
          baseURL: versionedUrl(baseUrl),
          apiKey: apiKey ?? 'none',
          fetch: apiKey === null ? withoutKey(wire) : wire.fetch,
        })
        const { options, maxOutputTokens } = thinkingOf(call)
        const model = provider.messages(call.model)
        const sdkCall = {
          model,
          providerOptions: { anthropic: { ...options, toolStreaming: false } },
          maxOutputTokens,
        }
        return streamCall(call, sdkCall, wire, onDelta)
      }),
  }
}

function thinkingOf(call: ModelCall): AnthropicThinking {
  const { messages, thinking, model, maxOutputTokens } = call
  const isAmidTools = messages.at(-1)?.role === 'tool'
  return anthropicThinking(isAmidTools ? 'off' : thinking, model, maxOutputTokens)
}

function withoutKey({ fetch }: Wire): typeof fetch {
  return (url, init) => {
    const headers = new Headers(init?.headers)
    headers.delete('x-api-key')
    return fetch(url, { ...init, headers })
  }
}
