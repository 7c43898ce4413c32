/**
 * What a model provider is: one call that streams text, and one way to fail.
 *
 * Retries, fallbacks, aborts and records belong to the run machine; a provider makes exactly one
 * request for each `call` and never retries by itself.
 */

export type ThinkingLevel = 'off' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh'

/** A user's text is sent unchanged, as a string (decisions.md 26). */
export interface UserMessage {
  readonly role: 'user'
  readonly text: string
}

export interface AssistantMessage {
  readonly role: 'assistant'
  readonly text: string // may be empty where it calls tools
  readonly toolCalls?: readonly ToolCall[] // absent: none; each needs its result behind it
  readonly thoughts?: string // of the same model, as its answer gave them (thoughts.ts); absent: none
}

/** What a tool said to one call; stands behind the message that called it, before the next user's. */
export interface ToolResultMessage {
  readonly role: 'tool'
  readonly callId: string
  readonly name: string
  readonly text: string
  readonly isError: boolean
}

export type ModelMessage = UserMessage | AssistantMessage | ToolResultMessage

/** A model's wish that a tool be run. */
export interface ToolCall {
  readonly id: string // unique within its answer, chosen by the provider
  readonly name: string // ours, as it stood in `ModelCall.tools`; else as the model wrote it
  readonly arguments: string // JSON text as the model wrote it: whoever runs it must check it
}

/** A tool as a model is told of it. */
export interface ModelTool {
  readonly name: string // any text: providers map it to what their grammar allows, and back
  readonly description: string
  readonly parameters: Readonly<Record<string, unknown>> // a JSON schema of an object
}

export interface ModelCall {
  readonly model: string // the provider's own model id, without the provider's name
  readonly system: string
  readonly messages: readonly ModelMessage[]
  readonly tools?: readonly ModelTool[] // absent: none
  readonly thinking: ThinkingLevel
  readonly maxOutputTokens: number | null
}

export interface ModelAnswer {
  readonly text: string
  readonly inputTokens: number // 0 where the provider does not tell
  readonly outputTokens: number
  readonly finish: 'stop' | 'tools' | 'length' | 'other' // tools: it waits for their results
  readonly toolCalls: readonly ToolCall[] // in the model's order
  readonly thoughts?: string // signed, and wanted back with the results of its calls; absent: none
}

/**
 * rate      429 or the like; retryAfterMs where told      retryable
 * network   refused, reset, cut or idle stream            retryable
 * server    5xx, overloaded                               retryable
 * auth      401, 403                                      not retryable
 * tools     it refuses to be told of tools               not retryable
 * request   any other 4xx, malformed answer               not retryable
 * aborted   our own signal                                not retryable
 */
export type ModelFaultClass =
  | 'rate'
  | 'network'
  | 'server'
  | 'auth'
  | 'request'
  | 'tools'
  | 'aborted'

export class ModelFault extends Error {
  readonly class: ModelFaultClass
  readonly retryAfterMs: number | null

  constructor(message: string, faultClass: ModelFaultClass, retryAfterMs: number | null = null) {
    super(message)
    this.name = 'ModelFault'
    this.class = faultClass
    this.retryAfterMs = retryAfterMs
  }

  get retryable(): boolean {
    return this.class === 'rate' || this.class === 'network' || this.class === 'server'
  }
}

export interface ModelProvider {
  /**
   * Looks whether it is there, without asking it to think; resolves with what can be said.
   * @throws {ModelFault} it is not, or refuses the key.
   */
  readonly probe: (signal: AbortSignal) => Promise<string>
  /**
   * Makes one call; `onDelta` sees each piece of text as it arrives, in order.
   * @throws {ModelFault} every failure, also a stream that ends without a finish reason.
   */
  readonly call: (
    call: ModelCall,
    onDelta: (text: string) => void,
    signal: AbortSignal,
  ) => Promise<ModelAnswer>
}
