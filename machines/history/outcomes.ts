/**
 * What became of what came in: every inbound message and every `send`, and how it ended.
 *
 *   message.received, message.accepted   answered, sent, failed, uncertain, or refused by a rule
 *   delivery.requested of a client       sent, failed, uncertain
 *
 * What has no end yet is pending. Fed with records in order.
 */
import { type StreamId, streamId, streamKind, streamName } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { endedRuns } from '../../protocol/runs.ts'

/** How an inbound message ended; `at` is the position of the record that says so. */
export interface InboundOutcome {
  readonly id: string // the same in every branch: of the run, or of the delivery
  readonly target: string // reply-to:#7, send:#9
  readonly position: number // where it came in
  readonly stream: StreamId // that it came in at
  readonly about: StreamId // its session, where it has one
  readonly end: string // sent, answered, failed, uncertain, refused; pending
  readonly at: number | null
}

interface Tracked extends InboundOutcome {
  readonly delivers: boolean // an answer goes out over a channel
  end: string
  at: number | null
}

const ENDS: ReadonlySet<string> = new Set(['sent', 'failed', 'uncertain'])

/** Follows inbound messages to their ends. */
export class InboundTracker {
  #tracked: Tracked[] = []
  #runs = new Map<string, Tracked>()
  #deliveries = new Map<string, Tracked>()

  /** Takes the next record in. */
  add(record: JournalRecord): void {
    if (record.kind !== 'event') return
    const { event } = record
    switch (event.type) {
      case 'message.received':
        this.#received(record)
        break
      case 'message.accepted':
        this.#accepted(record)
        break
      case 'run.finished':
        if (record.ignored === null) this.#finished(record)
        break
      case 'session.aborted':
      case 'session.reset':
      case 'session.deleted':
        this.#letGo(record)
        break
      default:
        if (streamKind(record.stream) === 'delivery') this.#delivered(record)
    }
  }

  /** Lets go of all that has ended: what comes out later is about the rest and what follows. */
  settle(): void {
    this.#tracked = this.#tracked.filter(({ end }) => end === 'pending')
  }

  outcomes(): InboundOutcome[] {
    return this.#tracked.map(({ id, target, position, stream, about, end, at }) => {
      return { id, target, position, stream, about, end, at }
    })
  }

  copy(): InboundTracker {
    const copy = new InboundTracker()
    const twins = new Map(this.#tracked.map((tracked) => [tracked, { ...tracked }]))
    copy.#tracked = [...twins.values()]
    for (const [key, tracked] of this.#runs) copy.#runs.set(key, twins.get(tracked) ?? tracked)
    for (const [key, tracked] of this.#deliveries) {
      copy.#deliveries.set(key, twins.get(tracked) ?? tracked)
    }
    return copy
  }

  #received(record: JournalRecord): void {
    const runId = String(record.event['runId'])
    const admitted = record.sends.some(({ event }) => event.type === 'message.accepted')
    const tracked = this.#track(record, runId, true)
    if (admitted) this.#runs.set(runId, tracked)
    else if (record.event['directive'] !== undefined && record.sends.length > 0) {
      end(tracked, 'answered', record.position)
    } else end(tracked, 'refused', record.position)
  }

  #accepted(record: JournalRecord): void {
    const runId = String(record.event['runId'])
    const known = this.#runs.get(runId)
    const tracked = known ?? this.#track(record, runId, (record.event['route'] ?? null) !== null)
    this.#runs.set(runId, tracked)
    if (record.ignored !== null) end(tracked, 'refused', record.position)
    this.#letGo(record) // It may interrupt another, or take its place in the queue.
  }

  #finished(record: JournalRecord): void {
    const { event, position } = record
    for (const { runId, status, into } of endedRuns(record)) {
      const merged = into === undefined ? undefined : this.#runs.get(runId)
      if (merged !== undefined) end(merged, status === 'done' ? 'answered' : status, position)
    }
    const runId = String(event['runId'])
    const tracked = this.#runs.get(runId)
    this.#runs.delete(runId)
    if (tracked === undefined) return
    if (event['status'] !== 'done') end(tracked, String(event['status']), position)
    else if (tracked.delivers) this.#deliveries.set(`reply-${runId}`, tracked)
    else end(tracked, 'answered', position)
  }

  #letGo(record: JournalRecord): void {
    for (const { runId, status } of endedRuns(record)) {
      const tracked = this.#runs.get(runId)
      this.#runs.delete(runId)
      if (tracked !== undefined) end(tracked, status, record.position)
    }
  }

  #delivered(record: JournalRecord): void {
    const id = streamName(record.stream)
    const { event, value, position, ignored } = record
    if (event.type === 'delivery.requested' && ignored === null && !this.#deliveries.has(id)) {
      this.#deliveries.set(id, this.#track(record, id, true))
    }
    const tracked = this.#deliveries.get(id)
    if (tracked === undefined || !ENDS.has(value)) return
    end(tracked, value, position)
    this.#deliveries.delete(id)
  }

  #track(record: JournalRecord, id: string, delivers: boolean): Tracked {
    const { position, stream, event } = record
    const key = event['sessionKey'] ?? event['fileIn']
    const about = typeof key === 'string' ? streamId('session', key) : stream
    const word = event.type === 'delivery.requested' ? 'send' : 'reply-to'
    const target = `${word}:#${position}`
    const tracked = { id, target, position, stream, about, delivers, end: 'pending', at: null }
    this.#tracked.push(tracked)
    return tracked
  }
}

function end(tracked: Tracked, how: string, at: number): void {
  tracked.end = how
  tracked.at = at
}
