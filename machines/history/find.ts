/**
 * Find: what is conspicuous in a stretch of history, each by a rule of its own.
 *
 *   stuck       asked for something and has had no answer, or stands where nobody may stand for ever
 *   lost        effects whose process ended first            ignored   events that changed nothing
 *   slow        outcomes that took long                      gaps      crashes, clocks, pruned places
 *   duplicates  the same message in twice, or perhaps out twice
 */
import { type StreamId, streamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { MessageReceived } from '../channel.ts'
import { inboundKey, type OpenWork } from '../projections/open-work.ts'
import { causeOf, type History, latencyMs } from './source.ts'
import { isWorking } from './working.ts'

export const FINDINGS = ['stuck', 'lost', 'ignored', 'slow', 'duplicates', 'gaps'] as const

export type FindingName = (typeof FINDINGS)[number]

/** One thing found. */
export interface Finding {
  readonly find: FindingName
  readonly position: number
  readonly stream: StreamId
  readonly at: number // ms since epoch
  readonly says: string
  readonly facts: Readonly<Record<string, unknown>>
}

export interface FindOptions {
  readonly from: number
  readonly to: number
  readonly now: number // ms since epoch: how long something has stood is measured up to here
  readonly alive: boolean // the writer's process still runs
  readonly slowMs: number
  readonly gapMs: number
  readonly work: OpenWork // at the head
}

type Finder = (history: History, options: FindOptions) => Iterable<Finding>

const FINDERS: Readonly<Record<FindingName, Finder>> = {
  stuck: findStuck,
  lost: findLost,
  ignored: findIgnored,
  slow: findSlow,
  duplicates: findDuplicates,
  gaps: findGaps,
}

/** Lists what a rule finds, in the order of the journal. */
export function find(name: FindingName, history: History, options: FindOptions): Iterable<Finding> {
  return FINDERS[name](history, options)
}

function finding(
  name: FindingName,
  { position, stream, at }: Pick<JournalRecord, 'position' | 'stream' | 'at'>,
  says: string,
  facts: Finding['facts'] = {},
): Finding {
  return { find: name, position, stream, at, says, facts }
}

function* findStuck(history: History, options: FindOptions): Generator<Finding> {
  const { work, now, alive, slowMs } = options
  const open = openByStream(work)
  for (const { record, session } of workingIn(history, options)) {
    const standsMs = now - record.at
    const waits = open.get(record.stream) ?? []
    // A living process that is busy with it, for a short time yet, is no finding.
    const isBusy = alive && waits.length > 0 && standsMs < slowMs
    const isTimed = waits.some(({ kind, dueAt }) => kind === 'wait' && dueAt > now)
    if (isBusy || isTimed) continue
    const what = waits.map(({ says }) => says).join(', ') || 'nothing that could come'
    const isLost = !alive && waits.some(({ kind }) => kind === 'effect')
    const behind = session === null ? 0 : (work.sessions.get(session)?.pending ?? 1) - 1
    const queue = behind > 0 ? `; ${behind} messages behind it` : ''
    const says = `${record.value} since #${record.position}, waits for ${what}${isLost ? ' (lost)' : ''}${queue}`
    const facts = { value: record.value, standsMs, waitsFor: waits, behind }
    yield finding('stuck', record, says, facts)
  }
}

interface Working {
  readonly record: JournalRecord // the newest of an actor that has something to come
  readonly session: string | null // key, where an actor works for one
}

interface Errand {
  readonly for: StreamId // who stands until it is done
  readonly session: string // key
}

// A session stands because its run does, a run because its call does: the last one is what is told.
function workingIn(history: History, { from, to }: FindOptions): Working[] {
  const working = new Map<StreamId, JournalRecord>()
  const errands = new Map<StreamId, Errand>()
  for (const record of history.range(from, to)) {
    const { stream, value } = record
    const errand = errandOf(record)
    if (errand !== null) errands.set(stream, errand)
    if (isWorking(stream, value)) {
      working.set(stream, record)
    } else {
      working.delete(stream)
      errands.delete(stream)
    }
  }
  const held = new Set([...errands.values()].map((errand) => errand.for))
  return [...working.values()]
    .filter(({ stream }) => !held.has(stream))
    .toSorted((a, b) => a.position - b.position)
    .map((record) => ({ record, session: errands.get(record.stream)?.session ?? null }))
}

function errandOf({ event }: JournalRecord): Errand | null {
  const session = memberText(event, 'sessionKey')
  switch (event.type) {
    case 'run.requested':
    case 'compaction.requested':
      return { for: streamId('session', session), session }
    case 'call.requested':
      return { for: streamId('run', memberText(event, 'runId')), session }
    case 'exec.requested': {
      const callId = memberText(event, 'callId') // Empty where a client asks: it waits by itself.
      return callId === '' ? null : { for: streamId('call', callId), session }
    }
    default:
      return null
  }
}

function memberText(event: JournalRecord['event'], name: string): string {
  const value = event[name]
  return typeof value === 'string' ? value : ''
}

interface OpenThing {
  readonly kind: 'effect' | 'send' | 'wait'
  readonly address: string
  readonly says: string
  readonly dueAt: number
}

function openByStream(work: OpenWork): Map<string, OpenThing[]> {
  const open = new Map<string, OpenThing[]>()
  const add = (stream: string, thing: OpenThing): void => {
    open.set(stream, [...(open.get(stream) ?? []), thing])
  }
  for (const [address, { stream, name }] of work.effects) {
    add(stream, { kind: 'effect', address, says: `${name} #${address}`, dueAt: 0 })
  }
  for (const [address, { to, event }] of work.sends) {
    add(to, { kind: 'send', address, says: `${event.type} #${address}`, dueAt: 0 })
  }
  for (const [address, { stream, id, dueAt }] of work.waits) {
    add(stream, { kind: 'wait', address, says: `${id} #${address}`, dueAt })
  }
  return open
}

function* findLost(history: History, { from, to, alive, work }: FindOptions): Generator<Finding> {
  for (const record of history.range(from, to)) {
    const { event } = record
    if (event.type !== 'effect.lost') continue
    const started = event['started'] === true
    const how = started ? 'may or may not have happened' : 'was never started'
    const says = `${String(event['name'])} #${record.cause} ${how}`
    yield finding('lost', record, says, { effect: record.cause, name: event['name'], started })
  }
  if (alive) return
  for (const [address, { stream, name, started }] of work.effects) {
    const record = history.read(causeOf(address)?.position ?? 0)
    if (record === null || record.position < from || record.position > to) continue
    const says = `${name} #${address} has no outcome, and its process has ended`
    yield finding('lost', { ...record, stream }, says, { effect: address, name, started })
  }
}

function* findIgnored(history: History, { from, to }: FindOptions): Generator<Finding> {
  for (const record of history.range(from, to)) {
    if (record.ignored === null) continue
    const says = `${record.event.type} was ${record.ignored} in ${record.value}`
    yield finding('ignored', record, says, {
      type: record.event.type,
      value: record.value,
      ignored: record.ignored,
      cause: record.cause,
    })
  }
}

function* findSlow(history: History, { from, to, slowMs }: FindOptions): Generator<Finding> {
  for (const record of history.range(from, to)) {
    const ms = latencyMs(history, record)
    if (ms === null || ms < slowMs || record.kind !== 'event') continue
    const says = `${String(record.event['name'])} #${record.cause} took ${(ms / 1_000).toFixed(1)} s`
    yield finding('slow', record, says, { effect: record.cause, ms })
  }
}

function* findDuplicates(history: History, { from, to }: FindOptions): Generator<Finding> {
  const inbound = new Map<string, number>()
  const attempts = new Map<StreamId, number>() // deliveries that may have gone out already
  for (const record of history.range(from, to)) {
    const { event, stream, position } = record
    if (event.type === 'message.received') {
      const key = `${stream}\n${inboundKey(event as unknown as MessageReceived)}`
      const first = inbound.get(key)
      if (first === undefined) inbound.set(key, position)
      else yield finding('duplicates', record, `the message of #${first} came again`, { first })
    }
    if (!stream.startsWith('delivery:')) continue
    const before = attempts.get(stream)
    if (record.kind === 'started' && before !== undefined) {
      const says = `it may have gone out already, by #${before}`
      yield finding('duplicates', record, says, { first: before })
    }
    if (mayBeOut(record)) attempts.set(stream, position)
  }
}

// After these the message may be on the platform: done, failed somehow, lost after its start.
function mayBeOut({ event }: JournalRecord): boolean {
  if (event.type === 'effect.done') return true
  if (event.type === 'effect.lost') return event['started'] === true
  return event.type === 'effect.failed' && event['sent'] === 'maybe'
}

function* findGaps(history: History, { from, to, gapMs }: FindOptions): Generator<Finding> {
  let before: JournalRecord | null = null
  let stopped = true
  for (const record of history.range(from, to)) {
    const { event, position, at } = record
    if (before !== null && position > before.position + 1) {
      const says = `#${before.position + 1} to #${position - 1} were compacted away`
      yield finding('gaps', record, says, { pruned: [before.position + 1, position - 1] })
    }
    if (before !== null && at < before.at) {
      const says = `the clock stepped back by ${before.at - at} ms`
      yield finding('gaps', record, says, { stepMs: at - before.at })
    } else if (before !== null && at - before.at >= gapMs) {
      const says = `nothing happened for ${Math.round((at - before.at) / 1_000)} s`
      yield finding('gaps', record, says, { idleMs: at - before.at })
    }
    if (event.type === 'gateway.booted') {
      if (!stopped && before !== null) {
        const says = `epoch ${record.epoch} began without a stop of epoch ${before.epoch}`
        yield finding('gaps', record, says, { epoch: record.epoch, after: before.epoch })
      }
      stopped = false
    }
    if (event.type === 'gateway.stopped') stopped = true
    before = record
  }
}
