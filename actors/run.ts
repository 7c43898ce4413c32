/**
 * The driver of model calls: builds the prompt from its recipe, streams, and tells the outcome.
 *
 * Deltas go straight to the hub and are not journalled (decisions.md 12); the answer is one body.
 */
import type { Asked, ModelCallParams } from '../machines/effects.ts'
import { estimateTokens } from '../machines/rules/tokens.ts'
import type { Usage } from '../machines/projections/usage.ts'
import type { RunContext } from '../machines/run.ts'
import { promptOf } from '../machines/rules/prompt.ts'
import type { SessionContext } from '../machines/session.ts'
import { streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { Effect, JournalRecord } from '../protocol/record.ts'
import { endedRuns } from '../protocol/runs.ts'
import type { StoreReader } from '../store/contract.ts'
import { draftText, readTextOrMark } from './bodies.ts'
import { spentDay } from './day-budget.ts'
import {
  type ModelCall,
  ModelFault,
  type ModelMessage,
  type ModelProvider,
  type ThinkingLevel,
} from './models/provider.ts'
import type { Driver, Outcome } from './outbox.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'

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
  /** Finds the provider of a model name such as `home/llama3.2`, or null. */
  readonly find: (model: string) => FoundModel | null
}

export interface FoundModel {
  readonly provider: ModelProvider
  readonly model: string // as the provider names it
  readonly maxOutputTokens: number | null
}

const OVER_BUDGET = { type: 'effect.failed', class: 'budget', retryable: false } as const
// The message has left the history: no model could do better.
const NO_PROMPT = { type: 'effect.failed', class: 'prompt', retryable: false } as const

interface House {
  readonly store: StoreReader
  readonly registry: Registry
  readonly services: Services
  readonly usage: Usage
  readonly publish: (delta: Delta) => void
}

/** Drives `model.call` and `model.cancel`. */
export class ModelDriver {
  #house: House
  #settings: ModelSettings
  #aborts = new Map<string, AbortController>()
  #inFlight = new Map<string, { text: string; readonly startedAt: number }>() // by run
  #turnstile: Turnstile

  constructor(house: House, settings: ModelSettings) {
    this.#house = house
    this.#settings = settings
    this.#turnstile = openTurnstile(settings.concurrentMax)
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
      ['model.cancel', { visible: false, run: ({ params }) => this.#cancel(params as CallParams) }],
    ]
  }

  /** Aborts every call in hand: the process is about to end. */
  abortAll(): void {
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
    await this.#turnstile.enter()
    try {
      return await this.#stream(params, found, abort.signal)
    } catch (error) {
      return this.#fail(params, error, address)
    } finally {
      this.#turnstile.leave()
      this.#aborts.delete(key)
      if (abort.signal.aborted) this.#inFlight.delete(params.runId)
    }
  }

  async #stream(
    params: CallParams,
    { provider, model, maxOutputTokens }: FoundModel,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { runId, sessionKey, attempt, runKey } = params
    const named = runKey === undefined ? {} : { runKey }
    const call = {
      model,
      system: formatSystem(this.#settings.systemPrompt(), params.asked),
      messages: this.#prompt(params),
      thinking: params.thinking as ThinkingLevel,
      maxOutputTokens,
    }
    if (call.messages.length === 0) return NO_PROMPT
    const refusal = this.#budget(params, call)
    if (refusal !== null) return refusal
    let index = 0
    const said = { text: '', startedAt: this.#house.services.clock.now() }
    if (!signal.aborted) this.#inFlight.set(runId, said)
    const onDelta = (text: string) => {
      if (signal.aborted) return
      if (said.text.length < limits.modelTextBytesMax) said.text += text
      this.#house.publish({ runId, sessionKey, attempt, index, text, ...named })
      index += 1
    }
    const { text, toolCalls: _, ...usage } = await provider.call(call, onDelta, signal)
    const body = draftText(this.#house.services.chance, text)
    const facts = { ref: body.ref, bytes: body.bytes.length, chunks: index, ...usage }
    return { type: 'effect.done', facts, bodies: [body] }
  }

  #prompt({ sessionKey, runId, entries: count = 0 }: CallParams): ModelMessage[] {
    const { registry, store } = this.#house
    const session = registry.snapshot(streamId('session', sessionKey)).context as SessionContext
    const said = promptOf(session, runId)
    if (said === null) return []
    const run = registry.snapshot(streamId('run', runId)).context as RunContext
    const own = run.entries?.slice(0, count) ?? []
    return [...said, ...own].map(({ role, ref, brief }) => {
      const text = readTextOrMark(store, ref)
      return { role, text: brief === true ? cutBrief(text) : text }
    })
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

/** Writes the system message: the configured one, then the facts of the asking (decisions.md 26). */
export function formatSystem(prompt: string, { channel, room, sender, at }: Asked): string {
  const from = room === null ? `${sender}, directly,` : `${sender} in ${room}`
  const facts = [
    `The time is ${new Date(at).toISOString()}.`,
    ...(channel === null ? [] : [`The last message is from ${from} on ${channel}.`]),
  ]
  return [...(prompt === '' ? [] : [prompt]), facts.join(' ')].join('\n\n')
}

function estimateCall({ system, messages, tools = [] }: ModelCall): number {
  const texts = [system, ...messages.map((message) => message.text), JSON.stringify(tools)]
  return texts.reduce((sum, text) => sum + estimateTokens(Buffer.byteLength(text)), 0)
}

// A message that had to make room is not forgotten whole.
function cutBrief(text: string): string {
  if (text.length <= limits.briefChars) return text
  return `${text.slice(0, limits.briefChars).toWellFormed()} […]`
}

type CallParams = Effect['params'] & ModelCallParams

function callKey({ runId, attempt }: CallParams): string {
  return `${runId}\n${attempt}`
}

interface Turnstile {
  readonly enter: () => Promise<void>
  readonly leave: () => void
}

// Lets so many in at a time; the others wait in order.
function openTurnstile(places: number): Turnstile {
  const waiting: (() => void)[] = []
  let free = places
  return {
    enter: () => {
      if (free > 0) {
        free -= 1
        return Promise.resolve()
      }
      return new Promise((resolve) => waiting.push(resolve))
    },
    leave: () => {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    },
  }
}
