/**
 * The audit of a journal after a bad life: is everything there, once, and does it fold to what was
 * recorded? Reads from outside; each fault is one line for people.
 */
import { readText } from '../../actors/bodies.ts'
import { replayStream } from '../../actors/stream.ts'
import { toGatewayError } from '../../protocol/errors.ts'
import type { RunFinished } from '../../machines/session-events.ts'
import { type StreamId, streamName } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { StoreReader } from '../../store/contract.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { replayFromZero, withReader } from './journal.ts'
import { readRecords } from './kernel.ts'
import type { Promised } from './load-client.ts'

export interface Audit {
  readonly faults: string[]
  readonly counts: Record<string, number>
}

/** What the world outside knows. */
export interface Evidence {
  readonly promised: readonly Promised[]
  readonly heard: readonly string[] // texts that arrived at the recipient, each time they did
}

const FATES: ReadonlySet<string> = new Set(['sent', 'failed', 'dead', 'uncertain', 'dismissed'])
const NEVER_SENT: ReadonlySet<string> = new Set(['failed', 'dead'])
const ENDS: ReadonlySet<string> = new Set(['done', 'failed', 'aborted'])

/** Audits the journal of a gateway that is at rest and stopped. */
export async function auditJournal(directory: string, evidence: Evidence): Promise<Audit> {
  const audit: Audit = { faults: [], counts: {} }
  await verifyInChild(directory, { deep: true }).catch((error: unknown) =>
    audit.faults.push(`verify: ${toGatewayError(error).message}`),
  )
  await withReader(directory, (reader) => {
    const records = readRecords(reader)
    const newest = auditPlaces(audit, records)
    auditStates(audit, reader, newest)
    auditKeys(audit, records)
    auditRuns(audit, records, newest)
    auditPromises(audit, records, evidence)
    auditDeliveries(audit, { reader, records, newest }, evidence)
  })
  return audit
}

/** Positions and versions are dense, epochs never fall; returns the newest record of each stream. */
function auditPlaces(
  audit: Audit,
  records: readonly JournalRecord[],
): Map<StreamId, JournalRecord> {
  const newest = new Map<StreamId, JournalRecord>()
  let epoch = 0
  for (const [index, record] of records.entries()) {
    const { position, stream, version } = record
    const expected = (newest.get(stream)?.version ?? 0) + 1
    if (position !== index + 1) audit.faults.push(`#${position}: expected #${index + 1}`)
    if (version !== expected) audit.faults.push(`#${position}: ${stream} expected v${expected}`)
    if (record.epoch < epoch)
      audit.faults.push(`#${position}: epoch ${record.epoch} after ${epoch}`)
    epoch = record.epoch
    newest.set(stream, record)
  }
  count(audit, 'records', records.length)
  count(audit, 'streams', newest.size)
  count(audit, 'boots', records.filter(({ event }) => event.type === 'gateway.booted').length)
  return newest
}

/** Each stream folds to its recorded state, from its newest snapshot and from its first record. */
function auditStates(
  audit: Audit,
  reader: StoreReader,
  newest: ReadonlyMap<StreamId, JournalRecord>,
): void {
  for (const [stream, { stateHash, version, code }] of newest) {
    const replays = [replayStream(reader, stream, code), replayFromZero(reader, stream)]
    for (const { hash, version: reached } of replays) {
      if (hash === stateHash && reached === version) continue
      audit.faults.push(`${stream}: v${reached} folds to ${hash}, v${version} is ${stateHash}`)
    }
  }
}

/** One key, one record. */
function auditKeys(audit: Audit, records: readonly JournalRecord[]): void {
  const keys = new Map<string, number>()
  for (const { event, position, ignored } of records) {
    const mark = event['idempotency'] as { key: string } | undefined
    if (mark === undefined || ignored !== null) continue
    const first = keys.get(mark.key)
    if (first !== undefined) audit.faults.push(`key ${mark.key}: at #${first} and at #${position}`)
    keys.set(mark.key, position)
  }
  count(audit, 'keys', keys.size)
}

