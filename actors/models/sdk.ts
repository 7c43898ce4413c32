/**
 * One streamed call through the AI SDK, the same for every provider that it knows.
 *
 * What the SDK (ai 6.0.325) hides, and what we do about it:
 *   - it retries twice by default: `maxRetries: 0`
 *   - it prints errors to the console by default: `onError` takes them
 *   - it prints warnings until a global says otherwise: it does
 *   - an error in mid-stream, a cut one too, is a part of the stream and not thrown: we throw it
 *   - an abort ends the stream with a part and without an error: we look at the signal
 *   - it parses what a model wrote for a tool: we keep the text, as the model wrote it
 *
 * Step 7 of 8.
 */
import { Buffer } from 'node:buffer'
import type { LanguageModel, ModelMessage as SdkMessage, streamText, ToolSet } from 'ai'
import { limits } from '../../protocol/limits.ts'
import { memberOf } from '../../protocol/members.ts'
import {
  type ModelAnswer,
  type ModelCall,
  ModelFault,
  type ModelMessage,
  type ToolCall,
} from './provider.ts'
import { formatThoughts, parseThoughts, type Thought } from './thoughts.ts'
import { mapToolNames, type ToolNames } from './tool-names.ts'
import { tooLarge, type Wire } from './wire.ts'

type StreamOptions = Parameters<typeof streamText>[0]
type StreamPart =
  ReturnType<typeof streamText>['fullStream'] extends AsyncIterable<infer Part> ? Part : never

/** What a provider adds to a call: its model, and options of its own. */
export interface SdkCall {
  readonly model: LanguageModel
  readonly providerOptions: NonNullable<StreamOptions['providerOptions']>
  readonly maxOutputTokens: number | null
}

/**
 * Makes the call and reads its stream to the end.
 * @throws whatever the SDK throws or streams; {ModelFault} a stream that ends without a finish reason.
 */
export async function streamCall(
  call: ModelCall,
  { model, providerOptions, maxOutputTokens }: SdkCall,
  wire: Wire,
  onDelta: (text: string) => void,
): Promise<ModelAnswer> {
  const { streamText: stream, jsonSchema } = await import('ai')
  globalThis.AI_SDK_LOG_WARNINGS = false
  wire.signal.throwIfAborted()
  const names = mapToolNames(call)
  const tools: ToolSet = {}
  for (const { name, description, parameters } of call.tools ?? []) {
    tools[names.out(name)] = { description, inputSchema: jsonSchema(parameters) }
  }
  const { fullStream } = stream({
    model,
    messages: call.messages.map((message) =>
      formatMessage(Object.keys(tools).length === 0 ? inWords(message) : message, names),
    ),
    maxRetries: 0,
    abortSignal: wire.signal,
    onError: () => {},
    providerOptions,
    ...(Object.keys(tools).length === 0 ? {} : { tools }),
    ...(call.system === '' ? {} : { system: call.system }),
    ...(maxOutputTokens === null ? {} : { maxOutputTokens }),
  })
  const reading = openReading(names, onDelta)
  for await (const part of fullStream) {
    const answer = reading.take(part)
    if (answer !== null) return answer
  }
  throw unfinished()
}

function unfinished(): ModelFault {
  return new ModelFault('the stream ended without a finish reason', 'network')
}

function formatMessage(message: ModelMessage, names: ToolNames): SdkMessage {
  if (message.role === 'user') return { role: 'user', content: message.text }
  if (message.role === 'tool') {
    const { callId: toolCallId, name, text: value, isError } = message
    const output = { type: isError ? ('error-text' as const) : ('text' as const), value }
    const part = { type: 'tool-result' as const, toolCallId, toolName: names.out(name), output }
    return { role: 'tool', content: [part] }
  }
  const { text, toolCalls = [] } = message
  if (toolCalls.length === 0) return { role: 'assistant', content: text }
  const calls = toolCalls.map(({ id, name, arguments: json }) => ({
    type: 'tool-call' as const,
    toolCallId: id,
    toolName: names.out(name),
    input: inputOf(json),
  }))
  const said = text === '' ? [] : [{ type: 'text' as const, text }]
  const thought = parseThoughts(message.thoughts ?? '').map(formatThought)
  return { role: 'assistant', content: [...thought, ...said, ...calls] }
}

