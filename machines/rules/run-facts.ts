/** What a run says of itself in its calls and in its end: members that are absent where there is nothing to say. */
import type { ModelCallParams } from '../effects.ts'
import type { RunContext, RunEvent } from '../run.ts'
import { triedWith } from './failover.ts'
import type { TriedModel } from './plan.ts'

/** Which models an end names: the one that answered where it is not the first, those that did not. */
export function modelFacts(
  { plan, model, modelIndex = 0, tried = [] }: RunContext,
  status: string,
): { model?: string; tried?: TriedModel[] } {
  if (plan === undefined || tried.length === 0) return {}
  return { ...(status === 'done' && modelIndex > 0 ? { model } : {}), tried }
}

/** The size of an answer, where it is known. */
export function sizeFact({ plan }: RunContext, event: RunEvent): { bytes?: number } {
  if (plan === undefined || event.type !== 'effect.done') return {}
  return event.bytes === undefined ? {} : { bytes: event.bytes }
}

/** The models that gave no answer, with the one in hand, where the run has a plan. */
export function triedFact(context: RunContext, event: RunEvent): { tried?: TriedModel[] } {
  if (context.plan === undefined) return {}
  return { tried: triedWith(context, event.type === 'effect.failed' ? event.class : 'lost') }
}

/** What only a run with a plan asks for in a call. */
export function callFacts(context: RunContext): Partial<ModelCallParams> {
  const { modelIndex, plan, leftOut, tokens = 0 } = context
  const tokensMax = plan?.tokensMax
  return {
    ...(leftOut === undefined ? {} : { leftOut }),
    ...(plan?.pruneResults === undefined ? {} : { pruneResults: plan.pruneResults }),
    ...(modelIndex === undefined ? {} : { modelIndex }),
    ...(tokensMax === undefined ? {} : { tokensLeft: Math.max(0, tokensMax - tokens) }),
  }
}

/** What an end brings into the session beside its answer. */
export function carriedFacts({ merged, entries }: RunContext): Partial<RunContext> {
  return {
    ...(merged === undefined ? {} : { merged }),
    ...(entries === undefined ? {} : { entries }),
  }
}

/** The answer, where there is one. */
export function answerFacts(
  event: RunEvent,
  status: string,
): { ref: string; inputTokens: number; outputTokens: number } {
  return event.type === 'effect.done' && status === 'done'
    ? { ref: event.ref, inputTokens: event.inputTokens, outputTokens: event.outputTokens }
    : { ref: '', inputTokens: 0, outputTokens: 0 }
}
