/**
 * Erasure: finds every body that belongs to a subject or a session, and puts tombstones there.
 *
 *   scope ─► all records, once ─► refs ─► tombstones ─► `history.erased`
 *
 * Records hold facts and refs (K1), so none of them changes: hashes, roots and replays stay. The
 * record comes last: it says what was done, and an erasure that a crash cut short is done again.
 * Freed pages keep their bytes until the store uses them again; copies made before keep theirs.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { GatewayError } from '../protocol/errors.ts'
import { streamKind, streamName } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { canonicalSessionKey } from '../protocol/session-key.ts'
import type { JournalEvent, JournalRecord } from '../protocol/record.ts'
import { parseRecord } from '../protocol/record.ts'
import type { Store, StoreReader } from '../store/contract.ts'

/** Whose bodies. */
export type EraseScope =
  | { readonly kind: 'subject'; readonly channel: string; readonly sender: string }
  | { readonly kind: 'session'; readonly key: string }

/** One erasure as it was asked for. */
export interface EraseRequest {
  readonly scope: EraseScope
  readonly reason: string
  readonly by: string // who asked
  readonly dryRun: boolean
}

/** What an erasure did, or would do. */
export interface EraseReport {
  readonly scope: string
  readonly bodies: number
  readonly bytes: number
  readonly recordsChanged: 0
  readonly dryRun: boolean
  readonly position?: number // of its record
}

/**
 * Reads whose bodies are meant: a subject `CHANNEL:SENDER`, or a session by its key.
 * @throws {GatewayError} INVALID_REQUEST: none of both, both, or not of that form.
 */
export function parseScope({
  subject,
  session,
}: {
  readonly subject?: string | undefined
  readonly session?: string | undefined
}): EraseScope {
  if ((subject === undefined) === (session === undefined)) {
    throw new GatewayError('INVALID_REQUEST', 'params: expected either subject or session')
  }
  if (session !== undefined) return { kind: 'session', key: canonicalSessionKey(session) }
  const [channel = '', ...rest] = (subject ?? '').split(':')
  const sender = rest.join(':')
  if (channel !== '' && sender !== '') return { kind: 'subject', channel, sender }
  const text = `params.subject: expected CHANNEL:SENDER, got ${JSON.stringify(subject)}`
  throw new GatewayError('INVALID_REQUEST', text, { path: 'subject' })
}

/** Writes a scope as its record names it. */
function formatScope(scope: EraseScope): string {
  return scope.kind === 'session'
    ? `session:${scope.key}`
    : `subject:${scope.channel}:${scope.sender}`
}

/**
 * Erases what belongs to a scope; `tell` appends the record of it.
 * @throws {GatewayError} NOT_FOUND: no record names a body of this scope; nothing was changed.
 */
export async function eraseHistory(
  store: Store,
  { scope, reason, by, dryRun }: EraseRequest,
  tell: (event: JournalEvent) => Promise<JournalRecord>,
): Promise<EraseReport> {
  const { refs, report } = await previewErasure(store, scope)
  if (dryRun) return report
  await store.erase([...refs])
  const { scope: name, bodies } = report
  const { position } = await tell({ type: 'history.erased', scope: name, bodies, reason, by })
  return { ...report, dryRun, position }
}

/**
 * Finds what an erasure would take, and takes nothing.
 * @throws {GatewayError} NOT_FOUND: no record names a body of this scope.
 */
export async function previewErasure(
  store: StoreReader,
  scope: EraseScope,
): Promise<{ refs: ReadonlySet<string>; report: EraseReport }> {
  const refs = await collectRefs(store, scope)
  const name = formatScope(scope)
  if (refs.size === 0) throw new GatewayError('NOT_FOUND', `erase: nothing of ${name} is here`)
  let [bodies, bytes] = [0, 0]
  for (const ref of refs) {
    const body = store.body(ref)
    if (body === null) continue
    bodies += 1
    bytes += body.length
  }
  return { refs, report: { scope: name, bodies, bytes, recordsChanged: 0, dryRun: true } }
}

