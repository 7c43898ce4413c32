/**
 * Nodes: what the paired ones that are connected can be asked, and what becomes of it.
 *
 *   invoke ─► invocation.requested on disk ─► the driver of `node.call` asks the node's socket
 *          ─► its answer, a deadline or the end of its socket is the outcome ─► whoever waits is told
 *
 * A node's own actor knows what it declares and what of it is allowed; here are the sockets.
 */
import type { InvocationContext } from '../machines/invocation.ts'
import { INVOCATION_ENDS } from '../machines/invocation.ts'
import type { NodeContext } from '../machines/node.ts'
import type { IdempotencyMark } from '../machines/session-events.ts'
import { GatewayError } from '../protocol/errors.ts'
import { quote, type StreamId, streamId, streamName } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import type { Store } from '../store/contract.ts'
import { draftText, readText } from './bodies.ts'
import type { Message } from './durable.ts'
import type { Idempotency } from './idempotency.ts'
import type { Driver, Outcome } from './outbox.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'

/** What a node's socket is sent. */
export interface NodeRequest {
  readonly id: string // of the invocation
  readonly nodeId: string
  readonly command: string
  readonly paramsJson: string
  readonly timeoutMs: number
}

/** What a node answers; `payloadJson` or `error`. */
export interface NodeAnswer {
  readonly ok: boolean
  readonly payloadJson: string | null
  readonly error: { readonly code: string; readonly message: string } | null
}

/** A node as lists show it. */
export interface NodeRow {
  readonly state: 'online' | 'offline'
  readonly context: NodeContext
}

interface Setup {
  readonly registry: Registry
  readonly store: Store
  readonly services: Services
}

interface Pending {
  readonly connectionId: string
  readonly settle: (outcome: Outcome) => void
}

type Ask = (request: NodeRequest) => void
type Cited = Pick<Message, 'cause' | 'correlationId'>

export class Nodes {
  #setup: Setup
  #lines = new Map<string, Ask>() // by connection
  #pending = new Map<string, Pending>() // by invocation
  #waiting = new Map<string, Set<() => void>>() // for the end of an invocation

  constructor(setup: Setup) {
    this.#setup = setup
  }

  /** A node's socket is open. */
  attach(connectionId: string, ask: Ask): void {
    this.#lines.set(connectionId, ask)
  }

  /** Its socket has closed: what it was asked may have been done. */
  detach(connectionId: string): void {
    this.#lines.delete(connectionId)
    for (const pending of this.#pending.values()) {
      if (pending.connectionId === connectionId) pending.settle(fault('disconnected', 'maybe'))
    }
  }

