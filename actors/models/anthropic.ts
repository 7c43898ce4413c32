/**
 * Models behind Anthropic's messages API.
 *
 * One `call` is one HTTP request, streamed, never repeated; each failure becomes a ModelFault. What
 * a model thought goes back with the results of the calls that it led to, as Anthropic demands. Where
 * some of it is missing, of another model's calls say, such a call goes out without thinking. Step 7 of 8.
 *
 * What @ai-sdk/anthropic 3.0.140 does by itself, and what we do about it:
 *   - without a key it takes ANTHROPIC_API_KEY, also for a server that is not Anthropic's: it is
 *     always given one, and the header is taken off where there is none
 *   - it asks for arguments of tools in pieces that need not become JSON: `toolStreaming: false`
 *   - it sends thinking's budget on top of the answer's: `thinking.ts` takes it off before
 */
import type { Services } from '../services.ts'
import { knockAtModels, versionedUrl } from './knock.ts'
import type { ModelCall, ModelMessage, ModelProvider } from './provider.ts'
import { streamCall } from './sdk.ts'
import { type AnthropicThinking, anthropicThinking } from './thinking.ts'
import { parseThoughts } from './thoughts.ts'
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
        const isKept = keepsThoughts(call.messages)
        const { options, maxOutputTokens } = thinkingOf(call, isKept)
        const messages = isKept ? call.messages : call.messages.map(withoutThoughts)
        const model = provider.messages(call.model)
        const sdkCall = {
          model,
          providerOptions: { anthropic: { ...options, toolStreaming: false } },
          maxOutputTokens,
        }
        return streamCall({ ...call, messages }, sdkCall, wire, onDelta)
      }),
  }
}

function thinkingOf(call: ModelCall, isKept: boolean): AnthropicThinking {
  const { thinking, model, maxOutputTokens } = call
  return anthropicThinking(isKept ? thinking : 'off', model, maxOutputTokens)
}

// Whether all that is being answered begins with what was thought; a question begins anew.
function keepsThoughts(messages: readonly ModelMessage[]): boolean {
  if (messages.at(-1)?.role !== 'tool') return true
  const asked = messages.findLastIndex(({ role }) => role === 'user')
  return messages.slice(asked + 1).every((message) => {
    return message.role !== 'assistant' || parseThoughts(message.thoughts ?? '').length > 0
  })
}

function withoutThoughts(message: ModelMessage): ModelMessage {
  if (message.role !== 'assistant') return message
  const { thoughts: _, ...rest } = message
  return rest
}

function withoutKey({ fetch }: Wire): typeof fetch {
  return (url, init) => {
    const headers = new Headers(init?.headers)
    headers.delete('x-api-key')
    return fetch(url, { ...init, headers })
  }
}
