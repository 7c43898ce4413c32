/**
 * An incident file for others: peers and all that may be personal in its records under pseudonyms.
 *
 *   records ─► facts replaced ─► folded again ─► state hashes, chain and bases of their own
 *
 * What came out is whole in itself and replays as the journal does, but its hashes are its own: with
 * the journal's, names could be tried out until one fits. So it proves nothing of the journal, and
 * carries no proofs; a file that keeps the names does. States that our code does not fold as
 * recorded keep no hash that says anything.
 */
import type { AnyMachineSnapshot } from 'xstate'
import type { Segment, SegmentBase, SegmentOpen } from '../machines/history/segment.ts'
import { byStream, kindOf, type Kinds } from '../machines/history/source.ts'
import { hashSnapshot, type SavedState } from '../machines/step.ts'
import { stateHash, unpack } from '../protocol/codec.ts'
import { maskText } from '../protocol/history/mask.ts'
import type { IncidentNote, Manifest } from '../protocol/history/incident.ts'
import { coverOf, Pseudonyms } from '../protocol/history/pseudonyms.ts'
import type { StreamId } from '../protocol/ids.ts'
import type { JournalEvent, JournalRecord } from '../protocol/record.ts'
import type { BundleChain } from '../store/bundle-records.ts'
import type { StoredRecord } from '../store/contract.ts'
import { ZERO_HASH } from '../store/seal.ts'
import { type BundleBody, type BundleParts, sealAnew } from './bundle.ts'

/** Puts pseudonyms into a bundle of a lowered tier; `key` is used once and forgotten. */
export function renameBundle(parts: BundleParts, kinds: Kinds, key: Uint8Array): BundleParts {
  const names = new Pseudonyms(key)
  const segment = renameSegment(parts.segment, kinds, names)
  const chain = renameChain(parts.chain, segment, names)
  const manifest = renameManifest(parts.manifest, chain, names)
  const cover = coverOf(names.people) // All are known by now.
  // A skeleton says only where a note stands.
  const isBare = manifest.tier === 'skeleton'
  const tell = (text: string): string => (isBare ? '' : cover(maskText(text).text))
  return {
    ...parts,
    manifest: { ...manifest, title: cover(manifest.title) },
    segment,
    chain,
    bodies: coverBodies(parts.bodies, cover),
    notes: parts.notes.map((note) => renameNote(note, tell, names)),
    proofs: null,
  }
}

function renameManifest(manifest: Manifest, chain: BundleChain, names: Pseudonyms): Manifest {
  const { head, streams, actors } = manifest
  const last = chain.records.at(-1)
  const isLast = last?.position === head.position
  const hash = isLast ? last.hash : names.hash(Buffer.from(head.hash, 'hex'))
  return {
    ...manifest,
    names: 'pseudonyms',
    redaction: { ...manifest.redaction, pseudonyms: names.people.size },
    head: { position: head.position, hash: Buffer.from(hash).toString('hex') },
    streams: streams.map(([number, stream]) => [number, names.stream(stream)]),
    actors: actors?.map((glob) => (/^[a-z]+:\*$/.test(glob) ? glob : names.stream(glob))) ?? null,
  }
}

