/**
 * The feed: tells upstream's clients what has happened, from committed records. Step 8 of 8.
 *
 * What hub.ts is to the specification's dialect. A payload is written as JSON once, whoever gets it;
 * `seq` is dense on each connection, so a client knows that it has missed nothing.
 */
import type { UpstreamEvent } from '../../protocol/dialect/upstream/events.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { Services } from '../services.ts'

/** One connection as the feed sees it. */
export interface Listener {
  readonly connectionId: string
  /** Whether its scopes let it hear an event. */
  readonly hears: (event: UpstreamEvent) => boolean
  /** Whether a person who may approve commands sits there. */
  readonly approves: () => boolean
  /** Whether it asked to be told of a session: `sessions.subscribe`, `sessions.messages.subscribe`. */
  readonly follows: (sessionKey: string | null) => boolean
  /** Of which runs it is told each call of a tool as `agent`; of the others as `session.tool`. */
  readonly toolEvents: 'all' | 'own' | 'none'
  readonly tell: (event: UpstreamEvent, payloadJson: string, version?: StateVersion) => void
}

/** Counts of changes, so that a client can tell an old picture from a new one. */
export interface StateVersion {
  readonly presence: number
  readonly health: number
}

/** Tells of committed records; added by the files that know their events. */
export type Teller = (record: JournalRecord, feed: Feed) => void

export class Feed {
  #listeners = new Map<string, Listener>()
  #tellers: Teller[] = []
  #services: Services
  #version = { presence: 1, health: 1 }

  constructor(services: Services) {
    this.#services = services
  }

  get version(): StateVersion {
    return { ...this.#version }
  }

  /** Whether anybody listens; where nobody does nothing needs to be written. */
  get idle(): boolean {
    return this.#listeners.size === 0
  }

  teach(teller: Teller): void {
    this.#tellers.push(teller)
  }

  add(listener: Listener): void {
    this.#listeners.set(listener.connectionId, listener)
  }

  remove(connectionId: string): void {
    this.#listeners.delete(connectionId)
  }

  /**
   * Tells of a committed record; called once for each, in order. What cannot be told, a text that is
   * damaged say, costs itself: behind us stands the fold of the whole journal.
   */
  committed(record: JournalRecord): void {
    if (this.idle || record.kind !== 'event' || record.ignored !== null) return
    for (const teller of this.#tellers) this.#safely(record, () => teller(record, this))
  }

  /** Follows a record, whether anybody listens or not, as safely. */
  follow(record: JournalRecord, teller: Teller): void {
    if (record.kind !== 'event' || record.ignored !== null) return
    this.#safely(record, () => teller(record, this))
  }

  /** Tells everybody who may hear it, and is meant. */
  announce(
    event: UpstreamEvent,
    payload: unknown,
    isMeant: (listener: Listener) => boolean = () => true,
  ): void {
    this.#send(event, payload, isMeant)
  }

  /** Tells those who follow a session. */
  toFollowers(sessionKey: string | null, event: UpstreamEvent, payload: unknown): void {
    this.#send(event, payload, (listener) => listener.follows(sessionKey))
  }

  /** Tells those who follow any session, where making the payload costs something. */
  hasFollowers(sessionKey: string | null): boolean {
    return [...this.#listeners.values()].some((listener) => listener.follows(sessionKey))
  }

  /** Tells whether anybody but one connection could approve a command. */
  hasApprover(exceptId: string): boolean {
    return [...this.#listeners.values()].some(
      (listener) => listener.connectionId !== exceptId && listener.approves(),
    )
  }

  /** Tells one connection; false where it is gone. */
  toOne(connectionId: string, event: UpstreamEvent, payload: unknown): boolean {
    const listener = this.#listeners.get(connectionId)
    listener?.tell(event, JSON.stringify(payload))
    return listener !== undefined
  }

  /** Tells how things are: a whole picture of presence or of health, which has changed. */
  picture(event: 'presence' | 'health', payload: unknown): void {
    this.#version[event] += 1
    this.#send(event, payload, () => true, this.version)
  }

  tick(): void {
    this.announce('tick', { ts: this.#services.clock.now() })
  }

  #safely({ position }: JournalRecord, tell: () => void): void {
    try {
      tell()
    } catch (error) {
      this.#services.log.error('upstream clients not told', { position, error: String(error) })
    }
  }

  #send(
    event: UpstreamEvent,
    payload: unknown,
    isMeant: (listener: Listener) => boolean,
    version?: StateVersion,
  ): void {
    if (this.idle) return
    const json = JSON.stringify(payload)
    for (const listener of this.#listeners.values()) {
      if (listener.hears(event) && isMeant(listener)) listener.tell(event, json, version)
    }
  }
}
