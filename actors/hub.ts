/**
 * The hub: tells clients what has happened, from committed records only. Step 8 of 8.
 *
 * A payload is written as JSON once, whoever gets it. A client that resumes is read to from the
 * journal, at the pace at which it reads, until it is where the hub is; in that turn it joins the
 * others, so nothing is missed and nothing comes twice.
 */
import type { GatewayContext } from '../machines/gateway.ts'
import { GatewayError, toGatewayError } from '../protocol/errors.ts'
import { formatLine } from '../protocol/history/line.ts'
import { limits } from '../protocol/limits.ts'
import type { EventName } from '../protocol/methods.ts'
import { type Notice, noticesOf } from '../protocol/notices.ts'
import { type JournalRecord, parseRecord } from '../protocol/record.ts'
import type { StoreReader } from '../store/contract.ts'
import { readText } from './bodies.ts'
import type { Delta } from './run.ts'

/** One client as the hub sees it. */
export interface Subscriber {
  wants(event: EventName): boolean
  watches(runId: string): boolean // verbose runs: every phase
  follows(record: JournalRecord): boolean // history.subscribe
  approves(exceptId: string): boolean // a person who may approve commands sits there
  readonly full: boolean // what was sent waits to be read
  /** Resolves when it is no longer full, or gone. */
  drained(): Promise<void>
  send(event: EventName, payloadJson: string): void
}

/** Keeps the subscribers and tells them. */
export class Hub {
  /** Position of the newest record whose notices have gone out. */
  position: number
  #store: StoreReader
  #live = new Set<Subscriber>()
  #behind = new Set<Subscriber>()
  #ears = new Set<(delta: Delta) => void>()

  constructor(store: StoreReader, position: number) {
    this.#store = store
    this.position = position
  }

  /** Tells of a committed record; called once for each, in order. */
  committed(record: JournalRecord): void {
    this.position = record.position
    if (this.#live.size > 0) this.#tell(record, this.#live)
  }

  /** Tells of a piece of an answer; it is no record and does not resume. */
  delta(delta: Delta): void {
    for (const hear of this.#ears) hear(delta)
    this.announce('agent.delta', { ...delta })
  }

  /** Tells everybody who wants it something that is no record. */
  announce(event: EventName, payload: Readonly<Record<string, unknown>>): void {
    if (this.#live.size === 0) return
    const json = JSON.stringify(payload)
    for (const subscriber of this.#live) {
      if (subscriber.wants(event)) subscriber.send(event, json)
    }
  }

  /** Adds a subscriber; from now on it is told everything. */
  add(subscriber: Subscriber): void {
    this.#live.add(subscriber)
  }

  remove(subscriber: Subscriber): void {
    this.#live.delete(subscriber)
    this.#behind.delete(subscriber)
  }

  /** Hears every piece of an answer as well, until the function that it returns is called. */
  hear(listener: (delta: Delta) => void): () => void {
    this.#ears.add(listener)
    return () => void this.#ears.delete(listener)
  }

  /** Tells whether anybody but one connection could approve a command. */
  hasApprover(exceptId: string): boolean {
    return [...this.#live].some((subscriber) => subscriber.approves(exceptId))
  }

  /** Positions that have been records of two lives, since a backup was restored; null: none. */
  twofold: () => NonNullable<GatewayContext['twofold']> | null = () => null

  /**
   * @throws {GatewayError} RESUME_TOO_OLD: too far behind, beyond the journal's end, or at a position
   * that was another record before a restore.
   */
  assertResumable(from: number): void {
    const head = this.position
    const twofold = this.twofold()
    const isTwofold = twofold !== null && from > twofold.after && from <= twofold.through
    if (!isTwofold && from <= head && head - from <= limits.resumeRecordsMax) return
    const gap = from > head ? 'the journal ends before it' : 'too much has happened since'
    const why = isTwofold ? 'it was another record before a backup was restored' : gap
    const text = `params.resumeFrom: ${from}: ${why} (head ${head}); connect without it and read anew`
    throw new GatewayError('RESUME_TOO_OLD', text, { path: 'resumeFrom', head })
  }

  /**
   * Adds a subscriber that saw everything up to a position; resolves when it has caught up, or
   * has gone away. What it cannot take yet stays in the journal.
   */
  async resume(subscriber: Subscriber, from: number): Promise<void> {
    this.#behind.add(subscriber)
    let next = from + 1
    for (;;) {
      // The turn that ends here lets the answer to `connect` leave before the first notice.
      await new Promise<void>((turn) => {
        setImmediate(turn)
      })
      await subscriber.drained()
      if (!this.#behind.has(subscriber)) return // It went away meanwhile.
      if (next > this.position) break
      next = this.#tellRange(subscriber, next)
    }
    this.#behind.delete(subscriber)
    this.#live.add(subscriber)
  }

  // Tells of records from a position on until the subscriber is full; returns the next position.
  #tellRange(subscriber: Subscriber, from: number): number {
    const last = Math.min(this.position, from + limits.readTransactionRecordsMax - 1)
    for (const stored of this.#store.range(from, last)) {
      this.#tell(parseRecord(stored, stored.fields), [subscriber])
      if (subscriber.full) return stored.position + 1
    }
    return last + 1
  }

  #tell(record: JournalRecord, subscribers: Iterable<Subscriber>): void {
    const notices = noticesOf(record)
    const isRun = record.stream.startsWith('run:')
    this.#tellFollowers(record, subscribers)
    if (notices.length === 0 && !isRun) return // Most records: nobody else is told.
    const payloads = new Map<Notice, string>()
    for (const subscriber of subscribers) {
      for (const notice of notices) {
        if (!subscriber.wants(notice.event)) continue
        const json = payloads.get(notice) ?? this.#format(notice)
        payloads.set(notice, json)
        subscriber.send(notice.event, json)
      }
      if (isRun) tellPhase(record, subscriber)
    }
  }

  #tellFollowers(record: JournalRecord, subscribers: Iterable<Subscriber>): void {
    let json: string | null = null
    for (const subscriber of subscribers) {
      if (!subscriber.follows(record)) continue
      json ??= JSON.stringify(formatLine(record))
      subscriber.send('history', json)
    }
  }

  #format({ payload, textRef }: Notice): string {
    if (textRef === null) return JSON.stringify(payload)
    return JSON.stringify({ ...payload, ...this.#readText(textRef) })
  }

  // A text that is erased or damaged costs itself, not the notice, nor those who come after it.
  #readText(ref: string): { text: string | null; error?: { code: string; message: string } } {
    try {
      return { text: readText(this.#store, ref) }
    } catch (thrown) {
      const { code, message } = toGatewayError(thrown)
      return { text: null, error: { code, message } }
    }
  }
}

// What `verbose: true` adds for the connection that asked (decisions.md 27).
function tellPhase(record: JournalRecord, subscriber: Subscriber): void {
  const runId = record.stream.slice('run:'.length)
  if (!subscriber.watches(runId)) return
  const { value: phase, event, position, at: ts } = record
  const fault = event['class'] ?? null
  const payload = { runId, status: 'phase', phase, cause: event.type, fault, position, ts }
  subscriber.send('agent', JSON.stringify(payload))
}