/** Lists the refs of all bodies that belong to a scope, erased ones included. */
export async function collectRefs(store: StoreReader, scope: EraseScope): Promise<Set<string>> {
  const search = scope.kind === 'session' ? new SessionSearch(scope) : new SubjectSearch(scope)
  const head = store.head().position
  for (let from = 1; from <= head; from += limits.eraseSliceRecords) {
    const to = Math.min(head, from + limits.eraseSliceRecords - 1)
    for (const stored of store.range(from, to)) search.take(parseRecord(stored, stored.fields))
    await turn() // Whoever else is served goes on.
  }
  return search.refs
}

type SubjectScope = Extract<EraseScope, { kind: 'subject' }>
type SessionScope = Extract<EraseScope, { kind: 'session' }>

/** What a sender wrote, and the answers to it: followed by the ids of runs, causes come first. */
class SubjectSearch {
  readonly refs = new Set<string>()
  readonly #scope: SubjectScope
  readonly #runs = new Set<string>()

  constructor(scope: SubjectScope) {
    this.#scope = scope
  }

  take({ stream, event }: JournalRecord): void {
    const runId = typeof event['runId'] === 'string' ? event['runId'] : ''
    const isOwn = this.#isFromSubject(event)
    if (isOwn && runId !== '') this.#runs.add(runId)
    // By their stream too: outcomes do not name their run.
    const isAnswer = this.#runs.has(runId) || this.#runs.has(runOf(stream))
    if (isOwn || isAnswer) addRefs(event, this.refs)
  }

  #isFromSubject({ type, channel, senderId, sender }: JournalEvent): boolean {
    if (channel !== this.#scope.channel) return false
    if (type === 'message.received') return senderId === this.#scope.sender
    return type === 'message.accepted' && sender === this.#scope.sender
  }
}

/** Everything that a session, its runs and its deliveries name. */
class SessionSearch {
  readonly refs = new Set<string>()
  readonly #key: string
  readonly #runs = new Set<string>()
  readonly #deliveries = new Set<string>()
  readonly #correlations = new Set<string>()

  constructor({ key }: SessionScope) {
    this.#key = key
  }

  take(record: JournalRecord): void {
    if (!this.#belongs(record)) return
    const { event, correlationId } = record
    this.#correlations.add(correlationId)
    if (typeof event['runId'] === 'string') this.#runs.add(event['runId'])
    if (typeof event['deliveryId'] === 'string') this.#deliveries.add(event['deliveryId'])
    addRefs(event, this.refs)
  }

  #belongs({ stream, event, correlationId }: JournalRecord): boolean {
    if (event['sessionKey'] === this.#key || event['fileIn'] === this.#key) return true
    const name = streamName(stream)
    switch (streamKind(stream)) {
      case 'session':
        return name === this.#key
      case 'run':
        return this.#runs.has(name) || this.#correlations.has(correlationId)
      case 'delivery':
        return (
          this.#deliveries.has(name) ||
          this.#runs.has(runOf(stream)) ||
          this.#correlations.has(correlationId)
        )
      case 'gateway':
      case 'connection':
      case 'pairing':
      case 'channel':
      case 'config':
        return false
    }
  }
}

const REPLY = 'reply-'

/** The run of a run's stream, or of the delivery of its answer; empty for any other. */
function runOf(stream: string): string {
  const name = streamName(stream)
  if (stream.startsWith('run:')) return name
  return stream.startsWith(`delivery:${REPLY}`) ? name.slice(REPLY.length) : ''
}

/** Adds every ref that a fact names, however deep. */
function addRefs(value: object, refs: Set<string>): void {
  for (const [name, member] of Object.entries(value)) {
    if (name === 'ref' && typeof member === 'string' && member !== '') refs.add(member)
    if (typeof member === 'object' && member !== null) addRefs(member, refs)
  }
}
