/**
 * Transcripts: a page of a session's messages, read from its end.
 *
 * Folded from the stream when asked: a page costs what is on it, however long the conversation is.
 * What was before the last reset belongs to another session id and is read by that one.
 */
import { setImmediate as turn } from 'node:timers/promises'
import {
  beginsGeneration,
  entryOf,
  type TranscriptEntry,
} from '../machines/projections/transcript.ts'
import type { OpenWork } from '../machines/projections/open-work.ts'
import { generationOf, type SessionContext } from '../machines/session.ts'
import { GatewayError, toGatewayError } from '../protocol/errors.ts'
import { quote, type StreamId, streamId, streamName } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { type JournalRecord, parseRecord } from '../protocol/record.ts'
import { sessionIdOf } from '../protocol/session-id.ts'
import type { StoreReader } from '../store/contract.ts'
import { readTextOrMark } from './bodies.ts'
import type { Registry } from './registry.ts'
import type { InFlight } from './run.ts'

export interface TranscriptHouse {
  readonly store: StoreReader
  readonly registry: Registry
  readonly inFlight: (runId: string) => InFlight | null
}

export interface TranscriptRequest {
  readonly key: string // canonical
  readonly sessionId?: string | undefined // an earlier one; else that of now
  readonly limit?: number | undefined // messages; at most limits.transcriptPageMax
  readonly before?: string | undefined // `nextBefore` of a page
  readonly offset?: number | undefined // messages to pass over, from the end, or from `before`
  readonly maxChars?: number | undefined // of each text
}

/** One message as clients see it. */
export interface TranscriptMessage {
  readonly id: string // `m` and the position of its record
  readonly seq: number // from 1, without gaps within a session id
  readonly role: 'user' | 'assistant'
  readonly text: string
  readonly ts: number // ms since epoch
  readonly runId: string | null
  readonly runKey?: string
  readonly model?: string
  readonly status?: 'running' | 'queued' // of a message that has no answer yet
  readonly usage?: { readonly inputTokens: number; readonly outputTokens: number }
  readonly channel?: string
  readonly sender?: string
  readonly truncated?: true // `maxChars` cut it
  readonly fault?: string // why the text is not there
}

/** The answer that is being written now. */
export interface AnswerInFlight {
  readonly runId: string
  readonly runKey?: string
  readonly text: string // so far
  readonly startedAt: number // ms since epoch
}

export interface Transcript {
  readonly key: string
  readonly sessionId: string
  readonly messages: readonly TranscriptMessage[] // oldest first
  readonly hasMore: boolean
  readonly nextBefore?: string // asks for the page before this one
  readonly total: number // messages of the session id
  readonly inFlight: AnswerInFlight | null
}

/** The place behind the next message to read, and the number of the message before that place. */
interface Place {
  readonly version: number
  readonly seq: number
}

interface Life extends Place {
  readonly stream: StreamId
  readonly generation: number
  readonly context: SessionContext | null // of the generation of now; null for an earlier one
}

/**
 * Reads a page of a session's messages, the newest unless `before` or `offset` says otherwise.
 * @throws {GatewayError} NOT_FOUND: no such session id; INVALID_REQUEST: a cursor of none of its pages;
 * as `Registry.actor`.
 */
export async function readTranscript(
  house: TranscriptHouse,
  request: TranscriptRequest,
): Promise<Transcript> {
  const { key, limit = limits.transcriptPageDefault, offset = 0, before } = request
  const life = await findLife(house, request)
  const sessionId = sessionIdOf(key, life.generation)
  const start = before === undefined ? life : parseCursor(before, life)
  const budget = { messages: Math.min(limit, limits.transcriptPageMax), maxChars: request.maxChars }
  const page = await readPage(house, { ...life, ...start }, offset, budget)
  const { messages, next } = page
  return {
    key,
    sessionId,
    messages,
    hasMore: next !== null,
    ...(next === null ? {} : { nextBefore: `${life.generation}.${next.version}.${next.seq}` }),
    total: life.seq,
    inFlight: life.context === null ? null : answerInFlight(house, life.context),
  }
}

/**
 * Reads the message that a record has just added to its session, or null where it added none; to be
 * asked by a listener, before the next record is folded. `status` is left to the rows.
 */
export function messageAdded(
  { store, work }: { readonly store: StoreReader; readonly work: OpenWork },
  record: JournalRecord,
): TranscriptMessage | null {
  if (!record.stream.startsWith('session:')) return null
  const entry = entryOf(record)
  const row = work.sessions.get(streamName(record.stream))
  if (entry === null || row === undefined) return null
  return formatMessage(store, { entry, seq: row.messages, context: null })
}

async function findLife(
  { registry, store }: TranscriptHouse,
  { key, sessionId }: TranscriptRequest,
): Promise<Life> {
  const stream = streamId('session', key)
  const isThere = store.version(stream) > 0
  const { snapshot, version } = isThere ? registry.actor(stream) : NOBODY
  const context = snapshot.context as SessionContext
  const current = generationOf(context)
  const found = findGeneration(key, sessionId, current)
  const life = { stream, generation: found, version, seq: context.messages }
  if (found === current) return { ...life, context }
  const { end, messages } = await findEarlier(store, life, current - found)
  return { ...life, version: end, seq: messages, context: null }
}

const NOBODY = { version: 0, snapshot: { context: { messages: 0, current: null, queue: [] } } }

