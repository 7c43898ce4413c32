/**
 * Prompts in words: the recipe of a call (`machines/rules/prompt.ts`), its refs read.
 *
 * One way for the driver that calls and for whoever asks later what was said: what is shown of the
 * past is made by the same code from the same refs.
 */
import type { Asked } from '../machines/effects.ts'
import { pruneResults } from '../machines/rules/prune.ts'
import type { HistoryEntry } from '../machines/session-events.ts'
import { limits } from '../protocol/limits.ts'
import type { StoreReader } from '../store/contract.ts'
import { readTextOrMark } from './bodies.ts'
import type { ModelMessage } from './models/provider.ts'

/** Reads the messages that a model is shown; `isPruned`: old results of tools are cut. */
export function readMessages(
  store: StoreReader,
  entries: readonly HistoryEntry[],
  isPruned: boolean,
): ModelMessage[] {
  const messages = entries.map((entry) => readMessage(store, entry))
  return isPruned ? pruneResults(messages) : messages
}

function readMessage(store: StoreReader, { role, ref, brief }: HistoryEntry): ModelMessage {
  const text = readTextOrMark(store, ref)
  if (role === 'summary') return { role: 'user', text: `${SUMMARY_HEAD}\n\n${text}` }
  return { role, text: brief === true ? cutBrief(text) : text }
}

// Not into the system message: what people said must not speak in its voice.
const SUMMARY_HEAD = 'Summary of the conversation until here, in place of its older messages:'

// A message that had to make room is not forgotten whole.
function cutBrief(text: string): string {
  if (text.length <= limits.briefChars) return text
  return `${text.slice(0, limits.briefChars).toWellFormed()} […]`
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
