/**
 * Approvals: commands that wait for a person, and those who wait for what the person says.
 *
 *   request ─► exec.requested on disk ─► whoever may approve is told ─► resolve, or its deadline
 *                                                                  ─► whoever waits is told
 *
 * What waits is known from its open waits, so it survives a restart. Where nobody is connected who
 * could decide, a request ends at once: whoever asks must not hang for half an hour.
 */
import {
  APPROVAL_ENDS,
  type ApprovalContext,
  type ApprovalState,
  type ExecRequested,
} from '../machines/approval.ts'
import type { OpenWork } from '../machines/projections/open-work.ts'
import { canonical } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import type { AnswerFault } from '../protocol/directives.ts'
import {
  isId,
  isMeant,
  isShort,
  quote,
  shortApprovalId,
  type StreamId,
  streamId,
  streamName,
} from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { isObject } from '../protocol/members.ts'
import type { Decision } from '../protocol/methods/approvals.ts'
import type { JournalEvent, JournalRecord } from '../protocol/record.ts'
import type { Store } from '../store/contract.ts'
import { draftText, readTextOrNull } from './bodies.ts'
import type { Message } from './durable.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'

/** The command itself: what is approved is this and nothing else. */
export interface ExecRequest {
  readonly command: string
  readonly argv: readonly string[] | null
  readonly cwd: string | null
  readonly env: Readonly<Record<string, string>>
  readonly host: string | null
  readonly nodeId: string | null
  readonly agentId: string | null
  readonly sessionKey: string | null
  readonly more: Readonly<Record<string, unknown>> // what a dialect shows beside it
}

/** A request and how it is to wait. */
export interface ApprovalAsked {
  readonly request: ExecRequest
  readonly approvalId?: string | undefined
  readonly mayAlways: boolean
  readonly timeoutMs: number
  /** Whether it ends at once where nobody can be asked. */
  readonly needsRoute: boolean
  readonly deviceId: string
  readonly connectionId: string
}

/** An approval with what it is about; `request` is null where that was erased. */
export interface Approval {
  readonly state: ApprovalState
  readonly context: ApprovalContext
  readonly request: ExecRequest | null
}

/** The approval that somebody means by what they wrote of its id, or why none can be told. */
export type Meant = { readonly approvalId: string } | { readonly fault: AnswerFault }

interface Setup {
  readonly registry: Registry
  readonly store: Store
  readonly work: OpenWork
  readonly services: Services
}

type Cited = Pick<Message, 'cause' | 'correlationId'>

const ENDS: ReadonlySet<string> = new Set(APPROVAL_ENDS)

export class Approvals {
  #setup: Setup
  #waiting = new Map<string, Set<() => void>>()
  #waiters = 0
  #remembered: Set<string> | null = null // ids, oldest first; null: not asked for yet

  constructor(setup: Setup) {
    this.#setup = setup
  }

  /** Tells whether somebody else is connected who could decide. */
  hasRoute: (connectionId: string) => boolean = () => false

  /**
   * Takes a request in; resolves when it is on disk, ended where nobody can be asked.
   * @throws {GatewayError} INVALID_REQUEST: its id is taken; UNAVAILABLE: too many wait.
   */
  async request(asked: ApprovalAsked, cited: Cited): Promise<Approval & { position: number }> {
    const { registry, store, services } = this.#setup
    const { request, mayAlways, approvalId = services.chance.id(), deviceId } = asked
    const stream = streamId('approval', approvalId)
    if (store.version(stream) > 0) throw taken()
    if (this.count >= limits.approvalsWaitingMax) {
      const text = `${limits.approvalsWaitingMax} commands wait for approval already`
      throw new GatewayError('UNAVAILABLE', text)
    }
    const whole = draftText(services.chance, canonical(request))
    const shown = draftText(services.chance, request.command)
    const event = {
      type: 'exec.requested',
      approvalId,
      ref: whole.ref,
      textRef: shown.ref,
      deviceId,
      sessionKey: request.sessionKey ?? '',
      mayAlways,
      expiresAt: services.clock.now() + asked.timeoutMs,
    } satisfies Omit<ExecRequested, 'at'>
    const message = { event, ...cited, bodies: [whole, shown] }
    const { ignored, position } = await registry.offer(stream, message)
    if (ignored !== null) throw taken()
    if (asked.needsRoute && !this.hasRoute(asked.connectionId)) {
      await this.#tell(approvalId, { type: 'exec.expired', reason: 'no-route' }, cited)
    }
    return { ...this.find(approvalId), position }
  }

