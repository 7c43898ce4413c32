/**
 * The transcript: which records of a session's stream are messages of it, and what they say.
 *
 * In the order in which messages came, a queued one before the answer that it waits for, so that
 * places are stable. What left the history that a prompt is made of is still in it.
 */
import type { JournalRecord } from '../../protocol/record.ts'
import type {
  MessageAccepted,
  MessageFiled,
  MessageInjected,
  RunFinished,
} from '../session-events.ts'

/** One message, its text still a ref. */
export interface TranscriptEntry {
  readonly position: number
  readonly version: number // of the session's stream
  readonly role: 'user' | 'assistant'
  readonly ref: string
  readonly at: number // ms since epoch
  readonly runId: string | null // null: no run has to do with it
  readonly runKey?: string
  readonly model?: string // that was asked; of an answer: that gave it, where it is not the first
  readonly channel?: string
  readonly sender?: string
  readonly usage?: { readonly inputTokens: number; readonly outputTokens: number }
}

/** Reads the message that a record of a session's stream is, or null: most others are none. */
export function entryOf(record: JournalRecord): TranscriptEntry | null {
  if (record.kind !== 'event' || record.ignored !== null) return null
  const event: unknown = record.event
  switch (record.event.type) {
    case 'message.accepted':
      return question(record, event as MessageAccepted)
    case 'run.finished':
      return answer(record, event as RunFinished)
    case 'message.filed':
    case 'message.injected':
      return { ...said(record, event as MessageFiled | MessageInjected), role: 'assistant' }
    default:
      return null
  }
}

/** Tells whether a record begins another generation of its session. */
export function beginsGeneration({ kind, ignored, event }: JournalRecord): boolean {
  if (kind !== 'event' || ignored !== null) return false
  return event.type === 'session.reset' || event.type === 'session.deleted'
}

type Said = Pick<TranscriptEntry, 'position' | 'version' | 'ref' | 'at' | 'runId'>

function said({ position, version, at }: JournalRecord, { ref }: { ref: string }): Said {
  return { position, version, ref, at, runId: null }
}

function question(record: JournalRecord, event: MessageAccepted): TranscriptEntry {
  const { runId, runKey, model, channel, sender } = event
  return {
    ...said(record, event),
    role: 'user',
    runId,
    model,
    ...(runKey === undefined ? {} : { runKey }),
    ...(channel === null ? {} : { channel }),
    ...(sender === null ? {} : { sender }),
  }
}

function answer(record: JournalRecord, event: RunFinished): TranscriptEntry | null {
  const { runId, runKey, status, inputTokens, outputTokens, model } = event
  if (status !== 'done') return null
  return {
    ...said(record, event),
    role: 'assistant',
    runId,
    usage: { inputTokens, outputTokens },
    ...(model === undefined ? {} : { model }),
    ...(runKey === undefined ? {} : { runKey }),
  }
}
