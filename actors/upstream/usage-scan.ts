/**
 * What models were asked and said, from the journal: questions, ends of runs with their tokens, and
 * the calls of tools that they asked for.
 * Newest first in slices, so that others are served meanwhile; at most limits.usageRecordsMax
 * records are looked through, and what is older counts nothing.
 */
import { type EndedRun, endedRuns } from '../../protocol/runs.ts'
import { streamName } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { type JournalRecord, parseRecord } from '../../protocol/record.ts'
import type { Store } from '../../store/contract.ts'
import type { Days } from './usage-days.ts'

/** A question, on one of the days that were asked for. */
export interface Question {
  readonly key: string // of its session
  readonly at: number // ms since epoch
  readonly day: string
}

/** The end of a run, likewise. */
export interface Turn extends Question {
  readonly status: 'done' | 'failed'
  readonly inputTokens: number
  readonly outputTokens: number
  readonly model: string | null // null: its question is too long ago
  readonly askedAt: number | null // likewise
}

/** The beginning of a call of a tool, or its end. */
export interface ToolMoment extends Question {
  readonly name: string // of the tool, as the model wrote it
  readonly phase: 'asked' | 'ended'
}

/** What was found. */
export interface Found {
  readonly questions: readonly Question[]
  readonly turns: readonly Turn[]
  readonly tools: readonly ToolMoment[]
}

interface Asked {
  readonly model: string
  readonly at: number
}

interface Scan {
  readonly days: Days
  readonly only: string | null
  readonly asked: Map<string, Asked> // by run
  readonly questions: Question[]
  readonly tools: ToolMoment[]
  readonly ends: { readonly question: Question; readonly ended: EndedRun }[]
}

/** Finds what fell on some days, of one session or of all. */
export async function scanUsage(
  store: Pick<Store, 'head' | 'range'>,
  days: Days,
  only: string | null = null,
): Promise<Found> {
  const scan: Scan = { days, only, asked: new Map(), questions: [], tools: [], ends: [] }
  const head = store.head().position
  const oldest = Math.max(1, head - limits.usageRecordsMax + 1)
  for (let to = head; to >= oldest; to -= limits.readTransactionRecordsMax) {
    const from = Math.max(oldest, to - limits.readTransactionRecordsMax + 1)
    let isPast = false
    for (const stored of store.range(from, to)) {
      const record = parseRecord(stored, stored.fields)
      if (record.at < days.since) isPast = true
      else note(scan, record)
    }
    if (isPast) break
    await new Promise<void>((turn) => {
      setImmediate(turn)
    })
  }
  const turns = scan.ends.map(({ question, ended }) => turnOf(scan, question, ended))
  const { questions, tools } = scan
  return { questions, turns: turns.filter((turn) => turn !== null), tools }
}

function note(scan: Scan, record: JournalRecord): void {
  const { stream, event, at, ignored, kind } = record
  if (kind !== 'event' || ignored !== null) return
  if (stream.startsWith('call:')) return noteCall(scan, record)
  if (!stream.startsWith('session:')) return
  const key = streamName(stream)
  if (scan.only !== null && key !== scan.only) return
  const day = scan.days.dayOf(at)
  const isMeant = day >= scan.days.first && day <= scan.days.last
  if (event.type === 'message.accepted') {
    scan.asked.set(String(event['runId']), { model: String(event['model']), at })
    if (isMeant) scan.questions.push({ key, at, day })
  }
  if (!isMeant) return
  for (const ended of endedRuns(record)) scan.ends.push({ question: { key, at, day }, ended })
}

function noteCall({ days, only, tools }: Scan, { event, sends, at }: JournalRecord): void {
  const ended = sends.find((send) => send.event.type === 'call.finished')?.event
  const told = event.type === 'call.requested' ? event : ended
  const day = days.dayOf(at)
  // What a client calls itself is no usage of a model's.
  if (told === undefined || told['invokedBy'] !== undefined) return
  if (day < days.first || day > days.last) return
  const { sessionKey: key, name } = told as unknown as { sessionKey: string; name: string }
  if (only !== null && key !== only) return
  tools.push({ key, at, day, name, phase: told === ended ? 'ended' : 'asked' })
}

function turnOf({ asked }: Scan, question: Question, ended: EndedRun): Turn | null {
  const { status, inputTokens, outputTokens, runId } = ended
  if (status === 'aborted') return null
  const { model = null, at: askedAt = null } = asked.get(runId) ?? {}
  return { ...question, status, inputTokens, outputTokens, model, askedAt }
}
