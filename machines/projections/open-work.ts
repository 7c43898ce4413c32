/**
 * Open work: one fold of the whole journal that knows what is not finished, and what must not be
 * forgotten. Boot loads its checkpoint and folds the tail; sleeping actors stay asleep.
 *
 *   effects      wished for, without outcome     sends        on their way, without consumer
 *   waits        armed, not fired or cancelled   connections  opened, not closed
 *   channels     enabled, not disabled
 *   keys         idempotency keys and where their answer stands
 *   inbound      messages taken in, by channel; ids are a room's own
 *   sessions     their rows, and their open runs (`sessions.ts`)
 *   deliveries   whose fate is open (`deliveries.ts`)
 *   usage        what models have cost in the last days (`usage.ts`)
 *
 * The maps are changed in place; what is in them is immutable.
 */
import { outputAddress, type StreamId, streamName } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { Effect, JournalRecord, Send, Wait } from '../../protocol/record.ts'
import type { MessageReceived } from '../channel.ts'
import type { CallRequested } from '../call.ts'
import type { DeliveryRequested } from '../delivery.ts'
import type { KeysCarried } from '../gateway.ts'
import type { InvocationRequested } from '../invocation.ts'
import type { IdempotencyMark, MessageAccepted } from '../session-events.ts'
import { foldDeliveries, type OpenDeliveries, type OpenDelivery } from './deliveries.ts'
import {
  foldSessions,
  restoreSession,
  runsIn,
  type SavedSession,
  saveSession,
  type SessionsFold,
} from './sessions.ts'
import { foldUsage, type Usage } from './usage.ts'

export type { SessionRow } from './sessions.ts'

export interface OpenEffect extends Effect {
  readonly stream: StreamId
  readonly correlationId: string
  readonly started: boolean
}

export interface OpenSend extends Send {
  readonly correlationId: string
}

export interface OpenWait extends Wait {
  readonly stream: StreamId
  readonly correlationId: string
}

/** Where the answer to an idempotency key stands. */
export interface KeyUse {
  readonly digest: string
  readonly position: number
  readonly at: number
}

export interface OpenWork extends SessionsFold {
  position: number // of the last record folded in
  cleanEnd: boolean // the last thing that the gateway recorded of itself was a stop
  readonly effects: Map<string, OpenEffect> // by address
  readonly sends: Map<string, OpenSend> // by address
  readonly waits: Map<string, OpenWait> // by address
  readonly waitAddresses: Map<string, string> // stream + wait id -> address
  readonly keys: Map<string, KeyUse> // owner + key, oldest first
  readonly inbound: Map<string, Set<string>> // channel -> inboundKey, oldest first
  readonly connections: Set<string> // streams
  readonly channels: Set<string> // names of those enabled
  readonly usage: Usage
  readonly deliveries: OpenDeliveries
}

/** The fold of an empty journal. */
export function emptyOpenWork(): OpenWork {
  return {
    position: 0,
    cleanEnd: true,
    effects: new Map(),
    sends: new Map(),
    waits: new Map(),
    waitAddresses: new Map(),
    keys: new Map(),
    inbound: new Map(),
    connections: new Set(),
    channels: new Set(),
    sessions: new Map(),
    deleted: new Map(),
    runs: new Map(),
    usage: new Map(),
    deliveries: new Map(),
  }
}

/** Folds the next record in. Records must come in order, without gaps. */
export function foldOpenWork(work: OpenWork, record: JournalRecord): void {
  work.position = record.position
  if (record.kind === 'migrated') return
  if (record.kind === 'started') {
    const effect = work.effects.get(record.cause)
    if (effect !== undefined) work.effects.set(record.cause, { ...effect, started: true })
    return
  }
  consume(work, record)
  produceOutputs(work, record)
  if (record.ignored !== null) return
  foldFacts(work, record)
  foldUsage(work.usage, record)
  foldDeliveries(work.deliveries, record)
  foldSessions(work, record)
}

/** The key under which an idempotency mark is kept. */
export function keyOf(mark: { owner: string; key: string }): string {
  return `${mark.owner}\n${mark.key}`
}

function consume(work: OpenWork, { cause, event, cancelled, stream }: JournalRecord): void {
  if (event.type.startsWith('effect.')) work.effects.delete(cause)
  work.sends.delete(cause)
  dropWait(work, cause)
  for (const id of cancelled) dropWait(work, work.waitAddresses.get(waitKey(stream, id)))
}

function dropWait(work: OpenWork, address: string | undefined): void {
  if (address === undefined) return
  const wait = work.waits.get(address)
  if (wait === undefined) return
  work.waits.delete(address)
  const key = waitKey(wait.stream, wait.id)
  if (work.waitAddresses.get(key) === address) work.waitAddresses.delete(key)
}

function produceOutputs(work: OpenWork, record: JournalRecord): void {
  const { position, stream, correlationId } = record
  for (const [index, effect] of record.effects.entries()) {
    const address = outputAddress(position, 'e', index)
    work.effects.set(address, { ...effect, stream, correlationId, started: false })
  }
  for (const [index, send] of record.sends.entries()) {
    work.sends.set(outputAddress(position, 's', index), { ...send, correlationId })
  }
  for (const [index, wait] of record.armed.entries()) {
    const address = outputAddress(position, 't', index)
    const key = waitKey(stream, wait.id)
    dropWait(work, work.waitAddresses.get(key))
    work.waits.set(address, { ...wait, stream, correlationId })
    work.waitAddresses.set(key, address)
  }
}

