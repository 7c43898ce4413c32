/**
 * The driver of model calls: builds the prompt from its recipe, streams, and tells the outcome.
 *
 * Deltas go straight to the hub and are not journalled (decisions.md 12); the answer is one body.
 */
import type { ModelCallParams } from '../machines/effects.ts'
import { promptOf, type SessionContext } from '../machines/session.ts'
import { streamId } from '../protocol/ids.ts'
import type { StoreReader } from '../store/contract.ts'
import { draftText, readText } from './bodies.ts'
import { ModelFault, type ModelMessage, type ModelProvider, type ThinkingLevel } from './models/provider.ts'
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
}

export interface ModelSettings {
  readonly concurrentMax: number
  readonly systemPrompt: string
  /** Finds the provider of a model name such as `home/llama3.2`, or null. */
  readonly find: (model: string) => { provider: ModelProvider; id: string } | null
}

export interface RunDrivers {
  readonly call: Driver
  readonly cancel: Driver
  readonly active: () => number
}

/** Opens the drivers of `model.call` and `model.cancel`. */
export function openRunDrivers(
  { store, registry }: { store: StoreReader; registry: Registry },
  settings: ModelSettings,
  services: Services,
  publish: (delta: Delta) => void,
): RunDrivers {
  const aborts = new Map<string, AbortController>()
  const turnstile = openTurnstile(settings.concurrentMax)

  async function call(params: ModelCallParams): Promise<Outcome> {
    const found = settings.find(params.model)
    if (found === null) return { type: 'effect.failed', class: 'request', retryable: false }
    const abort = new AbortController()
    const key = callKey(params)
    aborts.set(key, abort)
    await turnstile.enter()
    try {
      return await stream(params, found, abort.signal)
    } catch (error) {
      return fail(params, error)
    } finally {
      turnstile.leave()
      aborts.delete(key)
    }
  }

  async function stream(
    params: ModelCallParams,
    { provider, id }: { provider: ModelProvider; id: string },
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { runId, sessionKey, attempt } = params
    let index = 0
    const answer = await provider.call(
      {
        model: id,
        system: settings.systemPrompt,
        messages: buildPrompt(params),
        thinking: params.thinking as ThinkingLevel,
        maxOutputTokens: null,
      },
      (text) => {
        if (signal.aborted) return
        publish({ runId, sessionKey, attempt, index, text })
        index += 1
      },
      signal,
    )
    const body = draftText(services.chance, answer.text)
    const { inputTokens, outputTokens, finish } = answer
    return {
      type: 'effect.done',
      facts: { ref: body.ref, bytes: body.bytes.length, inputTokens, outputTokens, finish, chunks: index },
      bodies: [body],
    }
  }

  function buildPrompt({ sessionKey, runId }: ModelCallParams): ModelMessage[] {
    const session = registry.snapshot(streamId('session', sessionKey))
    const entries = promptOf(session.context as SessionContext, runId) ?? []
    return entries.map(({ role, ref }) => ({ role, text: readText(store, ref) }))
  }

  function fail({ runId, model, attempt }: ModelCallParams, error: unknown): Outcome {
    if (!(error instanceof ModelFault)) throw error
    if (error.class === 'aborted') return { type: 'effect.cancelled' }
    const { class: faultClass, retryable, retryAfterMs, message } = error
    services.log.warn('model call failed', { runId, model, attempt, class: faultClass, error: message })
    return { type: 'effect.failed', class: faultClass, retryable, retryAfterMs }
  }

  return {
    active: () => aborts.size,
    call: { visible: false, run: ({ params }) => call(params as unknown as ModelCallParams) },
    cancel: {
      visible: false,
      run: ({ params }) => {
        aborts.get(callKey(params as { runId: string; attempt: number }))?.abort()
        return Promise.resolve({ type: 'effect.done' })
      },
    },
  }
}

function callKey({ runId, attempt }: { runId: string; attempt: number }): string {
  return `${runId}\n${attempt}`
}

// Lets so many in at a time; the others wait in order.
function openTurnstile(places: number): { enter: () => Promise<void>; leave: () => void } {
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
