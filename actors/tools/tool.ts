/**
 * What a tool is: a name, what it takes, who offers it, and one way to run it.
 *
 * Policy, approvals, deadlines and records belong to the call's actor and its driver; a tool does
 * its work once for each `run` and says what came of it. What it throws is told to the model as an
 * error of the tool.
 */
import type { Asked } from '../../machines/effects.ts'

/** A JSON schema of an object. */
export type ToolSchema = Readonly<Record<string, unknown>>

export type ToolArguments = Readonly<Record<string, unknown>>

/** What a call may know of where it comes from. */
export interface ToolContext {
  readonly callId: string
  readonly runId: string
  readonly sessionKey: string
  readonly asked: Asked
  readonly isOwner: boolean // the owner's own conversation: it may see all others
  readonly correlationId: string
  readonly cause: string // address of the effect
  readonly signal: AbortSignal // its deadline, or the end of its run
  readonly timeoutMs: number
}

/** What a tool says. */
export interface ToolOutput {
  readonly text: string
  readonly isError?: boolean // default false
}

export interface Tool {
  readonly name: string
  readonly description: string
  readonly parameters: ToolSchema
  readonly source: string // built-in, mcp:<server>, node:<id>, client:<device>
  readonly timeoutMs?: number // default limits.toolCallMs
  /** Why it cannot run now; null where it can. */
  readonly fault: () => string | null
  readonly run: (args: ToolArguments, context: ToolContext) => Promise<ToolOutput>
}

/** An error that a model is told in these words. */
export class ToolError extends Error {}

/** A tool went away during a call: what it did is not known. */
export class ToolGone extends Error {}

/** Reads a text among the arguments. @throws {ToolError} it is missing, or no text. */
export function textOf(args: ToolArguments, name: string): string {
  const value = args[name]
  if (typeof value === 'string') return value
  throw new ToolError(`${name}: expected a text`)
}

/** Reads a whole number among the arguments; the default where it is missing. @throws {ToolError} */
export function numberOf(
  args: ToolArguments,
  name: string,
  {
    min,
    max,
    otherwise,
  }: { readonly min: number; readonly max: number; readonly otherwise: number },
): number {
  const value = args[name] ?? otherwise
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
    return value
  }
  throw new ToolError(`${name}: expected a whole number between ${min} and ${max}`)
}
