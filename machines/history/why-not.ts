/**
 * Why not: where a chain of effects stops, and the proof that it cannot go on by itself.
 *
 * From a beginning every output is followed to what became of it. What has no successor is an end:
 * an effect without outcome, a send that nobody took in, a refusal, a failure. The newest such end
 * is the frontier. The proof steps the actor that stands there through everything that can still
 * happen without help from outside.
 */
import type { AnyMachineSnapshot } from 'xstate'
import { type StreamId, streamId, streamName } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { RunContext } from '../run.ts'
import type { SessionContext } from '../session.ts'
import { formatValue, hashSnapshot } from '../step.ts'
import { foldStream } from './fold.ts'
import { acceptedBy } from './guards.ts'
import { type EffectFate, fatesOf, type SendFate, type WaitFate } from './links.ts'
import { firstKept, type History, kindOf, type Kinds } from './source.ts'

/**
 * happened         the goal was reached                lost     its process ended, no outcome known
 * pending          under way in a living process       failed   it was tried and given up
 * waiting          for a time that will come           blocked  something must happen first
 * refused          a rule or a guard said no           never-requested   nothing asked for it
 * pruned           what came of it was compacted away: nobody can tell
 */
export type Verdict =
  | 'happened'
  | 'lost'
  | 'pending'
  | 'waiting'
  | 'blocked'
  | 'failed'
  | 'refused'
  | 'never-requested'
  | 'pruned'

/** Where a chain stops. */
export interface Frontier {
  readonly verdict: Verdict
  readonly record: JournalRecord // the last of the chain
  readonly output: string | null // address, where an output has no successor
  readonly reason: string // the rule, class or name behind the verdict
  readonly stream: StreamId // of the actor that stands there
}

/** What can still happen to an actor without help from outside. */
export interface Proof {
  readonly value: string // where it stands at the head
  readonly accepts: readonly string[]
  readonly reachable: readonly string[] // other values that its own waits lead to
  readonly goesOnAt: number | null // ms since epoch: its next wait
}

export interface WhyNot {
  readonly verdict: Verdict
  readonly chain: readonly JournalRecord[] // from the beginning to the frontier, or to the goal
  readonly frontier: Frontier | null // null where it happened
  readonly ignored: readonly JournalRecord[] // behind the beginning, with no effect
  readonly blocks: readonly number[] // positions of other messages that wait behind it
  readonly proof: Proof | null
}

export interface WhyNotQuestion {
  readonly from: JournalRecord
  /** Tells whether a record is what was expected. */
  readonly isGoal: (record: JournalRecord) => boolean
  /** Whether the process that wrote the newest records still lives. */
  readonly alive: boolean
}

interface Node {
  readonly record: JournalRecord
  readonly parent: Node | null
}

/** Follows everything that came of a record, and tells why the goal is not among it. */
export function explainAbsence(history: History, kinds: Kinds, question: WhyNotQuestion): WhyNot {
  const search = new Search(history, kinds, question)
  const goal = search.run()
  const ignored = search.nodes.map(({ record }) => record).filter((each) => each.ignored !== null)
  if (goal !== null) {
    const chain = chainTo(goal)
    return { verdict: 'happened', chain, frontier: null, ignored, blocks: [], proof: null }
  }
  const { frontier, node } = search.newestEnd()
  if (frontier.verdict === 'pruned') {
    const [chain, blocks] = [chainTo(node), []]
    return { verdict: 'pruned', chain, frontier, ignored, blocks, proof: null }
  }
  return {
    verdict: frontier.verdict,
    chain: chainTo(node),
    frontier,
    ignored: [...ignored, ...ignoredSince(history, frontier)],
    blocks: blockedBehind(history, kinds, frontier),
    proof: prove(history, kinds, frontier.stream),
  }
}

function chainTo(node: Node): JournalRecord[] {
  const chain: JournalRecord[] = []
  for (let at: Node | null = node; at !== null; at = at.parent) chain.unshift(at.record)
  return chain
}

interface End {
  readonly frontier: Frontier
  readonly node: Node
}

class Search {
  readonly nodes: Node[] = []
  readonly #history: History
  readonly #kinds: Kinds
  readonly #question: WhyNotQuestion
  readonly #ends: End[] = []
  readonly #head: JournalRecord | null

  constructor(history: History, kinds: Kinds, question: WhyNotQuestion) {
    this.#history = history
    this.#kinds = kinds
    this.#question = question
    this.#head = history.read(history.head())
  }