/**
 * Every accepted message has one run, which has ended and told its session so once; or it was merged
 * into another that has, and says so.
 */
function auditRuns(
  audit: Audit,
  records: readonly JournalRecord[],
  newest: ReadonlyMap<StreamId, JournalRecord>,
): void {
  const begun = tally(records, 'run.requested')
  const ended = tally(records, 'run.finished')
  const accepted = [...tally(records, 'message.accepted')]
  const answered = mergedRuns(records)
  for (const [runId, times] of accepted) {
    const value = newest.get(`run:${runId}`)?.value ?? 'missing'
    const seen = [times, begun.get(runId) ?? 0, ended.get(runId) ?? 0]
    const own = ENDS.has(value) && seen.every((n) => n === 1)
    const shared = value === 'merged' && seen.join() === '1,0,0' && answered.has(runId)
    if (own || shared) count(audit, `runs ${value}`)
    else audit.faults.push(`run ${runId}: ${value}; accepted, begun, ended: ${seen.join(', ')}`)
  }
  for (const runId of begun.keys()) {
    if (!accepted.some(([id]) => id === runId)) audit.faults.push(`run ${runId}: nobody asked`)
  }
}

// Those that another run has answered, as that run told its session, and then as theirs was told.
function mergedRuns(records: readonly JournalRecord[]): Set<string> {
  const told = new Map<string, string>() // by run: the one that took its message along
  for (const { event, ignored } of records) {
    if (event.type !== 'run.finished' || ignored !== null) continue
    const { runId, merged = [] } = event as unknown as RunFinished
    for (const other of merged) told.set(other.runId, runId)
  }
  const answered = records.filter(
    ({ event, stream, ignored }) =>
      event.type === 'run.merged' &&
      ignored === null &&
      told.get(streamName(stream)) === event['into'],
  )
  return new Set(answered.map(({ stream }) => streamName(stream)))
}

function tally(records: readonly JournalRecord[], type: string): Map<string, number> {
  const times = new Map<string, number>()
  for (const { event, ignored } of records) {
    if (event.type !== type || ignored !== null) continue
    const runId = String(event['runId'])
    times.set(runId, (times.get(runId) ?? 0) + 1)
  }
  return times
}

/** What was acknowledged stands where the acknowledgement said. */
function auditPromises(
  audit: Audit,
  records: readonly JournalRecord[],
  { promised }: Evidence,
): void {
  for (const { request, payload } of promised) {
    const id = request.method === 'agent' ? 'runId' : 'deliveryId'
    const record = records[Number(payload['position']) - 1]
    const kept = record !== undefined && record.ignored === null && record.event[id] === payload[id]
    if (kept) count(audit, `acknowledged ${request.method}`)
    else audit.faults.push(`lost: ${request.method} ${JSON.stringify(payload)}`)
  }
}

/** Each delivery has its fate, and its text arrived as often as that fate allows. */
function auditDeliveries(
  audit: Audit,
  {
    reader,
    records,
    newest,
  }: {
    reader: StoreReader
    records: readonly JournalRecord[]
    newest: ReadonlyMap<StreamId, JournalRecord>
  },
  { heard }: Evidence,
): void {
  const wishes = records.filter(({ event }) => event.type === 'delivery.requested')
  for (const { stream, event } of wishes) {
    const value = newest.get(stream)?.value ?? 'missing'
    const text = readText(reader, String(event['ref']))
    const times = heard.filter((one) => one === text).length
    const allowed = value === 'sent' ? [1] : NEVER_SENT.has(value) ? [0] : [0, 1]
    if (FATES.has(value) && allowed.includes(times)) count(audit, `deliveries ${value}`)
    else audit.faults.push(`delivery ${streamName(stream)}: ${value}, arrived ${times} times`)
  }
}

function count(audit: Audit, what: string, by = 1): void {
  audit.counts[what] = (audit.counts[what] ?? 0) + by
}