function foldFacts(work: OpenWork, record: JournalRecord): void {
  const { event, position, at, stream } = record
  switch (event.type) {
    case 'message.accepted':
      keepKey(work, (event as unknown as MessageAccepted).idempotency, position, at)
      break
    case 'invocation.requested':
      keepKey(work, (event as unknown as InvocationRequested).idempotency, position, at)
      break
    case 'call.requested':
      keepKey(work, (event as unknown as CallRequested).idempotency, position, at)
      break
    case 'delivery.requested':
      keepKey(work, (event as unknown as DeliveryRequested).idempotency, position, at)
      break
    case 'message.received':
      keepInbound(work, event as unknown as MessageReceived)
      break
    case 'connection.opened':
      work.connections.add(stream)
      break
    case 'connection.closed':
      work.connections.delete(stream)
      break
    case 'channel.enabled':
      work.channels.add(streamName(stream))
      break
    case 'channel.disabled':
      work.channels.delete(streamName(stream))
      break
    case 'gateway.booted':
      work.cleanEnd = false
      break
    case 'gateway.stopped':
    case 'journal.restored':
      work.cleanEnd = true
      break
    case 'keys.carried':
      foldCarried(work, event as unknown as KeysCarried, position)
      break
  }
}

// The answer of a key that was carried over stands nowhere; its place is that of the carrying.
function foldCarried(work: OpenWork, { keys, inbound }: KeysCarried, position: number): void {
  for (const [key, digest, at] of keys) work.keys.set(key, { digest, position, at })
  for (const [channel, key] of inbound) addInbound(work, channel, key)
}

// Maps keep insertion order, so the first key is the oldest.
function keepKey(
  work: OpenWork,
  mark: IdempotencyMark | undefined,
  position: number,
  at: number,
): void {
  if (mark === undefined) return
  work.keys.set(keyOf(mark), { digest: mark.digest, position, at })
  for (const [key, use] of work.keys) {
    const isOld = use.at < at - limits.idempotencyRetentionMs
    if (!isOld && work.keys.size <= limits.idempotencyKeysMax) break
    work.keys.delete(key)
  }
}

/**
 * The key under which an inbound message of a channel is kept: its id is its room's own, and the
 * room its account's, where the channel knows accounts. Where it does not, a group may be named like
 * a person.
 */
export function inboundKey({
  account,
  peer,
  roomId,
  messageId,
}: Pick<MessageReceived, 'account' | 'peer' | 'roomId' | 'messageId'>): string {
  const scope = account ?? (peer === 'group' ? 'group' : null)
  return scope === null ? `${roomId}\n${messageId}` : `${scope}\n${roomId}\n${messageId}`
}

function keepInbound(work: OpenWork, message: MessageReceived): void {
  addInbound(work, message.channel, inboundKey(message))
}

function addInbound(work: OpenWork, channel: string, key: string): void {
  const known = work.inbound.get(channel) ?? new Set()
  work.inbound.set(channel, known)
  known.add(key)
  if (known.size <= limits.inboundDedupeMax) return
  for (const oldest of known) {
    known.delete(oldest)
    break
  }
}

/** The key under which a wait's address is kept. */
export function waitKey(stream: string, id: string): string {
  return `${stream}\n${id}`
}

/** Takes the fold apart into plain values, for a checkpoint. */
export function saveOpenWork(work: OpenWork): unknown {
  return {
    format: 1,
    position: work.position,
    cleanEnd: work.cleanEnd,
    effects: [...work.effects],
    sends: [...work.sends],
    waits: [...work.waits],
    keys: [...work.keys].map(([key, use]) => [key, use.digest, use.position, use.at]),
    inbound: [...work.inbound].map(([channel, ids]) => [channel, [...ids]]),
    connections: [...work.connections],
    channels: [...work.channels],
    sessions: [...work.sessions.values()].map(saveSession),
    deleted: [...work.deleted],
    usage: [...work.usage],
    deliveries: [...work.deliveries],
  }
}

interface SavedOpenWork {
  format: number
  position: number
  cleanEnd: boolean
  effects: [string, OpenEffect][]
  sends: [string, OpenSend][]
  waits: [string, OpenWait][]
  keys: [string, string, number, number][]
  inbound: [string, string[]][]
  connections: string[]
  channels: string[]
  sessions: SavedSession[]
  deleted?: [string, number][] // absent where it was saved before sessions could be
  deliveries?: [string, OpenDelivery][] // absent where it was saved before they were listed
  usage?: [number, number][] // absent where it was saved before it was counted
}

/** Puts a checkpoint together again; null where it is of another format. */
export function restoreOpenWork(value: unknown): OpenWork | null {
  const saved = value as SavedOpenWork | undefined
  if (saved?.format !== 1) return null
  const rows = saved.sessions.map(restoreSession)
  return {
    position: saved.position,
    cleanEnd: saved.cleanEnd,
    effects: new Map(saved.effects),
    sends: new Map(saved.sends),
    waits: new Map(saved.waits),
    waitAddresses: new Map(
      saved.waits.map(([address, wait]) => [waitKey(wait.stream, wait.id), address]),
    ),
    keys: new Map(saved.keys.map(([key, digest, position, at]) => [key, { digest, position, at }])),
    inbound: new Map(saved.inbound.map(([channel, ids]) => [channel, new Set(ids)])),
    connections: new Set(saved.connections),
    channels: new Set(saved.channels),
    sessions: new Map(rows.map((row) => [row.key, row])),
    deleted: new Map(saved.deleted),
    runs: runsIn(rows),
    usage: new Map(saved.usage),
    deliveries: new Map(saved.deliveries),
  }
}
