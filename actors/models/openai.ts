/**
 * Models behind the OpenAI chat completions API, wherever it is spoken: OpenAI, Ollama, llama.cpp.
 *
 * One `call` is one HTTP request, streamed, never repeated; each failure becomes a ModelFault. The
 * user's text goes out as a plain string, unchanged. Step 7 of 8.
 *
 * What the AI SDK (ai 6.0.325, openai-compatible 2.0.92) hides, and what we do about it:
 *   - it retries twice by default: `maxRetries: 0`
 *   - it prints errors to the console by default: `onError` takes them
 *   - an error in mid-stream, a cut one too, is a part of the stream and not thrown: we throw it
 *   - an abort ends the stream with a part and without an error: we look at the signal
 *   - keep-alive comments of the server never reach us: idleness is measured at the bytes
 *   - it reads error bodies and reasoning without bound: bytes are counted at the same place
 *   - it follows redirects with the conversation: `redirect: 'manual'`, so that a 3xx is a fault
 */
import { Buffer } from 'node:buffer'
import type { ModelMessage as SdkMessage } from 'ai'
import { limits } from '../../protocol/limits.ts'
import type { Cancel, Services } from '../services.ts'
import { modelFaultOf } from './fault.ts'
import { knockAtModels } from './knock.ts'
import {
  type ModelAnswer,
  type ModelCall,
  ModelFault,
  type ModelProvider,
  type ThinkingLevel,
} from './provider.ts'

/** Where the API is and with which key. */
export interface OpenAiEndpoint {
  readonly baseUrl: string // without a slash at its end
  readonly apiKey: string | null
}

/** Makes the provider. The SDK is imported at the first call (about 0.2 s, 25 MB). */
export function openOpenAi(endpoint: OpenAiEndpoint, services: Services): ModelProvider {
  return {
    probe: (signal) => knockAtModels(endpoint, signal),
    call: async (call, onDelta, signal) => {
      const wire = openWire(services, signal)
      try {
        return await stream(endpoint, call, wire, onDelta)
      } catch (thrown) {
        if (signal.aborted) throw new ModelFault('the call was aborted', 'aborted')
        throw wire.fault() ?? modelFaultOf(thrown, services.clock.now(), endpoint.apiKey)
      } finally {
        wire.close()
      }
    },
  }
}

async function stream(
  endpoint: OpenAiEndpoint,
  call: ModelCall,
  wire: Wire,
  onDelta: (text: string) => void,
): Promise<ModelAnswer> {
  const [{ streamText }, { createOpenAICompatible }] = await Promise.all([
    import('ai'),
    import('@ai-sdk/openai-compatible'),
  ])
  wire.signal.throwIfAborted()
  const provider = createOpenAICompatible({
    name: 'openaiCompatible',
    baseURL: endpoint.baseUrl,
    includeUsage: true,
    fetch: wire.fetch,
    ...(endpoint.apiKey === null ? {} : { apiKey: endpoint.apiKey }),
  })
  const { fullStream } = streamText({
    model: provider.chatModel(call.model),
    messages: call.messages.map(({ role, text }): SdkMessage => ({ role, content: text })),
    maxRetries: 0,
    abortSignal: wire.signal,
    onError: () => {},
    providerOptions: { openaiCompatible: effortOf(call.thinking) },
    ...(call.system === '' ? {} : { system: call.system }),
    ...(call.maxOutputTokens === null ? {} : { maxOutputTokens: call.maxOutputTokens }),
  })
  let text = ''
  let bytes = 0
  for await (const part of fullStream) {
    if (part.type === 'error') throw part.error
    if (part.type === 'text-delta') {
      bytes += Buffer.byteLength(part.text)
      if (bytes > limits.modelTextBytesMax) throw tooLarge('text', limits.modelTextBytesMax)
      text += part.text
      onDelta(part.text)
    }
    if (part.type === 'finish') {
      const { inputTokens = 0, outputTokens = 0 } = part.totalUsage
      return { text, inputTokens, outputTokens, finish: finishOf(part.finishReason) }
    }
  }
  throw new ModelFault('the stream ended without a finish reason', 'network')
}

function effortOf(thinking: ThinkingLevel): { reasoningEffort?: string } {
  if (thinking === 'off') return {}
  return { reasoningEffort: thinking === 'xhigh' ? 'high' : thinking }
}

function finishOf(reason: string): ModelAnswer['finish'] {
  return reason === 'stop' || reason === 'length' ? reason : 'other'
}

function tooLarge(what: string, bytesMax: number): ModelFault {
  return new ModelFault(`the answer has more than ${bytesMax} bytes of ${what}`, 'request')
}

/** The one request of a call, watched at its bytes. */
interface Wire {
  readonly fetch: typeof fetch
  readonly signal: AbortSignal // ends the request: the caller's abort, idleness, too many bytes
  readonly fault: () => ModelFault | null // why we ended it, where we did and not the caller
  readonly close: () => void
}

function openWire({ clock }: Services, signal: AbortSignal): Wire {
  const control = new AbortController()
  let fault: ModelFault | null = null
  let cancelIdle: Cancel = () => {}
  let bytes = 0
  const end = (reason: ModelFault): void => {
    fault ??= reason
    control.abort()
  }
  const touch = (): void => {
    cancelIdle()
    cancelIdle = clock.after(limits.modelIdleMs, () =>
      end(new ModelFault(`no byte in ${limits.modelIdleMs} ms`, 'network')),
    )
  }
  const count = (chunk: Uint8Array): void => {
    touch()
    bytes += chunk.length
    if (bytes > limits.modelStreamBytesMax) end(tooLarge('stream', limits.modelStreamBytesMax))
  }
  const abort = (): void => control.abort()
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  return {
    signal: control.signal,
    fault: () => fault,
    fetch: async (url, init) => {
      touch()
      const response = await fetch(url, { ...init, redirect: 'manual' })
      return response.body === null ? response : tapped(response, response.body, count)
    },
    close: () => {
      cancelIdle()
      signal.removeEventListener('abort', abort)
      control.abort()
    },
  }
}

/** The same response, each of its chunks shown to `count` on the way. */
function tapped(
  { status, statusText, headers }: Response,
  body: ReadableStream<Uint8Array>,
  count: (chunk: Uint8Array) => void,
): Response {
  const tap = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => {
      count(chunk)
      controller.enqueue(chunk)
    },
  })
  return new Response(body.pipeThrough(tap), { status, statusText, headers })
}
