/**
 * Names of tools as a provider's grammar allows them, and back.
 *
 * Ours are free text (`fs.read`, `mcp:home/lights`); OpenAI and Anthropic take letters, digits, `_`
 * and `-` only. A name that fits stays; others are rewritten and told apart by a number.
 */
import { limits } from '../../protocol/limits.ts'
import type { ModelCall } from './provider.ts'

/** The names of one call, in both directions. */
export interface ToolNames {
  readonly out: (name: string) => string
  /** Ours for what the model wrote; what it made up stays as it is. */
  readonly back: (name: string) => string
}

/** Maps every name of a call: of its tools first, then of tools that only its history knows. */
export function mapToolNames({ tools = [], messages }: ModelCall): ToolNames {
  const ours = [...tools.map(({ name }) => name), ...messages.flatMap(namesIn)]
  const theirs = new Map<string, string>()
  const taken = new Map<string, string>()
  // Names that fit go first: none of them may lose its own to one that has to be rewritten.
  const fitting = new Set(ours.filter((name) => fittedOf(name) === name))
  for (const name of new Set([...fitting, ...ours])) {
    const found = freeName(fittedOf(name), taken)
    theirs.set(name, found)
    taken.set(found, name)
  }
  return {
    out: (name) => theirs.get(name) ?? fittedOf(name),
    back: (name) => taken.get(name) ?? name,
  }
}

function namesIn(message: ModelCall['messages'][number]): string[] {
  if (message.role === 'tool') return [message.name]
  if (message.role === 'user') return []
  return (message.toolCalls ?? []).map(({ name }) => name)
}

function fittedOf(name: string): string {
  const allowed = name.replaceAll(/[^\w-]/g, '_').slice(0, limits.modelToolNameCharsMax)
  return allowed === '' ? '_' : allowed
}

function freeName(wanted: string, taken: ReadonlyMap<string, string>): string {
  let found = wanted
  for (let number = 2; taken.has(found); number += 1) {
    const mark = `_${number}`
    found = wanted.slice(0, limits.modelToolNameCharsMax - mark.length) + mark
  }
  return found
}
