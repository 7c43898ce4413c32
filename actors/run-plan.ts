/**
 * The plan of a run, read off the configuration when its message is taken in: a change takes effect
 * with the next message, and what has begun goes on as it was planned.
 */
import type { RunPlan } from '../machines/rules/plan.ts'
import type { ResolvedConfig } from '../protocol/config/defaults.ts'

/** Plans a run of a model. */
export function planRun({ agent }: ResolvedConfig, model: string): RunPlan {
  const { callsPerRun: callsMax, tokensPerRun } = agent.budget
  return {
    fallbacks: agent.model.fallbacks.filter((fallback) => fallback !== model),
    callsMax,
    ...(tokensPerRun === null ? {} : { tokensMax: tokensPerRun }),
  }
}
