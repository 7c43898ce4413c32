/**
 * Ends of runs, for whoever waits: from committed records, never by asking again and again.
 */
import { endedRuns, type EndedRun, modelsIn, sayFailure } from '../protocol/runs.ts'
import { GatewayError } from '../protocol/errors.ts'
import { type StreamId, streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { memberOf } from '../protocol/members.ts'
import { type JournalEvent, type JournalRecord, parseRecord } from '../protocol/record.ts'
import type { OpenWork } from '../machines/projections/open-work.ts'
import type { StoreReader } from '../store/contract.ts'
import { readTextOrMark } from './bodies.ts'
import type { Services } from './services.ts'

/** How a run ended, or that it has not. */
export interface RunEnd {
  readonly runId: string
  readonly status: 'ok' | 'error' | 'aborted' | 'timeout'
  readonly startedAt: number | null // ms since epoch; null: it had not begun
  readonly endedAt: number | null // null: it has not ended
  readonly text?: string // of the answer
  readonly ref?: string // of its body
  readonly fault?: string // class of what went wrong
  readonly reason?: string // the same for people, with the models that failed
  readonly model?: string // that answered, where it is not the one that was asked first
  readonly usage?: { readonly inputTokens: number; readonly outputTokens: number }
}

interface House {
  readonly store: StoreReader
  readonly work: OpenWork
  readonly services: Services
}

type Ended = EndedRun & { readonly at: number }

const STATUS: Readonly<Record<EndedRun['status'], RunEnd['status']>> = {
  done: 'ok',
  failed: 'error',
  aborted: 'aborted',
}

/** Keeps those who wait. */
export class RunEnds {
  #house: House
  #waiting = new Map<string, Set<(ended: Ended) => void>>()
  #count = 0

  constructor(house: House) {
    this.#house = house
  }

  /** Hears of a committed record; called once for each, in order. */
  committed(record: JournalRecord): void {
    for (const ended of endedRuns(record)) {
      for (const resolve of this.#waiting.get(ended.runId) ?? []) {
        resolve({ ...ended, at: record.at })
      }
    }
  }

  /**
   * Resolves with the end of a run, at once where it has ended, or with `timeout` after at most
   * limits.runWaitMsMax; the run goes on.
   * @throws {GatewayError} UNAVAILABLE: limits.runWaitersMax wait already.
   */
  async wait(runId: string, timeoutMs: number): Promise<RunEnd> {
    const { store, work } = this.#house
    const past = work.runs.has(runId) ? null : readEnd(store, runId)
    const ended = past ?? asRecorded(store, await this.#next(runId, timeoutMs))
    const startedAt = readStart(store, runId)
    if (ended === null) return { runId, status: 'timeout', startedAt, endedAt: null }
    const { status, fault, ref, inputTokens, outputTokens, at: endedAt } = ended
    const end = { runId, status: STATUS[status], startedAt, endedAt }
    if (status !== 'done') return fault === '' ? end : { ...end, fault, reason: sayFailure(ended) }
    const answered = ended.model === undefined ? {} : { model: ended.model }
    const usage = { inputTokens, outputTokens }
    return { ...end, text: readTextOrMark(store, ref), ref, usage, ...answered }
  }

  async #next(runId: string, timeoutMs: number): Promise<Ended | null> {
    if (this.#count >= limits.runWaitersMax) {
      const text = `agent.wait: ${this.#count} wait for runs already, try again later`
      throw new GatewayError('UNAVAILABLE', text, { runId })
    }
    const { clock } = this.#house.services
    const waiting = this.#waiting.get(runId) ?? new Set()
    this.#waiting.set(runId, waiting)
    this.#count += 1
    let resolve: (ended: Ended | null) => void = () => {}
    const end = new Promise<Ended | null>((settle) => {
      resolve = settle
    })
    waiting.add(resolve)
    const cancel = clock.after(Math.min(timeoutMs, limits.runWaitMsMax), () => resolve(null))
    try {
      return await end
    } finally {
      cancel()
      this.#count -= 1
      waiting.delete(resolve)
      if (waiting.size === 0) this.#waiting.delete(runId)
    }
  }
}

// The run's own end came before its session heard of it: whoever asks later is told the same time.
function asRecorded(store: StoreReader, heard: Ended | null): Ended | null {
  const own = heard === null ? null : readEnd(store, heard.runId)
  return heard !== null && own?.status === heard.status ? { ...heard, at: own.at } : heard
}

function readStart(store: StoreReader, runId: string): number | null {
  const first = readAt(store, streamId('run', runId), 1)
  return first?.event.type === 'run.requested' ? first.at : null
}

// A run that its session let go is aborted, whatever it arrived at by itself.
function readEnd(store: StoreReader, runId: string): Ended | null {
  const stream = streamId('run', runId)
  const last = store.version(stream)
  const into = mergedInto(readAt(store, stream, last))
  const carrier = into === null ? null : readEnd(store, into)
  if (carrier !== null) return { ...carrier, runId, inputTokens: 0, outputTokens: 0 }
  let ended: Ended | null = null
  for (let version = last; version > Math.max(0, last - limits.runEndRecordsMax); version -= 1) {
    const record = readAt(store, stream, version)
    if (record === null) break
    ended = endIn(record, runId) ?? ended
    if (ended !== null && record.event.type === 'run.aborted') break
  }
  return ended
}

function endIn(record: JournalRecord, runId: string): Ended | null {
  const { event, value, ignored, at } = record
  const nothing = { runId, fault: '', ref: '', inputTokens: 0, outputTokens: 0, at }
  const isLetGo = event.type === 'run.aborted' && typeof event['sessionKey'] === 'string'
  if (isLetGo) return { ...nothing, status: 'aborted' }
  if (ignored !== null) return null
  if (value === 'aborted') return { ...nothing, status: 'aborted' }
  if (value === 'failed') {
    const said = toldIn(record)
    const fault = said?.['fault'] ?? memberOf(event, 'class')
    const models = said === null ? {} : modelsIn(said)
    return {
      ...nothing,
      ...models,
      status: 'failed',
      fault: typeof fault === 'string' ? fault : 'lost',
    }
  }
  if (value !== 'done') return null
  const { ref, inputTokens, outputTokens } = event
  const usage = { inputTokens: Number(inputTokens), outputTokens: Number(outputTokens) }
  const said = toldIn(record)
  const models = said === null ? {} : modelsIn(said)
  return { ...nothing, ...models, status: 'done', ref: String(ref), ...usage }
}

// What the run told its session of its end.
function toldIn({ sends }: JournalRecord): JournalEvent | null {
  return sends.find(({ event }) => event.type === 'run.finished')?.event ?? null
}

// A message that another run answered; that one was never merged itself.
function mergedInto(record: JournalRecord | null): string | null {
  if (record?.event.type !== 'run.merged' || record.ignored !== null) return null
  return String(record.event['into'])
}

function readAt(store: StoreReader, stream: StreamId, version: number): JournalRecord | null {
  const position = store.positionOf(stream, version)
  const stored = position === null ? null : store.read(position)
  return stored === null ? null : parseRecord(stored, stored.fields)
}