  /**
   * Takes a node's answer; false where nothing waits for it from this socket.
   * @throws {GatewayError} PAYLOAD_TOO_LARGE: it is not kept; what it answers counts as uncertain.
   */
  answered(connectionId: string, invocationId: string, answer: NodeAnswer): boolean {
    const pending = this.#pending.get(invocationId)
    if (pending?.connectionId !== connectionId) return false
    const body = draftText(this.#setup.services.chance, JSON.stringify(answer))
    if (body.bytes.length > limits.bodyBytesMax) {
      pending.settle(fault('too-large', 'maybe'))
      const text = `the answer has more than ${limits.bodyBytesMax} bytes`
      throw new GatewayError('PAYLOAD_TOO_LARGE', text)
    }
    pending.settle({ type: 'effect.done', facts: { ref: body.ref }, bodies: [body] })
    return true
  }

  /** Every node that was ever connected and was not removed, by name. */
  list(): NodeRow[] {
    const { store, registry } = this.#setup
    const rows: NodeRow[] = []
    for (const stream of store.streams('node')) {
      const { value, context } = registry.snapshot(stream as StreamId)
      if (value !== 'online' && value !== 'offline') continue
      rows.push({ state: value, context: context as NodeContext })
    }
    const nameOf = ({ context }: NodeRow): string => context.name || context.displayName
    rows.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
    return rows.slice(0, limits.devicesListMax)
  }

  /** @throws {GatewayError} NOT_FOUND */
  find(nodeId: string): NodeRow {
    const { store, registry } = this.#setup
    const stream = streamId('node', nodeId)
    const { value, context } =
      store.version(stream) === 0 ? { value: '', context: null } : registry.snapshot(stream)
    if (value === 'online' || value === 'offline') {
      return { state: value, context: context as NodeContext }
    }
    throw new GatewayError('NOT_FOUND', `unknown node ${quote(nodeId)}`, { path: 'nodeId' })
  }

  /**
   * Asks a node to run a command; resolves with its answer.
   * @throws {GatewayError} NOT_FOUND, FORBIDDEN: not allowed; UNAVAILABLE: not connected, or its end
   * is not known; TIMEOUT.
   */
  async invoke(
    asked: Omit<NodeRequest, 'id'> & { readonly mark: IdempotencyMark | null },
    idempotency: Idempotency,
    cited: Cited,
  ): Promise<NodeAnswer> {
    const { nodeId, command, paramsJson, timeoutMs, mark } = asked
    const record = await idempotency.once(mark, paramsJson, () => {
      this.#assertMay(nodeId, command)
      const { chance } = this.#setup.services
      const body = draftText(chance, paramsJson)
      const invocationId = chance.id()
      const facts = { invocationId, nodeId, command, ref: body.ref, timeoutMs }
      const marked = mark === null ? {} : { idempotency: mark }
      const event = { type: 'invocation.requested', ...facts, ...marked }
      const message = { event, ...cited, bodies: [body] }
      return this.#setup.registry.offer(streamId('invocation', invocationId), message)
    })
    const stream = streamId('invocation', String(record.event['invocationId']))
    await this.#ended(stream)
    return this.#result(stream)
  }

  /** Hears of a committed record. */
  committed({ stream, value }: JournalRecord): void {
    if (!stream.startsWith('invocation:') || !INVOCATION_ENDS.has(value)) return
    const waiting = this.#waiting.get(streamName(stream))
    this.#waiting.delete(streamName(stream))
    for (const wake of waiting ?? []) wake()
  }

  driver(): [string, Driver] {
    const run: Driver['run'] = ({ params }) => this.#call(params as unknown as CallParams)
    return ['node.call', { visible: true, run }]
  }

  #assertMay(nodeId: string, command: string): void {
    const { state, context } = this.find(nodeId)
    if (!context.approved.commands.includes(command)) {
      const details = { path: 'command', command }
      throw new GatewayError('FORBIDDEN', `node command not allowed: ${quote(command)}`, details)
    }
    if (state === 'online' && this.#lines.has(context.connectionId)) return
    throw new GatewayError('UNAVAILABLE', 'node not connected', { code: 'NOT_CONNECTED' })
  }

  async #call({ invocationId, nodeId, command, ref, timeoutMs }: CallParams): Promise<Outcome> {
    const { connectionId } = this.find(nodeId).context
    const ask = this.#lines.get(connectionId)
    if (ask === undefined) return fault('disconnected', 'no')
    const paramsJson = readText(this.#setup.store, ref)
    return new Promise((resolve) => {
      const cancel = this.#setup.services.clock.after(timeoutMs, () =>
        settle(fault('timeout', 'maybe')),
      )
      const settle = (outcome: Outcome): void => {
        cancel()
        this.#pending.delete(invocationId)
        resolve(outcome)
      }
      this.#pending.set(invocationId, { connectionId, settle })
      ask({ id: invocationId, nodeId, command, paramsJson, timeoutMs })
    })
  }

  async #ended(stream: StreamId): Promise<void> {
    const { value } = this.#setup.registry.snapshot(stream)
    if (INVOCATION_ENDS.has(String(value))) return
    const id = streamName(stream)
    await new Promise<void>((resolve) => {
      const waiting = this.#waiting.get(id) ?? new Set()
      this.#waiting.set(id, waiting.add(resolve))
    })
  }

  #result(stream: StreamId): NodeAnswer {
    const { value, context } = this.#setup.registry.snapshot(stream)
    const { resultRef, fault: why } = context as InvocationContext
    if (value === 'done') return JSON.parse(readText(this.#setup.store, resultRef)) as NodeAnswer
    if (why === 'timeout') {
      throw new GatewayError('TIMEOUT', 'the node did not answer in time', { code: 'TIMEOUT' })
    }
    const text = value === 'uncertain' ? UNCERTAIN : NOT_CONNECTED
    throw new GatewayError('UNAVAILABLE', text, { code: 'NOT_CONNECTED', fault: why })
  }
}

const NOT_CONNECTED = 'node not connected'
const UNCERTAIN = 'what the node made of it is not known; it may have done it'

interface CallParams {
  readonly invocationId: string
  readonly nodeId: string
  readonly command: string
  readonly ref: string
  readonly timeoutMs: number
}

function fault(name: string, sent: 'no' | 'maybe'): Outcome {
  return { type: 'effect.failed', class: name, retryable: false, sent }
}
