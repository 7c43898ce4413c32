/**
 * The search of an erasure: from a person or a session to the refs of all their bodies.
 *
 *   bodies that are there ─► all positions, once ─► records, and traces in tombstones ─► refs
 *                                         └─ tombstones without one ─► states, and what nothing names
 *
 * Tombstones that an earlier version left say nothing of their bodies. There the saved states tell
 * whose a body is; and what neither record nor trace nor state names can be shown by nothing and
 * asked for by nobody, but may be anybody's: an erasure takes it with it.
 */
import type { Base } from '../machines/history/source.ts'
import { refsIn } from '../protocol/history/refs.ts'
import { type StreamId, streamKind, streamName } from '../protocol/ids.ts'
import { memberOf } from '../protocol/members.ts'
import { parseRecord } from '../protocol/record.ts'
import { parseSessionKey } from '../protocol/session-key.ts'
import type { StoreReader } from '../store/contract.ts'
import { openHistory } from './history.ts'
import { parseTrace, refsNamed, type Trace, traceOf, walkPositions } from './traces.ts'

/** Whose bodies. */
export type EraseScope =
  | { readonly kind: 'subject'; readonly channel: string; readonly sender: string }
  | { readonly kind: 'session'; readonly key: string }

/** What was found. */
export interface FoundRefs {
  readonly refs: ReadonlySet<string> // of the scope, erased ones included
  /** Bodies that nothing names any more; only where tombstones without traces are. */
  readonly unnamed: ReadonlySet<string>
}

/** Lists the refs of all bodies that belong to a scope. */
export async function collectRefs(store: StoreReader, scope: EraseScope): Promise<FoundRefs> {
  const search = scope.kind === 'session' ? new SessionSearch(scope) : new SubjectSearch(scope)
  // First, so that each of these bodies has its record in what is read behind it (S4).
  const unnamed = new Set(store.refs())
  let isBare = false
  await walkPositions(store, (position) => {
    const found = readTrace(store, position)
    isBare ||= found === null
    if (found === null) return
    search.take(found.trace)
    for (const ref of found.named) unnamed.delete(ref)
  })
  if (!isBare) return { refs: search.refs, unnamed: new Set() }
  for (const [stream, { state }] of savedStates(store)) {
    search.takeState(stream, state.context)
    for (const ref of refsIn(state)) unnamed.delete(ref)
  }
  for (const ref of unnamed) if (store.bodyState(ref) !== 'there') unnamed.delete(ref)
  return { refs: search.refs, unnamed }
}

interface Read {
  readonly trace: Trace
  readonly named: ReadonlySet<string> // refs of outputs too
}

// A record may be compacted away between the two looks, never the other way round.
function readTrace(store: StoreReader, position: number): Read | null {
  const stored = store.read(position)
  if (stored !== null) {
    const record = parseRecord(stored, stored.fields)
    return { trace: traceOf(record), named: refsNamed(record) }
  }
  const link = store.link(position)
  const trace = link === null ? null : parseTrace(link)
  return trace === null ? null : { trace, named: new Set(trace.refs) }
}

function* savedStates(store: StoreReader): Generator<[StreamId, Base]> {
  const history = openHistory(store)
  for (const stream of history.streams()) {
    let base = history.base(stream, Number.MAX_SAFE_INTEGER)
    for (; base !== null; base = history.base(stream, base.version - 1)) yield [stream, base]
  }
}

type SubjectScope = Extract<EraseScope, { kind: 'subject' }>
type SessionScope = Extract<EraseScope, { kind: 'session' }>

/** What a sender wrote, and the answers to it: followed by the ids of runs, causes come first. */
class SubjectSearch {
  readonly refs = new Set<string>()
  readonly #scope: SubjectScope
  readonly #runs = new Set<string>()
  readonly #sessions = new Set<string>() // in which the subject wrote
  readonly #summaries = new Set<string>() // of those sessions
  readonly #calls = new Set<string>() // of tools, in those runs

  constructor(scope: SubjectScope) {
    this.#scope = scope
  }