// What somebody wrote about it is theirs.
function renameNote(
  note: IncidentNote,
  tell: (text: string) => string,
  names: Pseudonyms,
): IncidentNote {
  const isPlace = /^(?:#?\d+(?:\.\w+)?|start|head|boot:\d+)$/.test(note.address)
  return {
    ...note,
    address: isPlace ? note.address : `#${note.position}`,
    text: tell(note.text),
    command: tell(note.command),
    author: names.text(note.author),
  }
}

function coverBodies(
  bodies: BundleParts['bodies'],
  cover: (text: string) => string,
): Map<string, BundleBody> {
  const covered = new Map<string, BundleBody>()
  for (const [ref, body] of bodies) {
    const text = new TextDecoder().decode(body.bytes)
    const masked = cover(text)
    const isSame = masked === text
    const bytes = isSame ? body.bytes : new TextEncoder().encode(masked)
    covered.set(ref, { ...body, bytes, masked: body.masked || !isSame })
  }
  return covered
}

function renameSegment(segment: Segment, kinds: Kinds, names: Pseudonyms): Segment {
  const bases = segment.bases.map((base) => renameBase(base, names))
  const renamed = segment.records.map((record) => renameRecord(record, names))
  const hashes = new Map<number, string>()
  const before = new Map(segment.bases.map((base, index) => [base.stream, index]))
  const own = byStream(segment.records)
  const others = byStream(renamed)
  for (const [stream, records] of own) {
    const index = before.get(stream)
    const pair = { was: segment.bases[index ?? -1], is: bases[index ?? -1] }
    const twins = others.get(names.stream(stream) as StreamId) ?? []
    foldBoth({ kinds, stream, records, twins, pair }, hashes)
  }
  const hide = (hash: string): string =>
    Buffer.from(names.hash(Buffer.from(hash)))
      .toString('hex')
      .slice(0, 16)
  const records = renamed.map((record) => {
    return { ...record, stateHash: hashes.get(record.position) ?? hide(record.stateHash) }
  })
  return { ...segment, bases, open: renameOpen(segment.open, names), records }
}

function renameBase(base: SegmentBase, names: Pseudonyms): SegmentBase {
  const context = names.value(base.state.context)
  const state: SavedState = { ...base.state, context }
  const hash = stateHash(state)
  return { ...base, stream: names.stream(base.stream) as StreamId, hash, state }
}

function renameRecord(record: JournalRecord, names: Pseudonyms): JournalRecord {
  return {
    ...record,
    stream: names.stream(record.stream) as StreamId,
    event: renameEvent(record.event, names),
    cause: names.cause(record.cause),
    correlationId: names.correlation(record.correlationId),
    effects: record.effects.map(({ name, params }) => ({
      name,
      params: names.value(params) as JournalEvent,
    })),
    sends: record.sends.map(({ to, event }) => ({
      to: names.stream(to) as StreamId,
      event: renameEvent(event, names),
    })),
    armed: record.armed.map(({ id, dueAt, event }) => ({
      id: renameWait(id, names),
      dueAt,
      event: renameEvent(event, names),
    })),
    cancelled: record.cancelled.map((id) => renameWait(id, names)),
  }
}

// A wait of a machine has a plain name, or one with an id behind it.
function renameWait(id: string, names: Pseudonyms): string {
  return /^[a-z]+$/.test(id) ? id : names.text(id)
}

function renameEvent({ type, ...facts }: JournalEvent, names: Pseudonyms): JournalEvent {
  return { ...(names.value(facts) as object), type }
}

function renameOpen(open: SegmentOpen, names: Pseudonyms): SegmentOpen {
  const { effects, sends, waits, connections, channels } = open
  return {
    effects: effects.map(([at, { stream, params, correlationId, ...rest }]) => [
      at,
      {
        ...rest,
        stream: names.stream(stream) as StreamId,
        params: names.value(params) as JournalEvent,
        correlationId: names.correlation(correlationId),
      },
    ]),
    sends: sends.map(([at, { to, event, correlationId }]) => [
      at,
      {
        to: names.stream(to) as StreamId,
        event: renameEvent(event, names),
        correlationId: names.correlation(correlationId),
      },
    ]),
    waits: waits.map(([at, { stream, id, event, correlationId, dueAt }]) => [
      at,
      {
        stream: names.stream(stream) as StreamId,
        id: renameWait(id, names),
        dueAt,
        event: renameEvent(event, names),
        correlationId: names.correlation(correlationId),
      },
    ]),
    connections: connections.map((stream) => names.stream(stream)),
    channels: channels.map((name) => names.text(name)),
  }
}

interface Twins {
  readonly kinds: Kinds
  readonly stream: StreamId
  readonly records: readonly JournalRecord[]
  readonly twins: readonly JournalRecord[] // the same, renamed
  readonly pair: { readonly was: SegmentBase | undefined; readonly is: SegmentBase | undefined }
}

// As long as the fold of what was recorded says the recorded hash, that of its twin is its hash.
function foldBoth(
  { kinds, stream, records, twins, pair }: Twins,
  hashes: Map<number, string>,
): void {
  try {
    const { stepper } = kindOf(kinds, stream)
    const { was, is } = pair
    if (was === undefined && records[0]?.version !== 1) return
    let now: AnyMachineSnapshot = was === undefined ? stepper.initial : stepper.restore(was.state)
    let then: AnyMachineSnapshot = is === undefined ? stepper.initial : stepper.restore(is.state)
    for (const [index, record] of records.entries()) {
      const twin = twins[index]
      if (twin === undefined) return
      if (was !== undefined && record.version < was.version) continue
      if (record.kind === 'event' && record.version !== was?.version) {
        now = stepper.step(now, record.event, record.at).snapshot
        then = stepper.step(then, twin.event, twin.at).snapshot
      }
      if (hashSnapshot(now) === record.stateHash) hashes.set(record.position, hashSnapshot(then))
    }
  } catch {
    // What our machines do not take keeps no hash.
  }
}

function renameChain(chain: BundleChain, segment: Segment, names: Pseudonyms): BundleChain {
  const links = chain.links.map(({ position, hash }) => ({ position, hash: names.hash(hash) }))
  const bridges = new Map(links.map(({ position, hash }) => [position, hash]))
  const records: StoredRecord[] = []
  for (const [index, { position, body: packed }] of chain.records.entries()) {
    const record = segment.records[index]
    if (record === undefined) break
    const last = records.at(-1)
    const linked = last?.position === position - 1 ? last.hash : bridges.get(position - 1)
    const previousHash = linked ?? ZERO_HASH
    const [number] = unpack(packed) as [number]
    records.push(sealAnew(record, number, previousHash))
  }
  return { records, links }
}
