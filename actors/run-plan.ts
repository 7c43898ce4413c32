/**
 * The plan of a run, read off the configuration when its message is taken in: a change takes effect
 * with the next message, and what has begun goes on as it was planned.
 */
import type { RunPlan } from '../machines/rules/plan.ts'
import type { ResolvedConfig } from '../protocol/config/defaults.ts'
import { ECHO_MODEL, readModelName } from '../protocol/config/model.ts'
import { limits } from '../protocol/limits.ts'

/** Plans a run of a model. */
export function planRun(config: ResolvedConfig, model: string): RunPlan {
  const { agent, session } = config
  const { callsPerRun: callsMax, tokensPerRun } = agent.budget
  return {
    fallbacks: agent.model.fallbacks.filter((fallback) => fallback !== model),
    callsMax,
    ...(tokensPerRun === null ? {} : { tokensMax: tokensPerRun }),
    replyTtlMs: deliveryTtlMs(config),
    ...compactFact(config, model),
    ...(session.pruneToolResults ? { pruneResults: true } : {}),
  }
}

/** How long a message to a channel is worth sending, in ms. */
export function deliveryTtlMs({ delivery }: ResolvedConfig): number {
  return delivery.ttlMinutes * 60_000
}

// The threshold is a share of the window of the run's own model; `echo` has none.
function compactFact(
  { session, providers }: ResolvedConfig,
  model: string,
): { compactAt?: number } {
  if (model === ECHO_MODEL) return {}
  const parsed = readModelName(model)
  const known = parsed === null ? undefined : providers[parsed.provider]?.models[parsed.model]
  const window = known?.contextWindow ?? limits.contextTokensDefault
  return { compactAt: Math.floor(window * session.compactThreshold) }
}