  /** How many nobody has decided yet. */
  get count(): number {
    return this.#waitingIds().length
  }

  /** Those that nobody has decided yet, oldest first. */
  waiting(): Approval[] {
    const found = this.#waitingIds()
      .map((id) => this.find(id))
      .filter(({ state }) => state === 'requested')
    return found.sort((a, b) => a.context.requestedAt - b.context.requestedAt)
  }

  /** Those that have ended, the newest end first. */
  ended(): Approval[] {
    const found: Approval[] = []
    for (const stream of this.#setup.store.streams('approval')) {
      const approval = this.find(streamName(stream))
      if (ENDS.has(approval.state)) found.push(approval)
    }
    return found.sort((a, b) => b.context.endedAt - a.context.endedAt)
  }

  /** @throws {GatewayError} NOT_FOUND */
  find(approvalId: string): Approval {
    const { store, registry } = this.#setup
    const stream = streamId('approval', approvalId)
    if (store.version(stream) === 0) throw unknown(approvalId)
    const { value, context: kept } = registry.snapshot(stream)
    const context = kept as ApprovalContext
    return { state: value as ApprovalState, context, request: readRequest(store, context.ref) }
  }

  /**
   * Finds the one that is meant by the beginning of its id, whatever its case: of those that wait, and
   * where none does of the newest, so that whoever is late can be told what became of it.
   */
  meant(written: string): Meant {
    const { store } = this.#setup
    if (isId(written) && store.version(streamId('approval', written)) > 0) {
      return { approvalId: written }
    }
    if (isShort(written)) return { fault: 'short' }
    const begins = (id: string): boolean => isMeant(id, written)
    const waiting = this.#waitingIds().filter(begins)
    const [found, another] = waiting.length > 0 ? waiting : [...this.#known()].filter(begins)
    if (found === undefined) return { fault: 'unknown' }
    return another === undefined ? { approvalId: found } : { fault: 'ambiguous' }
  }

  /** The shortest beginning of an id by which it alone is meant, of those that wait. */
  short(approvalId: string): string {
    const others = this.#waitingIds().filter((id) => id !== approvalId)
    let chars: number = limits.approvalPrefixCharsMin
    while (chars < approvalId.length) {
      const short = shortApprovalId(approvalId, chars)
      if (!others.some((id) => isMeant(id, short))) break
      chars += 1
    }
    return shortApprovalId(approvalId, chars)
  }

  /**
   * Decides; the same decision again changes nothing.
   * @throws {GatewayError} NOT_FOUND: there is none, or its time is over; INVALID_REQUEST: it was
   * decided otherwise (details.reason), or this cannot be said of it.
   */
  async resolve(
    approvalId: string,
    decision: Decision,
    by: string,
    cited: Cited,
  ): Promise<{ position: number; isNew: boolean }> {
    const { context } = this.find(approvalId)
    if (decision === 'allow-always' && !context.mayAlways) {
      const text = 'this command cannot be allowed always: it is asked for every time'
      throw new GatewayError('INVALID_REQUEST', text, { path: 'decision' })
    }
    const event =
      decision === 'deny'
        ? { type: 'exec.denied', by }
        : { type: 'exec.allowed', always: decision === 'allow-always', by }
    const { ignored, position } = await this.#tell(approvalId, event, cited)
    if (ignored === null) return { position, isNew: true }
    const approval = this.find(approvalId)
    const before = decisionOf(approval)
    if (before === null) throw unknown(approvalId)
    if (before === decision) return { position, isNew: false }
    const reason = 'APPROVAL_ALREADY_RESOLVED'
    throw new GatewayError('INVALID_REQUEST', 'approval already resolved', { reason })
  }

  /** Takes a request back. @throws {GatewayError} NOT_FOUND: nothing of this device waits there. */
  async cancel(approvalId: string, deviceId: string, cited: Cited): Promise<JournalRecord> {
    this.find(approvalId)
    const record = await this.#tell(approvalId, { type: 'exec.cancelled', deviceId }, cited)
    if (record.ignored !== null) throw unknown(approvalId)
    return record
  }

  /**
   * Resolves when it has ended, or after a time as it then is.
   * @throws {GatewayError} NOT_FOUND; UNAVAILABLE: limits.approvalWaitersMax wait already.
   */
  async wait(approvalId: string, timeoutMs: number): Promise<Approval> {
    if (ENDS.has(this.find(approvalId).state)) return this.find(approvalId)
    if (this.#waiters >= limits.approvalWaitersMax) {
      throw new GatewayError('UNAVAILABLE', `${this.#waiters} wait for decisions already`)
    }
    this.#waiters += 1
    const waiting = this.#waiting.get(approvalId) ?? new Set()
    this.#waiting.set(approvalId, waiting)
    await new Promise<void>((resolve) => {
      const cancel = this.#setup.services.clock.after(timeoutMs, () => wake())
      const wake = (): void => {
        cancel()
        waiting.delete(wake)
        this.#waiters -= 1
        resolve()
      }
      waiting.add(wake)
    })
    if (waiting.size === 0) this.#waiting.delete(approvalId)
    return this.find(approvalId)
  }

  /** Hears of a committed record; called once for each, in order. */
  committed({ stream, value, version }: JournalRecord): void {
    if (!stream.startsWith('approval:')) return
    if (version === 1) this.#remember(streamName(stream))
    if (!ENDS.has(value)) return
    const waiting = this.#waiting.get(streamName(stream)) ?? []
    for (const wake of waiting) wake()
  }

  #waitingIds(): string[] {
    const waits = [...this.#setup.work.waits.values()]
    return waits
      .filter(({ event }) => event.type === 'exec.expired')
      .map(({ stream }) => streamName(stream))
  }

  // Streams are in the order of their first records: the last are the newest.
  #known(): ReadonlySet<string> {
    if (this.#remembered === null) {
      const streams = [...this.#setup.store.streams('approval')]
      const newest = streams.slice(-limits.approvalsRememberedMax)
      this.#remembered = new Set(newest.map((stream) => streamName(stream)))
    }
    return this.#remembered
  }

  #remember(approvalId: string): void {
    const known = this.#remembered?.add(approvalId)
    if (known === undefined || known.size <= limits.approvalsRememberedMax) return
    for (const oldest of known) {
      known.delete(oldest)
      break
    }
  }