function findGeneration(key: string, sessionId: string | undefined, current: number): number {
  if (sessionId === undefined) return current
  const oldest = Math.max(0, current - limits.sessionGenerationsMax)
  for (let generation = current; generation >= oldest; generation -= 1) {
    if (sessionIdOf(key, generation) === sessionId) return generation
  }
  const text = `params.sessionId: ${key} has had no session ${quote(sessionId)}`
  throw new GatewayError('NOT_FOUND', text, { path: 'sessionId' })
}

// An earlier generation ends where the one behind it begins; its messages are counted by reading.
async function findEarlier(
  store: StoreReader,
  { stream, version }: Pick<Life, 'stream' | 'version'>,
  generations: number,
): Promise<{ end: number; messages: number }> {
  let left = generations
  let end = 0
  let messages = 0
  for await (const record of readBack(store, stream, version)) {
    if (beginsGeneration(record)) {
      if (left === 0) break
      left -= 1
      end = record.version - 1
    } else if (left === 0 && entryOf(record) !== null) messages += 1
  }
  return { end, messages }
}

function parseCursor(before: string, { generation, version, seq }: Life): Place {
  const [, whose, place, number] = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})$/.exec(before) ?? []
  const found = { version: Number(place), seq: Number(number) }
  const isOurs = Number(whose) === generation && found.version <= version && found.seq <= seq
  if (isOurs) return found
  const text = `params.before: ${quote(before)} is no nextBefore of this session`
  throw new GatewayError('INVALID_REQUEST', text, { path: 'before' })
}

interface Page {
  readonly messages: readonly TranscriptMessage[]
  readonly next: Place | null // null: nothing is before it
}

async function readPage(
  house: TranscriptHouse,
  life: Life,
  offset: number,
  budget: { readonly messages: number; readonly maxChars: number | undefined },
): Promise<Page> {
  const messages: TranscriptMessage[] = []
  let { seq } = life
  let chars = 0
  let passing = offset
  for await (const record of readBack(house.store, life.stream, life.version)) {
    if (beginsGeneration(record)) break
    const entry = entryOf(record)
    if (entry === null) continue
    const isFull = messages.length >= budget.messages || chars >= limits.transcriptCharsMax
    if (isFull) return { messages: messages.toReversed(), next: { version: entry.version, seq } }
    if (passing > 0) passing -= 1
    else {
      const of = { entry, seq, context: life.context }
      const message = formatMessage(house.store, of, budget.maxChars)
      messages.push(message)
      chars += message.text.length
    }
    seq -= 1
  }
  return { messages: messages.toReversed(), next: null }
}

/** Reads a stream from a version backwards, until what was compacted away; others get their turn. */
async function* readBack(
  store: StoreReader,
  stream: StreamId,
  from: number,
): AsyncGenerator<JournalRecord> {
  for (let version = from; version > 0; version -= 1) {
    const position = store.positionOf(stream, version)
    const stored = position === null ? null : store.read(position)
    if (stored === null) return
    yield parseRecord(stored, stored.fields)
    if ((from - version) % limits.transcriptSliceRecords === limits.transcriptSliceRecords - 1) {
      await turn()
    }
  }
}

function formatMessage(
  store: StoreReader,
  of: { entry: TranscriptEntry; seq: number; context: SessionContext | null },
  maxChars?: number,
): TranscriptMessage {
  const { entry, seq, context } = of
  const { position, version: _, ref, at: ts, role, ...facts } = entry
  const model = role === 'assistant' && entry.model === undefined ? modelOf(store, entry) : {}
  const status = role === 'user' ? statusOf(context, entry.runId) : {}
  return {
    id: `m${position}`,
    seq,
    role,
    ...readMessage(store, ref, maxChars),
    ts,
    ...facts,
    ...model,
    ...status,
  }
}

// A text that is damaged costs itself, not the page.
function readMessage(
  store: StoreReader,
  ref: string,
  maxChars = Infinity,
): Pick<TranscriptMessage, 'text' | 'truncated' | 'fault'> {
  try {
    const text = readTextOrMark(store, ref)
    if (text.length <= maxChars) return { text }
    return { text: text.slice(0, maxChars).toWellFormed(), truncated: true }
  } catch (thrown) {
    return { text: '', fault: toGatewayError(thrown).code }
  }
}

function modelOf(store: StoreReader, { runId }: TranscriptEntry): { model?: string } {
  const position = runId === null ? null : store.positionOf(streamId('run', runId), 1)
  const stored = position === null ? null : store.read(position)
  const model = stored === null ? null : parseRecord(stored, stored.fields).event['model']
  return typeof model === 'string' ? { model } : {}
}

function statusOf(
  context: SessionContext | null,
  runId: string | null,
): Pick<TranscriptMessage, 'status'> {
  if (context?.current?.runId === runId) return { status: 'running' }
  const isQueued = context?.queue.some((run) => run.runId === runId) === true
  return isQueued ? { status: 'queued' } : {}
}

function answerInFlight(
  { inFlight }: TranscriptHouse,
  { current }: SessionContext,
): AnswerInFlight | null {
  if (current === null) return null
  const { runId, runKey, asked } = current
  const { text, startedAt } = inFlight(runId) ?? { text: '', startedAt: asked.at }
  return { runId, ...(runKey === undefined ? {} : { runKey }), text, startedAt }
}
