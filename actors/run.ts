/**
 * The driver of model calls: builds the prompt from its recipe, streams, and tells the outcome.
 *
 * Deltas go straight to the hub and are not journalled (decisions.md 12); the answer is one body.
 */
import type { ModelCallParams } from '../machines/effects.ts'
import { estimateTokens } from '../machines/rules/tokens.ts'
import type { Usage } from '../machines/projections/usage.ts'
import type { RunContext } from '../machines/run.ts'
import { promptEntries, promptFacts } from '../machines/rules/prompt.ts'
import type { SessionContext } from '../machines/session.ts'
import type { HistoryEntry } from '../machines/session-events.ts'
import type { CallRef } from '../machines/rules/tools.ts'
import { cutText, streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { Effect, JournalRecord } from '../protocol/record.ts'
import { endedRuns } from '../protocol/runs.ts'
import type { BodyDraft, StoreReader } from '../store/contract.ts'
import { draftText, readTextOrMark } from './bodies.ts'
import { spentDay } from './day-budget.ts'
import {
  type ModelCall,
  ModelFault,
  type ModelTool,
  type ModelProvider,
  type ThinkingLevel,
  type ToolCall,
} from './models/provider.ts'
import { type ModelTurns, openModelTurns } from './model-turns.ts'
import type { Driver, Outcome } from './outbox.ts'
import { formatSystem, readMessages } from './prompt.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'
import { summaryDriver } from './summaries.ts'

/** A piece of an answer on its way: told to clients, kept nowhere. */
export interface Delta {
  readonly runId: string
  readonly sessionKey: string
  readonly attempt: number
  readonly index: number // from 0, without gaps within an attempt
  readonly text: string
  readonly runKey?: string // the client's own name of the run, where it has one
}

/** An answer as far as it has come: kept in memory only, until its run has ended. */
export interface InFlight {
  readonly text: string
  readonly startedAt: number // ms since epoch
}

export interface ModelSettings {
  readonly concurrentMax: number
  readonly tokensPerDay: () => number | null // null: no bound
  readonly systemPrompt: () => string
  /** The tools that a model is told of, where it is asked from there. */
  readonly tools: (place: Pick<ModelCallParams, 'sessionKey' | 'asked'>) => readonly ModelTool[]
  /** Finds the provider of a model name such as `home/llama3.2`, or null. */
  readonly find: (model: string) => FoundModel | null
}

export interface FoundModel {
  readonly provider: ModelProvider
  readonly model: string // as the provider names it
  readonly maxOutputTokens: number | null
  readonly takesTools: boolean
}

const OVER_BUDGET = { type: 'effect.failed', class: 'budget', retryable: false } as const
// The message has left the history: no model could do better.
const NO_PROMPT = { type: 'effect.failed', class: 'prompt', retryable: false } as const

/** What calls of models need of the house. */
export interface ModelHouse {
  readonly store: StoreReader
  readonly registry: Registry
  readonly services: Services
  readonly usage: Usage
  readonly publish: (delta: Delta) => void
}

/** Drives `model.call` and `model.cancel`. */
export class ModelDriver {
  #house: ModelHouse
  #settings: ModelSettings
  #aborts = new Map<string, AbortController>()
  #inFlight = new Map<string, { text: string; readonly startedAt: number }>() // by run
  #turns: ModelTurns
  #summaries = new AbortController()

  constructor(house: ModelHouse, settings: ModelSettings) {
    this.#house = house
    this.#settings = settings
    this.#turns = openModelTurns(settings.concurrentMax)
  }

  /** Calls in hand, those that wait for their turn included. */
  get active(): number {
    return this.#aborts.size
  }

  /** The answer of a run as far as it has come; null where none is being written. */
  inFlight(runId: string): InFlight | null {
    return this.#inFlight.get(runId) ?? null
  }

  /** Hears of a committed record: what a run has said so far is not needed behind its end. */
  committed(record: JournalRecord): void {
    for (const { runId } of endedRuns(record)) this.#inFlight.delete(runId)
  }

  drivers(): [string, Driver][] {
    return [
      [
        'model.call',
        {
          visible: false,
          run: ({ params }, { address }) => this.#call(params as CallParams, address),
        },
      ],
      ['history.summarize', this.#summaryDriver()],
      ['model.cancel', { visible: false, run: ({ params }) => this.#cancel(params as CallParams) }],
    ]
  }

  #summaryDriver(): Driver {
    const turns = this.#turns
    return summaryDriver(this.#house, this.#settings, { turns, signal: this.#summaries.signal })
  }

  /** Aborts every call in hand: the process is about to end. */
  abortAll(): void {
    this.#summaries.abort()
    for (const abort of this.#aborts.values()) abort.abort()
  }

  #cancel(params: CallParams): Promise<Outcome> {
    this.#aborts.get(callKey(params))?.abort()
    return Promise.resolve({ type: 'effect.done' })
  }

  async #call(params: CallParams, address: string): Promise<Outcome> {
    const found = this.#settings.find(params.model)
    if (found === null) return { type: 'effect.failed', class: 'request', retryable: false }
    const abort = new AbortController()
    const key = callKey(params)
    this.#aborts.set(key, abort)
    await this.#turns.enter()
    try {
      return await this.#stream(params, found, abort.signal)
    } catch (error) {
      return this.#fail(params, error, address)
    } finally {
      this.#turns.leave()
      this.#aborts.delete(key)
      if (abort.signal.aborted) this.#inFlight.delete(params.runId)
    }
  }

  async #stream(
    params: CallParams,
    { provider, model, maxOutputTokens, takesTools }: FoundModel,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { runId, sessionKey, attempt, runKey } = params
    const named = runKey === undefined ? {} : { runKey }
    const { store, services } = this.#house
    const entries = this.#entries(params)
    const configured = this.#settings.systemPrompt()
    const tools = takesTools ? this.#settings.tools(params) : []
    const call = {
      model,
      ...(tools.length === 0 ? {} : { tools }),
      system: formatSystem(configured, params.asked),
      messages: readMessages((ref) => readTextOrMark(store, ref), entries, {
        isPruned: params.pruneResults === true,
        thinker: params,
      }),
      thinking: params.thinking as ThinkingLevel,
      maxOutputTokens,
    }
    if (call.messages.length === 0) return NO_PROMPT
    const refusal = this.#budget(params, call)
    if (refusal !== null) return refusal
    let index = 0
    const said = { text: '', startedAt: services.clock.now() }
    if (!signal.aborted) this.#inFlight.set(runId, said)
    const onDelta = (text: string) => {
      if (signal.aborted) return
      if (said.text.length < limits.modelTextBytesMax) said.text += text
      this.#house.publish({ runId, sessionKey, attempt, index, text, ...named })
      index += 1
    }
    const { text, toolCalls, thoughts, ...usage } = await provider.call(call, onDelta, signal)
    const body = draftText(services.chance, text)
    const wished = draftCalls(services.chance, toolCalls)
    const thought = thoughts === undefined ? [] : [draftText(services.chance, thoughts)]
    const system = configured === '' ? [] : [draftText(services.chance, configured)]
    const facts = {
      ref: body.ref,
      bytes: body.bytes.length,
      chunks: index,
      ...usage,
      ...promptFacts(entries),
      // So that the prompt can be shown exactly: of the configuration nothing else is in it.
      ...Object.fromEntries(system.map(({ ref }) => ['systemRef', ref])),
      ...(tools.length === 0 ? {} : { tools: tools.map(({ name }) => name) }),
      ...(wished.calls.length === 0 ? {} : { calls: wished.calls }),
      ...Object.fromEntries(thought.map(({ ref }) => ['thoughtRef', ref])),
    }
    const bodies = [body, ...system, ...wished.bodies, ...thought]
    return { type: 'effect.done', facts, bodies }
  }

  #entries(params: CallParams): HistoryEntry[] {
    const { registry } = this.#house
    const session = registry.snapshot(streamId('session', params.sessionKey))
    const run = registry.snapshot(streamId('run', params.runId))
    return promptEntries(session.context as SessionContext, run.context as RunContext, params)
  }

  // No budget is overdrawn knowingly: the day's is looked at, the run's against what the prompt will cost.
  #budget({ tokensLeft = Infinity, runId, model }: CallParams, call: ModelCall): Outcome | null {
    const { usage, services } = this.#house
    const day = spentDay(usage, services.clock.now(), this.#settings.tokensPerDay())
    const isOver = tokensLeft < Infinity && estimateCall(call) > tokensLeft
    if (day === null && !isOver) return null
    services.log.warn('model call refused by its budget', { runId, model, ...day })
    return { ...OVER_BUDGET, facts: { ...(day ?? { tokensLeft }) } }
  }

  #fail({ runId, model, attempt }: CallParams, error: unknown, effect: string): Outcome {
    if (!(error instanceof ModelFault)) throw error
    if (error.class === 'aborted') return { type: 'effect.cancelled' }
    const { class: faultClass, retryable, retryAfterMs, message } = error
    const fields = { runId, model, attempt, effect, class: faultClass, error: message }
    this.#house.services.log.warn('model call failed', fields)
    return { type: 'effect.failed', class: faultClass, retryable, retryAfterMs }
  }
}

function estimateCall({ system, messages, tools = [] }: ModelCall): number {
  const texts = [system, ...messages.map((message) => message.text), JSON.stringify(tools)]
  return texts.reduce((sum, text) => sum + estimateTokens(Buffer.byteLength(text)), 0)
}

// Ids are ours: a provider's are unique within one answer only, and of any form.
function draftCalls(
  chance: Services['chance'],
  toolCalls: readonly ToolCall[],
): { calls: CallRef[]; bodies: BodyDraft[] } {
  if (toolCalls.length > limits.toolCallsMax) {
    throw new ModelFault(`it asks for more than ${limits.toolCallsMax} tools at a time`, 'request')
  }
  const bodies = toolCalls.map((call) => draftText(chance, call.arguments))
  const calls = toolCalls.map(({ name }, index) => {
    const ref = bodies[index]?.ref ?? ''
    return { callId: `call_${chance.hex(limits.callIdBytes)}`, name: cutText(name), ref }
  })
  return { calls, bodies }
}

type CallParams = Effect['params'] & ModelCallParams

function callKey({ runId, attempt }: CallParams): string {
  return `${runId}\n${attempt}`
}
