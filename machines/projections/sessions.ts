/**
 * The rows of sessions, as lists show them: folded from the records of session streams.
 *
 *   sessions   a row for each that is there     runs      of each open run, its session
 *   deleted    of each that is gone, the generation that its next message begins
 *
 * The maps are changed in place (10,000 rows would cost a copy each step); rows are immutable.
 */
import { streamName } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { type EndedRun, endedRuns } from '../../protocol/runs.ts'
import { patchFacts, type SessionFacts } from '../rules/session-facts.ts'
import type {
  MessageAccepted,
  MessageFiled,
  MessageInjected,
  SessionRenewed,
  SessionSettled,
} from '../session-events.ts'

/** A message that was accepted and whose run has not ended. */
export interface OpenRun {
  readonly runId: string
  readonly runKey?: string // the client's own name of the run, where it has one
  readonly at: number // of the acceptance, ms since epoch
}

/** The newest message of a session, for a preview. */
export interface LastMessage {
  readonly ref: string
  readonly role: 'user' | 'assistant'
  readonly at: number
}

export interface SessionRow {
  readonly key: string
  readonly channel: string | null
  readonly peer: string | null
  readonly model: string | null // of the last message
  readonly createdAt: number
  readonly lastMessageAt: number
  readonly messages: number
  readonly pending: number // accepted messages whose run has not ended
  readonly generation: number // 0, and one more with each reset (`protocol/session-id.ts`)
  readonly facts: SessionFacts
  readonly thinking: string | null // of the last message
  readonly runs: readonly OpenRun[] // the first is in hand, the others wait
  readonly last: LastMessage | null
  readonly updatedAt: number // of the last record that changed the row
  readonly inputTokens: number // of the last answer
  readonly outputTokens: number
}

/** What is known of sessions. */
export interface SessionsFold {
  readonly sessions: Map<string, SessionRow>
  readonly deleted: Map<string, number>
  readonly runs: Map<string, string>
}

/** Folds a record of a session in; records of other streams change nothing. */
export function foldSessions(fold: SessionsFold, record: JournalRecord): void {
  if (!record.stream.startsWith('session:')) return
  const event: unknown = record.event
  switch (record.event.type) {
    case 'message.accepted':
      foldAccepted(fold, event as MessageAccepted, record.at)
      foldEnds(fold, record) // Of what it interrupts, or what had to make room.
      break
    case 'run.finished':
      foldEnds(fold, record)
      foldAnswer(fold, record)
      break
    case 'message.filed':
    case 'message.injected':
      foldSaid(fold, event as MessageFiled | MessageInjected, record.at)
      break
    case 'session.created':
    case 'session.patched':
      foldSettled(fold, event as SessionSettled, record.at)
      break
    case 'session.aborted':
      foldEnds(fold, record)
      break
    case 'session.reset':
    case 'session.deleted':
      foldEnds(fold, record)
      foldRenewed(fold, event as SessionRenewed, record.at)
      break
  }
}

function foldAccepted(fold: SessionsFold, event: MessageAccepted, at: number): void {
  const { sessionKey: key, runId, runKey, ref } = event
  const row = rowOf(fold, key, at)
  const run = { runId, at, ...(runKey === undefined ? {} : { runKey }) }
  fold.runs.set(runId, key)
  fold.sessions.set(key, {
    ...row,
    channel: event.channel ?? row.channel,
    peer: event.peer ?? row.peer,
    model: event.model,
    thinking: event.thinking,
    lastMessageAt: at,
    updatedAt: at,
    messages: row.messages + 1,
    pending: row.pending + 1,
    runs: [...row.runs, run],
    last: { ref, role: 'user', at },
  })
}

function foldSaid(fold: SessionsFold, event: MessageFiled | MessageInjected, at: number): void {
  const { sessionKey: key, ref } = event
  const row = rowOf(fold, key, at)
  const messages = row.messages + 1
  const last: LastMessage = { ref, role: 'assistant', at }
  fold.sessions.set(key, { ...row, messages, lastMessageAt: at, updatedAt: at, last })
}

function foldAnswer({ sessions }: SessionsFold, { stream, event, at }: JournalRecord): void {
  const row = sessions.get(streamName(stream))
  if (row === undefined || event['status'] !== 'done') return
  sessions.set(row.key, {
    ...row,
    messages: row.messages + 1,
    lastMessageAt: at,
    last: { ref: String(event['ref']), role: 'assistant', at },
    inputTokens: Number(event['inputTokens']),
    outputTokens: Number(event['outputTokens']),
  })
}