  take(trace: Trace): void {
    const { stream, facts, refs } = trace
    const { runId = '' } = facts
    const isOwn = this.#isFromSubject(trace)
    if (isOwn && runId !== '') this.#runs.add(runId)
    if (isOwn && facts.sessionKey !== undefined) this.#sessions.add(facts.sessionKey)
    if (stream.startsWith('call:') && this.#runs.has(runId)) this.#calls.add(streamName(stream))
    // By their stream too: outcomes do not name their run.
    const isAnswer = this.#runs.has(runId) || this.#isOfRun(stream)
    if (isOwn || isAnswer || this.#isSummary(trace)) addAll(refs, this.refs)
  }

  // A summary of a session in which they wrote may say what they said.
  #isSummary({ type, stream, facts }: Trace): boolean {
    const name = streamName(stream)
    if (type === 'compaction.finished') return this.#sessions.has(name)
    if (!stream.startsWith('compaction:')) return false
    if (this.#sessions.has(facts.sessionKey ?? '')) this.#summaries.add(name)
    return this.#summaries.has(name)
  }

  takeState(stream: StreamId, context: unknown): void {
    if (this.#isOfRun(stream) || this.#isTheirs(stream)) refsIn(context, this.refs)
    else eachObject(context, (value) => this.#takeMember(value))
  }

  #takeMember(value: object): void {
    const asked = memberOf(value, 'asked')
    const { channel, sender } = this.#scope
    const isOwn = memberOf(asked, 'channel') === channel && memberOf(asked, 'sender') === sender
    const runId = memberOf(value, 'runId')
    if (isOwn || (typeof runId === 'string' && this.#runs.has(runId))) refsIn(value, this.refs)
  }

  // A run, its calls, and what somebody was asked about one.
  #isOfRun(stream: string): boolean {
    return this.#runs.has(runOf(stream)) || this.#calls.has(callOf(stream))
  }

  // A session of two: all that is in it is theirs.
  #isTheirs(stream: StreamId): boolean {
    if (streamKind(stream) !== 'session') return false
    const { channel, peer, peerKind } = parseSessionKey(streamName(stream))
    const isDirect = peerKind === 'direct' && channel === this.#scope.channel
    return isDirect && peer === this.#scope.sender
  }

  #isFromSubject({ type, facts }: Trace): boolean {
    if (facts.channel !== this.#scope.channel) return false
    if (type === 'message.received') return facts.senderId === this.#scope.sender
    return type === 'message.accepted' && facts.sender === this.#scope.sender
  }
}

/** Everything that a session, its runs and its deliveries name. */
class SessionSearch {
  readonly refs = new Set<string>()
  readonly #key: string
  readonly #runs = new Set<string>()
  readonly #deliveries = new Set<string>()
  readonly #correlations = new Set<string>()
  readonly #approvals = new Set<string>()
  readonly #summaries = new Set<string>()
  readonly #calls = new Set<string>()

  constructor({ key }: SessionScope) {
    this.#key = key
  }

  take({ stream, facts, correlationId, refs }: Trace): void {
    const isNamed = facts.sessionKey === this.#key || facts.fileIn === this.#key
    if (!isNamed && !this.#belongs(stream, correlationId)) return
    if (correlationId !== '') this.#correlations.add(correlationId)
    if (facts.runId !== undefined) this.#runs.add(facts.runId)
    if (isNamed && stream.startsWith('approval:')) this.#approvals.add(stream)
    if (isNamed && stream.startsWith('compaction:')) this.#summaries.add(stream)
    if (isNamed && stream.startsWith('call:')) this.#calls.add(stream)
    if (facts.deliveryId !== undefined) this.#deliveries.add(facts.deliveryId)
    addAll(refs, this.refs)
  }

  takeState(stream: StreamId, context: unknown): void {
    if (this.#belongs(stream, '')) refsIn(context, this.refs)
  }

  #belongs(stream: string, correlationId: string): boolean {
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
      case 'approval':
        return this.#approvals.has(stream)
      case 'compaction':
        return this.#summaries.has(stream)
      case 'gateway':
      case 'connection':
      case 'pairing':
      case 'channel':
      case 'config':
      case 'alert':
      case 'grant': // Its texts are its approval's.
      case 'node':
      case 'invocation':
      case 'call': // Named by its session, where it begins; its outcomes by its stream.
        return this.#calls.has(stream)
      case 'cron': // What a job says is its owner's; what was said and answered is the session's.
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

const ASK = 'ask-'

/** The call of a call's stream, of its approval, or of the delivery of its question; empty for any other. */
function callOf(stream: string): string {
  const name = streamName(stream)
  if (stream.startsWith('call:') || stream.startsWith('approval:')) return name
  return stream.startsWith(`delivery:${ASK}`) ? name.slice(ASK.length) : ''
}

function addAll(refs: Iterable<string>, into: Set<string>): void {
  for (const ref of refs) into.add(ref)
}

function eachObject(value: unknown, look: (value: object) => void): void {
  if (typeof value !== 'object' || value === null) return
  look(value)
  for (const member of Object.values(value)) eachObject(member, look)
}
