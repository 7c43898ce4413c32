/**
 * Calls of tools that a client asks for itself, without a model: the same actor, the same rules, and
 * an answer when its fate is known.
 *
 * What was asked for is on disk before it is judged, so it goes on when the client leaves; the same
 * key asked again, also after a restart, waits for that call and makes no other.
 */
import type { CallContext, CallRequested } from '../machines/call.ts'
import { sayCallFault } from '../protocol/calls.ts'
import { cutText, type StreamId, streamId, streamName } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import type { StoreReader } from '../store/contract.ts'
import { draftText, readTextOrMark } from './bodies.ts'
import type { Message } from './durable.ts'
import { type Idempotency, markRequest } from './idempotency.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'

/** What a client asks for. */
export interface Wish {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
  readonly sessionKey: string // canonical: whose rules hold
  readonly asks: boolean // whether a person is asked, where the rules want it
  readonly owner: string // in whose name the key counts
  readonly key: string | null // idempotency key; null: each request is a call of its own
}

/** What became of it. */
export interface Invoked {
  readonly callId: string
  readonly name: string
  readonly status: string // done, refused, failed, uncertain or aborted
  readonly rule: string // that decided
  readonly source: string // who offers the tool
  readonly text: string // of the result, or why there is none
  readonly isError: boolean
  readonly fault: string // '' where the tool has answered
  readonly by: string // who was asked and decided; '' where nobody was
}

type Cited = Pick<Message, 'cause' | 'correlationId'>

interface House {
  readonly registry: Registry
  readonly store: StoreReader
  readonly services: Services
}

const ENDS: ReadonlySet<string> = new Set(['done', 'refused', 'failed', 'uncertain', 'aborted'])
const NOBODY = { channel: null, room: null, sender: null }

export class Invocations {
  #house: House
  #waiting = new Map<string, Set<() => void>>() // by call

  constructor(house: House) {
    this.#house = house
  }

  /**
   * Asks for a call; resolves when its fate is known.
   * @throws {GatewayError} IDEMPOTENCY_CONFLICT, HISTORY_PRUNED; UNAVAILABLE, STORE_LOW_SPACE: nothing
   * was asked for.
   */
  async invoke(wish: Wish, idempotency: Idempotency, cited: Cited): Promise<Invoked> {
    const { name, sessionKey, asks, owner, key } = wish
    const written = JSON.stringify(wish.args)
    const facts = { name, sessionKey, asks, message: written }
    const mark = key === null ? null : markRequest(owner, key, 'tools.invoke', facts)
    const record = await idempotency.once(mark, written, () => {
      const { registry, services } = this.#house
      const body = draftText(services.chance, written)
      const callId = `call_${services.chance.hex(limits.callIdBytes)}`
      const event = {
        type: 'call.requested',
        callId,
        runId: callId, // It has no run.
        sessionKey,
        name: cutText(name),
        ref: body.ref,
        asked: { ...NOBODY, at: services.clock.now() },
        invokedBy: cutText(owner),
        ...(asks ? {} : { mayAsk: false }),
        ...(mark === null ? {} : { idempotency: mark }),
      } satisfies Omit<CallRequested, 'at'>
      return registry.offer(streamId('call', callId), { event, ...cited, bodies: [body] })
    })
    const stream = record.stream
    await this.#ended(stream)
    return this.#result(stream)
  }

  /** Hears of a committed record; called once for each, in order. */
  committed({ stream, value }: JournalRecord): void {
    if (!stream.startsWith('call:') || !ENDS.has(value)) return
    const callId = streamName(stream)
    const waiting = this.#waiting.get(callId)
    this.#waiting.delete(callId)
    for (const wake of waiting ?? []) wake()
  }

  async #ended(stream: StreamId): Promise<void> {
    if (ENDS.has(String(this.#house.registry.snapshot(stream).value))) return
    const callId = streamName(stream)
    await new Promise<void>((resolve) => {
      const waiting = this.#waiting.get(callId) ?? new Set()
      this.#waiting.set(callId, waiting.add(resolve))
    })
  }

  #result(stream: StreamId): Invoked {
    const { registry, store } = this.#house
    const { value, context } = registry.snapshot(stream)
    const { callId, name, rule, source, resultRef, isError, fault, by } = context as CallContext
    const text = resultRef === '' ? sayCallFault(fault) : readTextOrMark(store, resultRef)
    return { callId, name, status: String(value), rule, source, text, isError, fault, by }
  }
}