// By count too: a fold that was begun before runs were kept by name knows their number only.
function foldEnds({ sessions, runs }: SessionsFold, record: JournalRecord): void {
  const ended = endedRuns(record)
  const row = sessions.get(streamName(record.stream))
  if (row === undefined || ended.length === 0) return
  const named = ended.filter(({ runId }) => runs.delete(runId)).length
  const unnamed = Math.min(ended.length - named, Math.max(0, row.pending - row.runs.length))
  sessions.set(row.key, {
    ...row,
    pending: Math.max(0, row.pending - named - unnamed),
    runs: row.runs.filter((run) => !isAmong(run, ended)),
    updatedAt: record.at,
  })
}

function isAmong({ runId }: OpenRun, ended: readonly EndedRun[]): boolean {
  return ended.some((run) => run.runId === runId)
}

function foldSettled(fold: SessionsFold, event: SessionSettled, at: number): void {
  const { sessionKey: key, changes } = event
  const row = rowOf(fold, key, at)
  const { generation = row.generation } = event
  fold.sessions.set(key, {
    ...row,
    generation,
    facts: patchFacts(row.facts, changes),
    updatedAt: at,
  })
}

function foldRenewed(fold: SessionsFold, event: SessionRenewed, at: number): void {
  const { sessionKey: key, type } = event
  const row = rowOf(fold, key, at)
  const { generation = row.generation + 1 } = event
  const empty = { messages: 0, pending: 0, runs: [], last: null, inputTokens: 0, outputTokens: 0 }
  fold.sessions.set(key, { ...row, ...empty, generation, updatedAt: at })
  if (type === 'session.reset') return
  fold.sessions.delete(key)
  fold.deleted.set(key, generation)
}

// A key that was deleted begins anew, in the generation that its deletion named.
function rowOf({ sessions, deleted }: SessionsFold, key: string, at: number): SessionRow {
  const known = sessions.get(key)
  if (known !== undefined) return known
  const generation = deleted.get(key) ?? 0
  deleted.delete(key)
  return makeRow([key, null, null, null, at, at, 0, 0], laterOf(generation, at))
}

/** A row of a checkpoint: what was there from the first, then what was added; absent in old ones. */
export type SavedSession = readonly [...first: First, later?: Later]

type First = [
  key: string,
  channel: string | null,
  peer: string | null,
  model: string | null,
  createdAt: number,
  lastMessageAt: number,
  messages: number,
  pending: number,
]

// Lists, not objects: a checkpoint of 10,000 rows is packed in one turn.
type Later = readonly [
  generation: number,
  facts: SessionFacts,
  thinking: string | null,
  runs: readonly OpenRun[],
  last: readonly [ref: string, role: LastMessage['role'], at: number] | null,
  updatedAt: number,
  inputTokens: number,
  outputTokens: number,
]

/** Takes a row apart for a checkpoint. */
export function saveSession(row: SessionRow): SavedSession {
  const { key, channel, peer, model, createdAt, lastMessageAt, messages, pending } = row
  const { generation, facts, thinking, runs, last, updatedAt, inputTokens, outputTokens } = row
  const newest = last === null ? null : ([last.ref, last.role, last.at] as const)
  const later: Later = [
    generation,
    facts,
    thinking,
    runs,
    newest,
    updatedAt,
    inputTokens,
    outputTokens,
  ]
  return [key, channel, peer, model, createdAt, lastMessageAt, messages, pending, later]
}

/** Puts a row together again. */
export function restoreSession(saved: SavedSession): SessionRow {
  const [key, channel, peer, model, createdAt, lastMessageAt, messages, pending, later] = saved
  const first: First = [key, channel, peer, model, createdAt, lastMessageAt, messages, pending]
  return makeRow(first, later ?? laterOf(0, lastMessageAt))
}

function laterOf(generation: number, updatedAt: number): Later {
  return [generation, {}, null, [], null, updatedAt, 0, 0]
}

/** Finds the session of each open run in some rows. */
export function runsIn(rows: Iterable<SessionRow>): Map<string, string> {
  const runs = new Map<string, string>()
  for (const { key, runs: open } of rows) for (const { runId } of open) runs.set(runId, key)
  return runs
}

function makeRow(first: First, later: Later): SessionRow {
  const [key, channel, peer, model, createdAt, lastMessageAt, messages, pending] = first
  const [generation, facts, thinking, runs, newest, updatedAt, inputTokens, outputTokens] = later
  return {
    key,
    channel,
    peer,
    model,
    createdAt,
    lastMessageAt,
    messages,
    pending,
    generation,
    facts,
    thinking,
    runs,
    last: newest === null ? null : { ref: newest[0], role: newest[1], at: newest[2] },
    updatedAt,
    inputTokens,
    outputTokens,
  }
}