  /** Walks to the goal; null where it is nowhere. */
  run(): Node | null {
    const waiting: Node[] = [{ record: this.#question.from, parent: null }]
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
      this.nodes.push(node)
      if (node.record.ignored === null && this.#question.isGoal(node.record)) return node
      if (this.nodes.length >= limits.whyRecordsMax) return null
      for (const record of this.#follow(node)) waiting.push({ record, parent: node })
      waiting.sort((a, b) => a.record.position - b.record.position)
    }
    return null
  }

  /** The newest end; one that nobody can tell first, then one that stands open. */
  newestEnd(): End {
    const rank = ({ frontier: { verdict, output, record } }: End): number => {
      if (verdict === 'pruned') return 4
      if (output !== null) return 3
      if (record.ignored !== null) return 1
      return verdict === 'never-requested' ? 0 : 2
    }
    const ends = this.#ends.toSorted(
      (a, b) => rank(a) - rank(b) || a.node.record.position - b.node.record.position,
    )
    const found = ends.at(-1)
    if (found !== undefined) return found
    const node = this.nodes.at(-1) ?? { record: this.#question.from, parent: null }
    return this.#end(node, 'never-requested', { reason: 'nothing asked for it' })
  }

  #follow(node: Node): JournalRecord[] {
    const { record } = node
    if (record.ignored !== null) {
      this.#close(node, 'refused', { reason: record.ignored })
      return []
    }
    // A message that was not sent on was kept out, whatever its sender was told of it.
    if (record.event.type === 'message.received' && record.sends.length === 0) {
      this.#close(node, 'refused', { reason: this.#ruleOf(record) })
      return []
    }
    const { effects, sends, waits } = fatesOf(this.#history, record, this.#history.head())
    const next = [
      ...effects.flatMap((fate) => this.#followEffect(node, fate)),
      ...sends.map((fate) => this.#followSend(node, fate)),
      ...waits.map((fate) => this.#followWait(node, fate)),
    ].filter((found) => found !== null)
    if (effects.length + sends.length + waits.length > 0) return next
    return this.#followState(node)
  }

  // An actor that somebody else moved on no longer waits for its effect.
  #followEffect(node: Node, { address, outcome, effect, record }: EffectFate): JournalRecord[] {
    const settled = record === null ? [] : [record]
    if (record !== null && record.ignored === null) return settled
    const moved = movedOn(this.#history, node.record)
    if (moved !== null) return [...settled, moved]
    if (outcome !== 'pending') return settled
    const lives = this.#question.alive && node.record.epoch === this.#head?.epoch
    this.#close(node, lives ? 'pending' : 'lost', { output: address, reason: effect.name })
    return []
  }

  #followSend(node: Node, { address, send, record, pruned }: SendFate): JournalRecord | null {
    // A run that was taken from the queue belongs to its own message.
    const isOthers =
      node.record.event.type === 'run.finished' && send.event.type === 'run.requested'
    if (isOthers) return null
    if (record === null) {
      this.#close(node, pruned ? 'pruned' : 'blocked', {
        output: address,
        reason: send.event.type,
        stream: send.to,
      })
    }
    return record
  }

  #followWait(node: Node, { address, wait, end, record }: WaitFate): JournalRecord | null {
    if (end === 'fired') return record
    if (end === 'pending')
      this.#close(node, 'waiting', { output: address, reason: wait.event.type })
    return null
  }

  // A record without outputs: what its actor made of it tells the rest.
  #followState(node: Node): JournalRecord[] {
    const { event, stream, value } = node.record
    switch (event.type) {
      case 'message.accepted':
        return this.#followQueued(node, stream)
      case 'run.finished':
        if (event['status'] === 'done') return []
        this.#close(node, 'failed', { reason: reasonOf(event['fault'], event['status']) })
        return []
      default:
        if (value === 'aborted') this.#close(node, 'failed', { reason: value })
        if (value === 'uncertain') this.#close(node, 'lost', { reason: 'uncertain' })
        if (value === 'failed' || value === 'dead')
          this.#close(node, 'failed', { reason: reasonOf(event['class']) })
        return []
    }
  }

  #followQueued(node: Node, stream: StreamId): JournalRecord[] {
    const runId = String(node.record.event['runId'])
    const run = streamId('run', runId)
    const kept = firstKept(this.#history, run, 1)
    for (const first of this.#history.stream(run, kept)) return [first]
    const { context } = this.#stateAt(stream, this.#history.head())
    const current = (context as SessionContext).current?.runId ?? null
    this.#close(node, 'blocked', {
      reason: current === null ? 'queued' : `queued behind run ${current}`,
      stream: current === null ? stream : streamId('run', current),
    })
    return []
  }

