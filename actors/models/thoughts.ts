/**
 * What a model thought before it called tools, as one text between its answer and the next call.
 *
 * Only what its provider has signed is kept: Anthropic wants those blocks back, unchanged, in front of
 * the calls that they led to, as long as their results are being answered. Nobody else reads them.
 */
import { isObject } from '../../protocol/members.ts'

/** One block: thinking with its signature, or what the provider hides. */
export type Thought =
  | { readonly text: string; readonly signature: string }
  | { readonly redactedData: string }

/** Writes blocks in their order. */
export function formatThoughts(thoughts: readonly Thought[]): string {
  return JSON.stringify(thoughts)
}

/** Reads blocks back; none where the text is none of ours: its body was erased, or is damaged. */
export function parseThoughts(text: string): readonly Thought[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.every(isThought) ? value : []
  } catch {
    return []
  }
}

function isThought(value: unknown): value is Thought {
  if (!isObject(value)) return false
  const { text, signature, redactedData } = value
  if (typeof redactedData === 'string') return true
  return typeof text === 'string' && typeof signature === 'string'
}