  #tell(approvalId: string, event: JournalEvent, cited: Cited): Promise<JournalRecord> {
    const stream: StreamId = streamId('approval', approvalId)
    return this.#setup.registry.deliver(stream, { event, ...cited })
  }
}

/** Who decided: a device, or `channel:sender`; empty where nobody did. */
export function deciderOf({ by, channel }: Pick<ApprovalContext, 'by' | 'channel'>): string {
  return channel === undefined ? by : `${channel}:${by}`
}

/** What was decided; null where nobody has decided. */
export function decisionOf({ state, context }: Approval): Decision | null {
  if (state === 'denied') return 'deny'
  if (state !== 'allowed') return null
  return context.always ? 'allow-always' : 'allow-once'
}

function readRequest(store: Store, ref: string): ExecRequest | null {
  const text = ref === '' ? null : readTextOrNull(store, ref)
  const value: unknown = text === null ? null : JSON.parse(text)
  return isObject(value) ? (value as unknown as ExecRequest) : null
}

function taken(): GatewayError {
  return new GatewayError('INVALID_REQUEST', 'approval id already pending', { path: 'id' })
}

function unknown(approvalId: string): GatewayError {
  const text = `no command waits for approval as ${quote(approvalId)}`
  return new GatewayError('NOT_FOUND', text, { path: 'approvalId' })
}