  #ruleOf({ stream, position }: JournalRecord): string {
    const { context } = this.#stateAt(stream, position)
    const rule: unknown = (context as Readonly<Record<string, unknown>>)['rule']
    return typeof rule === 'string' ? rule : 'policy'
  }

  #stateAt(stream: StreamId, position: number): AnyMachineSnapshot {
    const upToVersion = this.#history.versionAt(stream, position)
    return foldStream(this.#history, this.#kinds, stream, { upToVersion }).snapshot
  }

  #close(node: Node, verdict: Verdict, more: Partial<Frontier>): void {
    this.#ends.push(this.#end(node, verdict, more))
  }

  #end(node: Node, verdict: Verdict, more: Partial<Frontier>): End {
    const { record } = node
    const frontier = { verdict, record, output: null, reason: '', stream: record.stream, ...more }
    return { node, frontier }
  }
}

// The next record that changed an actor of one task, whatever caused it.
function movedOn(history: History, { stream, version }: JournalRecord): JournalRecord | null {
  if (!stream.startsWith('run:') && !stream.startsWith('delivery:')) return null
  for (const next of history.stream(stream, version + 1)) {
    if (next.kind === 'event' && next.ignored === null) return next
  }
  return null
}

function reasonOf(...facts: readonly unknown[]): string {
  const found = facts.find((fact) => typeof fact === 'string' && fact !== '')
  return typeof found === 'string' ? found : 'unknown'
}

// What arrived where the chain stands and changed nothing.
function ignoredSince(history: History, { stream, record }: Frontier): JournalRecord[] {
  if (stream !== record.stream) return []
  const found: JournalRecord[] = []
  for (const next of history.stream(stream, record.version + 1)) {
    if (next.ignored !== null) found.push(next)
    if (found.length >= limits.whyStepsMax) break
  }
  return found
}

/** Finds the messages that wait in the session behind the run in which a chain stands. */
function blockedBehind(history: History, kinds: Kinds, { stream }: Frontier): number[] {
  if (!stream.startsWith('run:') || history.version(stream) === 0) return []
  const { context } = foldStream(history, kinds, stream).snapshot
  const session = streamId('session', (context as RunContext).sessionKey)
  if (history.version(session) === 0) return []
  const { context: conversation } = foldStream(history, kinds, session).snapshot
  const { queue, current } = conversation as SessionContext
  if (current?.runId !== streamName(stream)) return []
  const queued = new Set(queue.map(({ runId }) => runId))
  const found: number[] = []
  for (const { event, position } of history.stream(session, oldestKept(history, session))) {
    if (event.type === 'message.accepted' && queued.has(String(event['runId'])))
      found.push(position)
  }
  return found
}

// A queue holds what came last: no need to read a conversation from its beginning.
function oldestKept(history: History, session: StreamId): number {
  const from = Math.max(1, history.version(session) - limits.snapshotEveryRecords)
  return firstKept(history, session, from)
}

/** Steps an actor through all that its own waits can bring about. */
function prove(history: History, kinds: Kinds, stream: StreamId): Proof | null {
  if (history.version(stream) === 0) return null
  const { stepper, waits } = kindOf(kinds, stream)
  const { snapshot } = foldStream(history, kinds, stream)
  const due = waits(snapshot).map(({ dueAt }) => dueAt)
  const value = formatValue(snapshot)
  const reachable = new Set<string>()
  const seen = new Set([hashSnapshot(snapshot)])
  const open: AnyMachineSnapshot[] = [snapshot]
  for (let from = open.pop(); from !== undefined; from = open.pop()) {
    for (const wait of waits(from)) {
      const next = stepper.step(from, wait.event, wait.dueAt).snapshot
      const hash = hashSnapshot(next)
      if (seen.has(hash) || seen.size >= limits.proofStatesMax) continue
      seen.add(hash)
      open.push(next)
      if (formatValue(next) !== value) reachable.add(formatValue(next))
    }
  }
  return {
    value,
    accepts: acceptedBy(snapshot),
    reachable: [...reachable],
    goesOnAt: due.length === 0 ? null : Math.min(...due),
  }
}
