/**
 * Answers of other code, judged field by field before anything of them is believed.
 *
 * The guest's process may be broken or lie: an answer is bytes of a stranger, walked and bounded
 * before they are decoded, of the shape that was asked for, and about what was asked. What does not
 * hold is refused with the field's name. Classes of differences are worked out again here.
 */
import {
  array,
  define,
  enums,
  integer,
  literal,
  max,
  min,
  nullable,
  object,
  size,
  string,
  type Struct,
  tuple,
  unknown,
} from 'superstruct'
import { classOf, REPLAY_CLASSES } from '../machines/history/compare.ts'
import type { Exploration, ExplorePlan, ExploreSample } from '../machines/history/explore.ts'
import type { Rerun } from '../machines/history/fork.ts'
import type { Difference } from '../machines/history/replay.ts'
import type { Segment } from '../machines/history/segment.ts'
import { ERROR_CODES, GatewayError } from '../protocol/errors.ts'
import { check } from '../protocol/history/incident.ts'
import type { StreamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { isObject } from '../protocol/members.ts'
import type { JournalEvent, JournalRecord } from '../protocol/record.ts'
import { unpackForeign } from '../store/document.ts'
import type { Answer, Needed, SampleRecords } from './code-wire.ts'

const text = () => size(string(), 0, limits.recordBytesMax)
const name = () => size(string(), 1, limits.codeNameCharsMax)
const count = () => min(integer(), 0)
const position = () => min(integer(), 1)
const time = () => define<number>('time', Number.isFinite)
const facts = () => define<Readonly<Record<string, unknown>>>('facts', isObject)
const stream = () =>
  define<StreamId>(
    'name of a stream',
    (value) =>
      typeof value === 'string' &&
      /^[a-z]+:./s.test(value) &&
      value.length <= limits.streamNameBytesMax,
  )
const event = () =>
  define<JournalEvent>('event', (value) => isObject(value) && typeof value['type'] === 'string')
const hash = () => size(string(), 0, limits.codeNameCharsMax) // Empty beside an error.
const list = <T, S>(of: Struct<T, S>) => size(array(of), 0, limits.codeListMax)
const rows = <T, S>(of: Struct<T, S>) => size(array(of), 0, limits.bundleRecordsMax)

const effect = () => object({ name: name(), params: facts() })
const send = () => object({ to: stream(), event: event() })
const wait = () => object({ id: name(), dueAt: time(), event: event() })

const outputs = {
  ignored: nullable(enums(['unhandled', 'refused', 'unchanged'])),
  value: text(),
  stateHash: hash(),
  effects: list(effect()),
  sends: list(send()),
  armed: list(wait()),
  cancelled: list(name()),
}

const record = () =>
  object({
    position: position(),
    stream: stream(),
    version: position(),
    kind: enums(['event', 'started', 'migrated']),
    event: event(),
    cause: text(),
    correlationId: text(),
    at: time(),
    epoch: count(),
    code: name(),
    ...outputs,
  })

const state = () =>
  object({
    value: unknown(),
    status: enums(['active', 'done', 'error', 'stopped']),
    context: unknown(),
  })

const difference = () =>
  object({
    class: enums(REPLAY_CLASSES),
    now: object(outputs),
    state: nullable(state()),
    error: nullable(text()),
  })

const fault = () => object({ stream: stream(), position: count(), error: text() })

const rerun = () =>
  object({
    records: rows(record()),
    faults: rows(fault()),
    made: rows(position()),
    rules: rows(tuple([position(), text()])),
    counts: object({ recorded: count(), lost: count(), stub: count(), live: literal(0) }),
  })

const violation = () =>
  object({
    crashAt: count(),
    invariant: enums(['reply.lost', 'sent.twice', 'waits.forever', 'machine.throws']),
    stream: stream(),
    detail: text(),
  })

const sample = () => object({ violation: violation(), records: rows(record()) })

const loaded = object({ t: literal('loaded') })
const needed = object({ stream: stream(), version: count() })
const need = object({ t: literal('need'), streams: rows(needed) })
const seeded = object({ t: literal('seeded') })
const taken = object({ t: literal('taken'), differences: rows(nullable(difference())) })
const forked = object({ t: literal('forked'), rerun: rerun() })
const explored = object({
  t: literal('explored'),
  exploration: object({ points: count(), violations: rows(violation()) }),
  samples: size(array(sample()), 0, limits.exploreSamplesMax),
})
const failed = object({ t: literal('fault'), code: enums(ERROR_CODES), message: text() })

const READERS: Readonly<Record<Answer['t'], (value: unknown, place: string) => Answer>> = {
  loaded: (value, place) => check(loaded, value, place),
  need: (value, place) => check(need, value, place),
  seeded: (value, place) => check(seeded, value, place),
  taken: (value, place) => check(taken, value, place),
  forked: (value, place) => check(forked, value, place),
  explored: (value, place) => check(explored, value, place),
  fault: (value, place) => check(failed, value, place),
}

/**
 * Reads an answer; `id` names the code in faults.
 * @throws {GatewayError} RECORD_FORMAT with details.place: a field is missing, of another kind or
 * out of bounds; PAYLOAD_TOO_LARGE.
 */
export function parseAnswer(id: string, message: unknown): Answer {
  const place = `code ${id}: answer`
  if (!(message instanceof Uint8Array)) throw wrong(place, 'bytes')
  const { byteLength } = message
  if (byteLength > limits.codeMessageBytesMax) {
    const said = `${place}: expected at most ${limits.codeMessageBytesMax} bytes, got ${byteLength}`
    throw new GatewayError('PAYLOAD_TOO_LARGE', said, { place })
  }
  const value = unpackForeign(place, message, limits.codeValuesMax)
  const kind = isObject(value) ? String(value['t']) : ''
  for (const [known, read] of Object.entries(READERS)) {
    if (known === kind) return read(value, place)
  }
  throw wrong(`${place}.t`, `one of ${Object.keys(READERS).join(', ')}`)
}

function wrong(place: string, expected: string): GatewayError {
  return new GatewayError('RECORD_FORMAT', `${place}: expected ${expected}`, { place })
}

/**
 * Holds what a replay needs to its records: their streams, each once, up to the record before.
 * @throws {GatewayError} RECORD_FORMAT
 */
export function checkNeeded(
  id: string,
  streams: readonly Needed[],
  records: readonly JournalRecord[],
): void {
  const firsts = new Map<string, number>()
  for (const { stream: of, version } of records) if (!firsts.has(of)) firsts.set(of, version - 1)
  for (const [index, { stream: of, version }] of streams.entries()) {
    if (firsts.get(of) !== version) {
      throw wrong(`code ${id}: answer.streams.${index}`, 'a stream of the records, up to them')
    }
    firsts.delete(of)
  }
}

/**
 * Holds differences to the records that they are about; their classes are worked out here.
 * @throws {GatewayError} RECORD_FORMAT: not one for each record, or one that is none.
 */
export function checkDifferences(
  id: string,
  differences: readonly (Difference | null)[],
  records: readonly JournalRecord[],
): readonly (Difference | null)[] {
  const place = `code ${id}: answer.differences`
  if (differences.length !== records.length) throw wrong(place, `${records.length} of them`)
  return differences.map((each, index) => {
    const of = records[index]
    if (each === null || of === undefined) return null
    if ((each.error === null) !== (each.state !== null)) {
      throw wrong(`${place}.${index}.state`, 'a state, or null beside an error')
    }
    const told = each.error === null ? classOf(of, each.now) : 'ERROR'
    if (told !== each.class) throw wrong(`${place}.${index}.class`, told)
    return each
  })
}

/** Holds a rerun to the stretch that was given. @throws {GatewayError} RECORD_FORMAT */
export function checkRerun(id: string, found: Rerun, { from, records }: Segment): Rerun {
  const place = `code ${id}: answer.rerun`
  const bound = records.length + limits.forkGrowthMax
  if (found.records.length > bound) throw wrong(`${place}.records`, `at most ${bound}`)
  checkOrder(`${place}.records`, found.records, from)
  const positions = new Set(found.records.map((each) => each.position))
  for (const [index, at] of found.made.entries()) {
    if (!positions.has(at)) throw wrong(`${place}.made.${index}`, 'the position of a record')
  }
  return found
}

/** Holds an exploration to its stretch, on which its samples stand. @throws RECORD_FORMAT */
export function checkExplored(
  id: string,
  found: { exploration: Exploration; samples: readonly SampleRecords[] },
  { segment, budget }: { segment: Segment } & ExplorePlan,
): { exploration: Exploration; samples: readonly ExploreSample[] } {
  const place = `code ${id}: answer`
  const { exploration, samples } = found
  const points = Math.min(segment.records.length, budget + 1)
  check(max(integer(), points), exploration.points, `${place}.exploration.points`)
  const [low, high] = [segment.from, segment.to + limits.forkGrowthMax]
  for (const [index, { crashAt }] of exploration.violations.entries()) {
    if (crashAt >= low && crashAt <= high) continue
    throw wrong(`${place}.exploration.violations.${index}.crashAt`, `#${low} to #${high}`)
  }
  return {
    exploration,
    // What they stand on is ours.
    samples: samples.map(({ violation: of, records }, index) => {
      checkOrder(`${place}.samples.${index}.records`, records, segment.from)
      const to = segment.from + records.length - 1
      return { violation: of, segment: { ...segment, to, records } }
    }),
  }
}

// The engine counts positions up from the cut.
function checkOrder(place: string, records: readonly JournalRecord[], from: number): void {
  const versions = new Map<string, number>()
  for (const [index, { position: at, stream: of, version }] of records.entries()) {
    if (at !== from + index) throw wrong(`${place}.${index}.position`, `#${from + index}`)
    const before = versions.get(of)
    if (before !== undefined && version !== before + 1) {
      throw wrong(`${place}.${index}.version`, String(before + 1))
    }
    versions.set(of, version)
  }
}
