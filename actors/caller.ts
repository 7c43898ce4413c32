/**
 * The caller: an admitted connection's identity, subscription and stream. Step 4 of 8.
 *
 * A connection that subscribes to events is recorded at once; one that asked for none is recorded
 * before its first request that writes. One that only read leaves `device.seen` in its device's
 * stream, at most one an hour (decisions.md 12).
 */
import type { NodeFacts } from '../machines/connection.ts'
import { hourOf, type PairingContext } from '../machines/pairing.ts'
import { allows } from '../protocol/auth/scopes.ts'
import type { Command } from '../protocol/command.ts'
import { GatewayError } from '../protocol/errors.ts'
import { type Filter, passes } from '../protocol/history/filter.ts'
import { cutText, type StreamId, streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import {
  type ConnectParams,
  covers,
  type EventName,
  type MethodName,
  methods,
} from '../protocol/methods.ts'
import type { JournalEvent, JournalRecord } from '../protocol/record.ts'
import type { Admission } from './admission.ts'
import type { ConnectionHouse } from './connections.ts'

// The time from an effect to its outcome would have to be read; live records are told without.
const NO_LATENCY = { latencyMs: (): null => null }

// Everything else tells of conversations and devices, and needs the scope that reading needs.
const HEARD_BY_ALL: ReadonlySet<EventName> = new Set<EventName>(['tick', 'shutdown'])

/** Where a command comes from, for its handler. */
export interface Origin {
  readonly caller: Caller
  readonly cause: string
  readonly correlationId: string
  readonly named?: string // what the client calls itself; absent: it has only its device
}

interface Opening {
  readonly connectionId: string
  readonly admission: Admission
  readonly params: ConnectParams
  readonly node: NodeFacts | null
  readonly correlationId: string
}

export class Caller {
  readonly admission: Admission
  readonly stream: StreamId
  subscription: readonly string[] | null // null: everything
  #house: ConnectionHouse
  #opening: Opening
  #recorded: Promise<void> | null = null
  #closed = false
  #watched = new Set<string>()
  #history: Filter | null = null

  constructor(house: ConnectionHouse, opening: Opening) {
    this.#house = house
    this.#opening = opening
    this.admission = opening.admission
    this.stream = streamId('connection', opening.connectionId)
    this.subscription = opening.params.subscribe ?? null
  }

  /** Whether the connection wants any event at all. */
  get subscribes(): boolean {
    return this.subscription === null || this.subscription.length > 0
  }

  /** Tells whether the connection wants an event and may see it. */
  hears(event: EventName): boolean {
    if (!covers(this.subscription, event)) return false
    const { scopes } = this.admission
    if (event === 'approval') return allows(scopes, 'operator.approvals')
    return HEARD_BY_ALL.has(event) || allows(scopes, 'operator.read')
  }

  /** Whether the connection asked to be told of a record itself. */
  follows(record: JournalRecord): boolean {
    return this.#history !== null && passes(this.#history, record, NO_LATENCY)
  }

  /** From now on the connection is told of every record that passes; null: of none. */
  follow(filter: Filter | null): void {
    this.#history = filter
  }

  watches(runId: string): boolean {
    return this.#watched.has(runId)
  }

  /** Adds a run whose every phase this connection is told. */
  watch(runId: string): void {
    this.#watched.add(runId)
  }

  /** Checks role and scope, records the connection where the command writes, and runs its handler. */
  async handle(command: Command, cause: string): Promise<unknown> {
    assertAllowed(command.method, this.admission)
    const origin = await this.enter(methods[command.method].writes, cause)
    return this.#house.handle(command, origin)
  }

  /** Opens one request: the connection is recorded first where the request writes. */
  async enter(writes: boolean, cause: string): Promise<Origin> {
    if (writes && this.#recorded === null) {
      await this.record(cause)
      await this.ready(cause)
    }
    const correlationId = this.#house.services.chance.hex(limits.correlationIdBytes)
    return { caller: this, cause, correlationId }
  }

  /** Records the opening; later calls wait for the first. */
  record(cause: string): Promise<void> {
    this.#recorded ??= this.#recordOpening(cause)
    return this.#recorded
  }

  /** Records that the client has been answered and has caught up. */
  async ready(cause: string): Promise<void> {
    if (this.#recorded === null || this.#closed) return
    await this.#tell({ type: 'connection.readied' }, cause)
  }

  /** Changes what the connection is told; resolves with the record. */
  async subscribe(events: readonly string[], cause: string): Promise<JournalRecord> {
    const event = { type: 'connection.subscribed', subscribe: [...events] }
    const record = await this.#tell(event, cause)
    this.subscription = events
    return record
  }

  /** Records the closing, or, of a connection that left no trace, that its device was here. */
  async close(code: number, reason: string): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const cause = `ws:${this.#opening.connectionId}:close`
    // Without a device of its own there is no stream that could say it was here.
    if (this.#recorded === null) return this.admission.keyless ? undefined : this.#recordSeen(cause)
    await this.#recorded
    await this.#tell({ type: 'connection.closed', code, reason: cutText(reason) }, cause)
  }

  async #recordOpening(cause: string): Promise<void> {
    const { deviceId, role, scopes } = this.admission
    const { resumeFrom = null } = this.#opening.params
    const subscribe = this.subscription
    const { connectionId, node } = this.#opening
    const own = node === null ? {} : { connectionId, node }
    const facts = { deviceId, role, scopes, subscribe, resumeFrom, ...own }
    const event = { type: 'connection.opened', ...facts }
    await this.#tell(event, cause)
  }

  async #recordSeen(cause: string): Promise<void> {
    const { registry, services } = this.#house
    const stream = streamId('pairing', this.admission.pairingId)
    const hour = hourOf(services.clock.now())
    const { seenHour } = registry.snapshot(stream).context as PairingContext
    if (hour <= seenHour) return
    const { correlationId } = this.#opening
    await registry.deliver(stream, { event: { type: 'device.seen', hour }, cause, correlationId })
  }

  #tell(event: JournalEvent, cause: string): Promise<JournalRecord> {
    const { correlationId } = this.#opening
    return this.#house.registry.deliver(this.stream, { event, cause, correlationId })
  }
}

// The role comes first; a node that may call a method needs no scope for it.
function assertAllowed(method: MethodName, { role, scopes }: Admission): void {
  const { scope, roles } = methods[method]
  const isFor = roles.includes(role)
  if (isFor && (scope === null || role === 'node' || allows(scopes, scope))) return
  const why = isFor ? `needs the scope ${scope}` : `not for the role ${role}`
  const details = { requiredScopes: scope === null ? [] : [scope], requiredRoles: roles }
  throw new GatewayError('FORBIDDEN', `${method}: ${why}`, details)
}
