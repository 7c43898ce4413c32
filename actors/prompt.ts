/**
 * Prompts in words: the recipe of a call (`machines/rules/prompt.ts`), its refs read.
 *
 * One way for the driver that calls and for whoever asks later what was said: what is shown of the
 * past is made by the same code from the same refs.
 */
import type { Asked } from '../machines/effects.ts'
import type { PromptAt } from '../machines/history/prompt.ts'
import { pruneResults } from '../machines/rules/prune.ts'
import type { HistoryEntry } from '../machines/session-events.ts'
import { sayCallFault } from '../protocol/calls.ts'
import { limits } from '../protocol/limits.ts'
import type { ModelMessage } from './models/provider.ts'

/** How a prompt is read. */
export interface Reading {
  readonly isPruned: boolean // old results of tools are cut
  readonly thinker?: Thinker // whose thoughts are given back to it; absent: nobody's are read
}

interface Thinker {
  readonly runId: string
  readonly model: string
}

/** Reads the messages that a model is shown. */
export function readMessages(
  read: (ref: string) => string,
  entries: readonly HistoryEntry[],
  { isPruned, thinker }: Reading,
): ModelMessage[] {
  const messages = entries.map((entry) => {
    const message = readMessage(read, entry)
    if (message.role !== 'assistant' || !isOwn(entry, thinker)) return message
    return { ...message, thoughts: read(entry.thought?.ref ?? '') }
  })
  return isPruned ? pruneResults(messages) : messages
}

// Signed for one model, and wanted back by it until its run has answered.
function isOwn({ thought, runId }: HistoryEntry, thinker: Thinker | undefined): boolean {
  return thought !== undefined && thought.model === thinker?.model && runId === thinker.runId
}

function readMessage(read: (ref: string) => string, entry: HistoryEntry): ModelMessage {
  const { role, ref, brief } = entry
  if (role === 'tool') return readResult(read, entry)
  const text = read(ref)
  if (role === 'summary') return { role: 'user', text: `${SUMMARY_HEAD}\n\n${text}` }
  if (entry.calls !== undefined) {
    const toolCalls = entry.calls.map((call) => {
      return { id: call.callId, name: call.name, arguments: read(call.ref) }
    })
    return { role: 'assistant', text, toolCalls }
  }
  return { role, text: brief === true ? cutBrief(text) : text }
}

function readResult(
  read: (ref: string) => string,
  { ref, callId = '', name = '', fault = '', isError }: HistoryEntry,
): ModelMessage {
  const text = ref === '' ? sayCallFault(fault) : read(ref)
  return { role: 'tool', callId, name, text, isError: isError === true }
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

/** A prompt of the past in words, as verbs and methods tell it. */
export interface PromptDocument {
  readonly runId: string
  readonly sessionKey: string
  readonly call: string // address of the effect: 12.e0
  readonly position: number
  readonly at: number // ms since epoch
  readonly model: string
  readonly thinking: string
  readonly attempt: number
  readonly outcome: string
  readonly asSent: boolean | null // checked against what its outcome recorded; null: it recorded nothing
  readonly leftOut: number // oldest entries of the history that were not shown
  readonly system: string
  readonly messages: readonly (ModelMessage & { readonly ref: string })[]
  readonly tools: readonly string[] // names of those that were offered; none where its outcome names none
}

/** Puts a prompt of the past into words; `read` says what is no longer there. */
export function formatPrompt(prompt: PromptAt, read: (ref: string) => string): PromptDocument {
  const { runId, address: call, position, at, params, entries, systemRef } = prompt
  const {
    sessionKey,
    model,
    thinking,
    attempt,
    leftOut = 0,
    asked,
    pruneResults: isPruned,
  } = params
  const messages = readMessages(read, entries, { isPruned: isPruned === true })
  const head = { runId, sessionKey, call, position, at, model, thinking, attempt }
  return {
    ...head,
    outcome: prompt.outcome,
    asSent: prompt.isAsSent,
    leftOut,
    system: formatSystem(systemRef === null ? '' : read(systemRef), asked),
    messages: messages.map((message, index) => ({ ...message, ref: entries[index]?.ref ?? '' })),
    tools: prompt.tools,
  }
}