function formatThought(thought: Thought) {
  const type = 'reasoning' as const
  if ('redactedData' in thought) {
    const { redactedData } = thought
    return { type, text: '', providerOptions: { anthropic: { redactedData } } }
  }
  const { text, signature } = thought
  return { type, text, providerOptions: { anthropic: { signature } } }
}

// Whoever is told of no tools knows no calls of any: what others did is told in words.
function inWords(message: ModelMessage): ModelMessage {
  if (message.role === 'tool') {
    return { role: 'user', text: `[Result of the tool ${message.name}]\n${message.text}` }
  }
  if (message.role === 'user' || message.toolCalls === undefined) return message
  const calls = message.toolCalls.map(({ name, arguments: json }) => `[Calls ${name} ${json}]`)
  return { role: 'assistant', text: [message.text, ...calls].join('\n').trim() }
}

// Providers take an object only: what a model wrote amiss goes back to it as one.
function inputOf(json: string): object {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // It is told so by the result that stands behind its call.
  }
  return { arguments: json }
}

interface Reading {
  /** Takes a part in; the answer, once it is whole. */
  readonly take: (part: StreamPart) => ModelAnswer | null
}

// Text and what its provider says of each block, by the block's id.
interface Thinking {
  text: string
  signature?: string
  redactedData?: string
}

function openThinking(count: (piece: string) => void): {
  readonly take: (part: StreamPart) => void
  readonly signed: () => string | null
} {
  const blocks = new Map<string, Thinking>()
  return {
    take: (part) => {
      const isOf = part.type.startsWith('reasoning-') && 'id' in part
      if (!isOf) return
      const block = blocks.get(part.id) ?? { text: '' }
      blocks.set(part.id, block)
      if (part.type === 'reasoning-delta') {
        count(part.text)
        block.text += part.text
      }
      const told = memberOf(memberOf(part, 'providerMetadata'), 'anthropic')
      const [signature, hidden] = [memberOf(told, 'signature'), memberOf(told, 'redactedData')]
      if (typeof signature === 'string') block.signature = signature
      if (typeof hidden === 'string') block.redactedData = hidden
    },
    signed: () => {
      const thoughts = [...blocks.values()].flatMap(
        ({ text, signature, redactedData }): Thought[] => {
          if (redactedData !== undefined) return [{ redactedData }]
          return signature === undefined ? [] : [{ text, signature }]
        },
      )
      return thoughts.length === 0 ? null : formatThoughts(thoughts)
    },
  }
}

function openReading(names: ToolNames, onDelta: (text: string) => void): Reading {
  let text = ''
  let bytes = 0
  const written = new Map<string, string>() // arguments by call id
  const toolCalls: ToolCall[] = []
  const count = (piece: string): void => {
    bytes += Buffer.byteLength(piece)
    if (bytes > limits.modelTextBytesMax) throw tooLarge('text', limits.modelTextBytesMax)
  }
  const thinking = openThinking(count)
  return {
    take: (part) => {
      if (part.type === 'error') throw part.error
      thinking.take(part)
      if (part.type === 'text-delta') {
        count(part.text)
        text += part.text
        onDelta(part.text)
      }
      if (part.type === 'tool-input-delta') {
        count(part.delta)
        written.set(part.id, (written.get(part.id) ?? '') + part.delta)
      }
      if (part.type === 'tool-call') {
        const { toolCallId: id, toolName, input } = part
        const json = written.get(id) ?? (typeof input === 'string' ? input : JSON.stringify(input))
        toolCalls.push({ id, name: names.back(toolName), arguments: json })
      }
      if (part.type !== 'finish') return null
      // The SDK ends what was cut as `other`, and gives no reason of the provider's.
      if (part.rawFinishReason === undefined) throw unfinished()
      const { inputTokens = 0, outputTokens = 0 } = part.totalUsage
      const thoughts = toolCalls.length === 0 ? null : thinking.signed()
      return {
        text,
        inputTokens,
        outputTokens,
        finish: finishOf(part.finishReason),
        toolCalls,
        ...(thoughts === null ? {} : { thoughts }),
      }
    },
  }
}

function finishOf(reason: string): ModelAnswer['finish'] {
  if (reason === 'tool-calls') return 'tools'
  return reason === 'stop' || reason === 'length' ? reason : 'other'
}
