/**
 * Stubs: what would plausibly become of an effect that the recording has no outcome for.
 *
 * The one table of them. A stub is an answer made up here: nothing is asked of the world.
 */
import { canonical, sha256Hex } from '../../protocol/codec.ts'
import type { Effect, JournalEvent } from '../../protocol/record.ts'

interface Stub {
  readonly latencyMs: number // as such effects usually take
  readonly done: (effect: Effect) => Readonly<Record<string, unknown>>
}

const NO_FACTS = (): Readonly<Record<string, unknown>> => ({})

const STUBS: Readonly<Record<string, Stub>> = {
  'model.call': {
    latencyMs: 1_000,
    done: ({ params }) => ({
      ref: missingBody(params),
      bytes: 0,
      chunks: 0,
      inputTokens: 0,
      outputTokens: 0,
      finish: 'stub',
    }),
  },
  'history.summarize': {
    latencyMs: 1_000,
    done: ({ params }) => ({
      ref: missingBody(params),
      bytes: 0,
      inputTokens: 0,
      outputTokens: 0,
      finish: 'stub',
    }),
  },
  'model.cancel': { latencyMs: 1, done: NO_FACTS },
  'message.deliver': { latencyMs: 50, done: () => ({ messageId: null }) },
  'code.tell': { latencyMs: 50, done: NO_FACTS },
  'channel.open': { latencyMs: 200, done: NO_FACTS },
  'alert.post': { latencyMs: 200, done: () => ({ status: 200 }) },
  'node.call': { latencyMs: 200, done: ({ params }) => ({ ref: missingBody(params) }) },
  'tool.judge': { latencyMs: 1, done: () => ({ verdict: 'allow', rule: 'stub', source: 'stub' }) },
  'tool.call': { latencyMs: 500, done: ({ params }) => ({ ref: missingBody(params), bytes: 0 }) },
  'tool.cancel': { latencyMs: 1, done: NO_FACTS },
  // No calendar is asked in a fork: a job that is planned there is not due again.
  'cron.plan': { latencyMs: 1, done: () => ({ nextAt: null, zone: '', offsetMinutes: 0 }) },
  'cron.run': {
    latencyMs: 1_000,
    done: ({ params: { runKey } }) => ({
      runKey,
      status: 'ok',
      runId: '',
      fault: '',
      replyRef: '',
      startedAt: 0,
    }),
  },
  'channel.close': { latencyMs: 10, done: NO_FACTS },
}

// A body that does not exist.
function missingBody(params: Effect['params']): string {
  return `b:${sha256Hex(canonical(params)).slice(0, 20)}`
}

const UNKNOWN: Stub = { latencyMs: 100, done: NO_FACTS }

/** How long a stubbed effect takes, in ms. */
export function stubLatencyMs({ name }: Effect): number {
  return stubOf(name).latencyMs
}

/** Makes up the good outcome of an effect, or the bad one. */
export function stubOutcome(effect: Effect, address: string, how: 'ok' | 'fail'): JournalEvent {
  const head = outcomeHead(effect, address)
  if (how === 'ok') return { type: 'effect.done', ...head, ...stubOf(effect.name).done(effect) }
  return {
    type: 'effect.failed',
    ...head,
    class: 'stub',
    retryable: false,
    retryAfterMs: null,
    random: 0.5,
    sent: 'no',
  }
}

/** Makes the outcome that the next boot tells. */
export function lostOutcome(effect: Effect, address: string, started: boolean): JournalEvent {
  return { type: 'effect.lost', ...outcomeHead(effect, address), started }
}

/** Makes an outcome of what a person gave as answer: the facts of a good one, or a whole event. */
export function givenOutcome(
  effect: Effect,
  address: string,
  outcome: Readonly<Record<string, unknown>>,
): JournalEvent {
  const { type } = outcome
  const isOutcome = typeof type === 'string' && type.startsWith('effect.')
  if (!isOutcome) return { ...stubOutcome(effect, address, 'ok'), ...outcome, type: 'effect.done' }
  const failed = type === 'effect.failed' ? stubOutcome(effect, address, 'fail') : {}
  return { ...failed, ...outcome, ...outcomeHead(effect, address), type }
}

function outcomeHead({ name, params }: Effect, address: string): Omit<JournalEvent, 'type'> {
  return { effect: address, name, attempt: params['attempt'] ?? 1 }
}

function stubOf(name: string): Stub {
  return Object.hasOwn(STUBS, name) ? (STUBS[name] ?? UNKNOWN) : UNKNOWN
}
