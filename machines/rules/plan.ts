/**
 * The plan of a run: what is settled when its message is accepted, so that no replay ever reads a
 * configuration. Absent in journals of before: one model, no budget, nothing summarised or told.
 */
export interface RunPlan {
  fallbacks: string[] // full names of models, asked in order after the first
  callsMax: number // model calls of the run
  tokensMax?: number // of the run, as far as providers tell; absent: no bound
  compactAt?: number // tokens of a prompt from which its history is summarised; absent: never
  replyTtlMs?: number // of the answer in a channel; absent: limits.deliveryTtlMs
  pruneResults?: true // results of tools are cut out of older parts of the prompt
}

/** A model that gave no answer: how its last call failed, and how many were made. */
export interface TriedModel {
  model: string
  class: string
  calls: number
}

/** The plan as a member, only where there is one. */
export function planFact(plan: RunPlan | undefined): { plan?: RunPlan } {
  return plan === undefined ? {} : { plan }
}

/** The client's own name of a run as a member, only where it has one. */
export function keyFact({ runKey }: { readonly runKey?: string }): { runKey?: string } {
  return runKey === undefined ? {} : { runKey }
}

/** The size of a text as a member, only where it is known. */
export function bytesFact({ bytes }: { readonly bytes?: number }): { bytes?: number } {
  return bytes === undefined ? {} : { bytes }
}
