/**
 * The prompt of a past run: which call of it, what its recipe names, and whether that is what was sent.
 *
 * Made by the rule that made it then (`rules/prompt.ts`), from the snapshots of that position. The
 * outcome of a call records how many entries its prompt had and a digest of their refs; where they
 * agree, what is shown is what was sent.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { quote, type StreamId, streamId, streamName } from '../../protocol/ids.ts'
import { memberOf } from '../../protocol/members.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { ModelCallParams } from '../effects.ts'
import { promptEntries, promptFacts } from '../rules/prompt.ts'
import type { RunContext } from '../run.ts'
import type { HistoryEntry } from '../session-events.ts'
import type { SessionContext } from '../session.ts'
import { foldStream } from './fold.ts'
import { type History, type Kinds, requireRecord } from './source.ts'

/** One call of a model, as it was asked. */
export interface PromptAt {
  readonly runId: string
  readonly address: string // of the effect: 12.e0
  readonly position: number
  readonly at: number // ms since epoch
  readonly params: ModelCallParams
  readonly entries: readonly HistoryEntry[]
  readonly tools: readonly string[] // names of those that were offered; none where its outcome names none
  readonly systemRef: string | null // of the configured system text; null: none, or not recorded
  readonly outcome: string // done, failed, ...; pending
  readonly isAsSent: boolean | null // null: its outcome does not say
}

/**
 * Finds the last call of a run up to a position, and what its prompt was.
 * @throws {GatewayError} NOT_FOUND: no such run, or it has called nothing; HISTORY_PRUNED.
 */
export function promptAt(
  history: History,
  kinds: Kinds,
  { runId, position }: { readonly runId: string; readonly position: number },
): PromptAt {
  const stream = streamId('run', runId)
  const { call, index, outcome } = lastCall(history, stream, position)
  const params = call.effects[index]?.params as unknown as ModelCallParams
  const session = streamId('session', params.sessionKey)
  const entriesAt = (end: number): HistoryEntry[] => {
    const said = foldAt(history, kinds, session, end) as SessionContext
    const run = foldAt(history, kinds, stream, call.position) as RunContext
    return promptEntries(said, run, params)
  }
  const facts = outcome?.event
  const told = facts === undefined ? undefined : facts['promptHash']
  const isSame = (entries: readonly HistoryEntry[]): boolean =>
    promptFacts(entries).promptHash === told
  const first = entriesAt(call.position)
  // The driver may have waited for its turn: then its session went on meanwhile.
  const entries =
    told === undefined || isSame(first) ? first : entriesAt(outcome?.position ?? call.position)
  const systemRef = memberOf(facts, 'systemRef')
  const tools = memberOf(facts, 'tools')
  return {
    runId,
    address: `${call.position}.e${index}`,
    position: call.position,
    at: call.at,
    params,
    entries,
    tools: Array.isArray(tools) ? tools.map(String) : [],
    systemRef: typeof systemRef === 'string' ? systemRef : null,
    outcome: facts === undefined ? 'pending' : facts.type.slice('effect.'.length),
    isAsSent: told === undefined ? null : isSame(entries),
  }
}

/**
 * Reads which run a record belongs to, and up to where its calls are meant: to a record of its own
 * stream, or all of them where another record names the run.
 * @throws {GatewayError} NOT_FOUND: no run has to do with it.
 */
export function runOf(history: History, position: number): { runId: string; position: number } {
  const { stream, event } = requireRecord(history, position)
  if (stream.startsWith('run:')) return { runId: streamName(stream), position }
  const { runId } = event
  if (typeof runId === 'string') return { runId, position: history.head() }
  throw new GatewayError('NOT_FOUND', `#${position}: no run has to do with ${event.type}`, {
    position,
  })
}

interface Call {
  readonly call: JournalRecord
  readonly index: number
  readonly outcome: JournalRecord | null
}

function lastCall(history: History, stream: StreamId, position: number): Call {
  let found: Omit<Call, 'outcome'> | null = null
  const ends = new Map<string, JournalRecord>()
  for (const record of history.stream(stream, 1)) {
    const index = record.effects.findIndex(({ name }) => name === 'model.call')
    if (record.event.type.startsWith('effect.')) ends.set(record.cause, record)
    if (index !== -1 && record.position <= position) found = { call: record, index }
  }
  if (found === null) {
    const text = `run ${quote(streamName(stream))}: no call of a model up to #${position}`
    throw new GatewayError('NOT_FOUND', text, { stream, position })
  }
  return { ...found, outcome: ends.get(`${found.call.position}.e${found.index}`) ?? null }
}

function foldAt(history: History, kinds: Kinds, stream: StreamId, position: number): unknown {
  const version = history.versionAt(stream, position)
  return foldStream(history, kinds, stream, { upToVersion: version }).snapshot.context
}
