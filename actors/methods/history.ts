/**
 * History over the wire: what the verbs read from the files, for whoever may read it. Step 4 of 8.
 *
 * Each answer is bounded: a page of records, one actor, one chain. The skeleton needs
 * `operator.read`; texts need `operator.history`, and who read them becomes a record itself.
 */
import { allows } from '../../protocol/auth/scopes.ts'
import { diffStates } from '../../machines/history/diff.ts'
import {
  formatDiff,
  formatState,
  formatWhy,
  formatWhyNot,
} from '../../machines/history/documents.ts'
import { type ActorName, findStream } from '../../machines/history/find-stream.ts'
import { readGoal } from '../../machines/history/goal.ts'
import { promptAt, runOf } from '../../machines/history/prompt.ts'
import { type Resolved, resolveAddress, resolveRange } from '../../machines/history/resolve.ts'
import { type History, factsOf, requireRecord } from '../../machines/history/source.ts'
import { stateAt } from '../../machines/history/state.ts'
import { explainAbsence } from '../../machines/history/why-not.ts'
import { explainRecord, findWriter, outcomeAt } from '../../machines/history/why.ts'
import { kinds } from '../../machines/kinds.ts'
import { GatewayError, toGatewayError } from '../../protocol/errors.ts'
import { type Address, parseAddress, parseRange } from '../../protocol/history/address.ts'
import { parseFilter, passes } from '../../protocol/history/filter.ts'
import { formatLine, LINE_SCHEMA, refsOf } from '../../protocol/history/line.ts'
import { followPointer, NOTHING, parsePointer } from '../../protocol/history/pointer.ts'
import { GATEWAY, type StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { readTextOrNull } from '../bodies.ts'
import type { Origin } from '../caller.ts'
import { openHistory } from '../history.ts'
import { formatPrompt } from '../prompt.ts'
import type { Handler, MethodHouse } from './house.ts'

/**
 * `{ schema, from, to, records, next, pruned, head }`; `next`: where to go on, null at the end;
 * `pruned`: how many records of this page were compacted away.
 */
export const historyRead: Handler<'history.read'> = async (house, params, origin) => {
  const history = openHistory(house.store)
  const { from, to } = rangeOf(house, history, params.range ?? 'start..')
  const takes = chooserOf(history, params)
  const limit = params.limit ?? limits.historyPageMax
  const last = Math.min(to, from + limits.historyReadsMax - 1)
  const records: JournalRecord[] = []
  let seen = 0
  for (const record of history.range(from, last)) {
    seen += 1
    if (takes(record)) records.push(record)
    if (records.length >= limit) break
  }
  const reached = records.length >= limit ? (records.at(-1)?.position ?? last) : last
  const lines = records.map(formatLine)
  const shown = params.bodies === true ? await withTexts(house, records, origin) : lines
  const next = reached < to ? reached + 1 : null
  const pruned = Math.max(0, reached - from + 1 - seen)
  return { schema: LINE_SCHEMA, from, to, records: shown, next, pruned, head: history.head() }
}

/** `{ following, position }`: from now on, or no more, every record that passes is told. */
export const historySubscribe: Handler<'history.subscribe'> = (house, params, { caller }) => {
  const { filter = [], off = false } = params
  caller.follow(off ? null : checked('filter', () => parseFilter(filter)))
  return { following: !off, position: house.work.position }
}

/** The prompt of a run's last call up to a moment, from its refs; who read it becomes a record. */
export const historyPrompt: Handler<'history.prompt'> = async (house, params, origin) => {
  const history = openHistory(house.store)
  const { position } = locate(house, history, { path: 'at', text: params.at ?? 'head' })
  const meant =
    params.run === undefined ? runOf(history, position) : { runId: params.run, position }
  const prompt = promptAt(history, kinds, meant)
  const { caller, cause, correlationId } = origin
  const by = caller.admission.deviceId
  const seen = { from: prompt.position, to: prompt.position, count: 1 }
  const event = { type: 'bodies.read', by, ...seen }
  await house.registry.deliver(GATEWAY, { event, cause, correlationId })
  return formatPrompt(prompt, (ref) => readTextOrNull(house.store, ref) ?? '[not there]')
}

/** The state of one actor at a moment; `{ absent: true }` where it had no record yet. */
export const stateOf: Handler<'state.at'> = (house, params) => {
  const history = openHistory(house.store)
  const moment = locate(house, history, { path: 'at', text: params.at ?? 'head' })
  const stream = streamOf(history, params, moment)
  const start = house.services.clock.monotonic()
  const found = stateAt(history, kinds, stream, moment)
  if (found === null) return { stream, at: { position: moment.position }, absent: true }
  const { path } = params
  if (path === undefined) return formatState(found, house.services.clock.monotonic() - start)
  const value = followPointer(
    found.snapshot.context,
    checked('path', () => parsePointer(path)),
  )
  if (value !== NOTHING) return { stream, at: { position: moment.position }, path, value }
  throw new GatewayError('NOT_FOUND', `params.path: ${path} leads nowhere in ${stream}`, {
    path: 'path',
  })
}

/** What changed in one actor between two moments. */
export const stateDiff: Handler<'state.diff'> = (house, params) => {
  const history = openHistory(house.store)
  const from = locate(house, history, { path: 'from', text: params.from })
  const to = locate(house, history, { path: 'to', text: params.to })
  const stream = streamOf(history, params, to)
  if (to.position - from.position > limits.historyReadsMax) throw tooLong(from, to)
  return formatDiff(diffStates(history, kinds, stream, { from: from.position, to: to.position }))
}

function tooLong(from: Resolved, to: Resolved): GatewayError {
  const records = to.position - from.position
  return new GatewayError(
    'INVALID_REQUEST',
    `params.to: at most ${limits.historyReadsMax} records behind from, got ${records}`,
    { path: 'to' },
  )
}

/** The causes of a record, an output or a value; with `not`, why something did not happen. */
export const whyExplain: Handler<'why.explain'> = (house, params) => {
  const history = openHistory(house.store)
  const { not, from, path, address } = params
  if (not !== undefined) {
    const start =
      from === undefined ? null : locate(house, history, { path: 'from', text: from }).position
    const goal = checked('not', () => readGoal(history, not, start))
    return {
      target: not,
      ...formatWhyNot(explainAbsence(history, kinds, { ...goal, alive: true })),
    }
  }
  if (path !== undefined) {
    const moment = locate(house, history, { path: 'at', text: params.at ?? 'head' })
    const stream = streamOf(history, params, moment)
    const { position } = moment
    const recordsMax = limits.whyWriterRecordsMax // Everybody else waits for it.
    const { record, was, is } = checked('path', () =>
      findWriter(history, kinds, stream, { position, path, recordsMax }),
    )
    const values = { was: was === NOTHING ? null : was, is: is === NOTHING ? null : is }
    const chain = formatWhy(explainRecord(history, kinds, record.position), null)
    return { path, ...values, by: record.position, ...chain }
  }
  if (address === undefined) {
    throw new GatewayError('INVALID_REQUEST', 'params.address: expected address, path or not', {
      path: 'address',
    })
  }
  const { position, output } = locate(house, history, { path: 'address', text: address })
  const end = output === null ? null : outcomeAt(history, { position, output })
  return formatWhy(explainRecord(history, kinds, position, output), end)
}

function chooserOf(
  history: History,
  params: ActorName & { filter?: readonly string[] | undefined },
): (record: JournalRecord) => boolean {
  const filter = checked('filter', () => parseFilter(params.filter ?? []))
  const facts = factsOf(history)
  const isNamed = params.session !== undefined || params.actor !== undefined
  const stream = isNamed ? checked('actor', () => findStream(history, params)) : null
  return (record) => (stream === null || record.stream === stream) && passes(filter, record, facts)
}

// A position names an actor by itself.
function streamOf(history: History, params: ActorName, { position, at }: Resolved): StreamId {
  if (params.session !== undefined || params.actor !== undefined) {
    return checked(params.session === undefined ? 'actor' : 'session', () =>
      findStream(history, params),
    )
  }
  if (at === null && position > 0) return requireRecord(history, position).stream
  return checked('actor', () => findStream(history, params))
}

interface Written {
  readonly path: string // of the parameter
  readonly text: string
}

function locate({ services }: MethodHouse, history: History, { path, text }: Written): Resolved {
  const frame = { now: services.clock.now(), utc: true, date: null }
  return checked(path, () => resolveAddress(history, bounded(parseAddress(text, frame))))
}

function rangeOf(
  { services }: MethodHouse,
  history: History,
  text: string,
): { from: number; to: number } {
  const frame = { now: services.clock.now(), utc: true, date: null }
  return checked('range', () => {
    const { from, to } = parseRange(text, frame)
    return resolveRange(history, { from: bounded(from), to: bounded(to) })
  })
}

// A search through the whole journal would keep everybody else waiting.
function bounded(address: Address): Address {
  if (address.kind !== 'match') return address
  throw new GatewayError('USAGE', 'first(...) and last(...) are for the command line')
}

// What a person typed wrongly at a verb is a wrong parameter here.
function checked<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    const { code, message, details } = toGatewayError(thrown)
    if (code !== 'USAGE') throw thrown
    throw new GatewayError('INVALID_REQUEST', `params.${path}: ${message}`, { ...details, path })
  }
}

async function withTexts(
  { store, registry }: MethodHouse,
  records: readonly JournalRecord[],
  { caller, cause, correlationId }: Origin,
): Promise<object[]> {
  const { scopes, deviceId } = caller.admission
  if (!allows(scopes, 'operator.history')) {
    const details = { requiredScopes: ['operator.history'], path: 'bodies' }
    throw new GatewayError('FORBIDDEN', 'params.bodies: needs the scope operator.history', details)
  }
  const [from = 0, to = 0] = [records[0]?.position, records.at(-1)?.position]
  const event = { type: 'bodies.read', by: deviceId, from, to, count: records.length }
  await registry.deliver(GATEWAY, { event, cause, correlationId })
  return records.map((record) => {
    const texts = refsOf(record).map((ref) => [ref, readTextOrNull(store, ref)])
    return { ...formatLine(record), bodies: Object.fromEntries(texts) as object }
  })
}
