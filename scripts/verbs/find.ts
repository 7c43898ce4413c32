/**
 * `openclaw find`: records that pass a filter or a predicate, and what is conspicuous.
 */
import { systemClock } from '../../actors/services.ts'
import { kinds } from '../../machines/kinds.ts'
import { statesOf } from '../../machines/history/bisect.ts'
import {
  find as findAll,
  type Finding,
  type FindingName,
  FINDINGS,
} from '../../machines/history/find.ts'
import { prunedRanges } from '../../machines/history/holes.ts'
import { type History, factsOf } from '../../machines/history/source.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { formatInstant } from '../../protocol/history/address.ts'
import { passes } from '../../protocol/history/filter.ts'
import { formatLine } from '../../protocol/history/line.ts'
import { parsePredicate } from '../../protocol/history/predicate.ts'
import { sayRecord } from '../../protocol/history/words.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { wholeNumber } from '../arguments.ts'
import { isAlive } from '../history/alive.ts'
import { findStream } from '../../machines/history/find-stream.ts'
import {
  actorArgs,
  formatWhen,
  historyArgs,
  readStretch,
  type Stretch,
} from '../history/options.ts'
import { alongFork, type Source, withSource } from '../history/source.ts'
import { columns, note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: found; 10: nothing found. */
export const find = defineVerb({
  name: 'find',
  description: `Find records by filters, or what is ${FINDINGS.join(', ')}`,
  args: {
    ...historyArgs,
    ...actorArgs,
    words: {
      type: 'positional',
      required: false,
      description: 'stuck, lost ..., then a range A..B, then filters such as type=effect.*',
    },
    where: {
      type: 'string',
      valueHint: 'PREDICATE',
      description: 'whose state then holds, such as value == "running"',
    },
    first: { type: 'boolean', description: 'only the first' },
    last: { type: 'boolean', description: 'only the last' },
    count: { type: 'boolean', description: 'only how many' },
    'group-by': {
      type: 'enum',
      options: ['type', 'stream', 'value', 'ignored', 'epoch', 'code'],
      description: 'how many of each',
    },
    slow: {
      type: 'string',
      valueHint: 'MS',
      description: 'what is slow, and how old is stuck (default 5000)',
    },
    gap: {
      type: 'string',
      valueHint: 'SECONDS',
      description: 'what silence is a gap (default 3600)',
    },
    ndjson: { type: 'boolean', description: 'one JSON object a line' },
  },
  run: (args) =>
    withSource(args.journal, async (opened) => {
      const source = alongFork(opened, ...args._)
      const [name, ...rest] = splitWords(args._)
      const { from, to, filter } = readStretch(source, rest, args)
      const { history } = source
      noteHoles(history, { from, to }, args)
      if (name === null) {
        const records = select(source, { from, to, filter }, args)
        return showRecords(records, args)
      }
      const options = {
        from,
        to,
        now: systemClock.now(),
        alive: await isAlive(source),
        slowMs: wholeNumber('--slow', args.slow ?? '5000', 0, 2 ** 31),
        gapMs: wholeNumber('--gap', args.gap ?? '3600', 1, 2 ** 31) * 1_000,
        work: source.openWork(),
      }
      const facts = factsOf(history)
      const findings = [...findAll(name, history, options)].filter(({ position }) => {
        const record = history.read(position)
        return record !== null && passes(filter, record, facts)
      })
      return showFindings(findings, args)
    }),
})

// What was compacted away is not looked at, and that is told.
function noteHoles(history: History, span: { from: number; to: number }, { first }: Wish): void {
  if (first) return
  let records = 0
  for (const { from, to } of prunedRanges(history, span)) records += to - from + 1
  if (records > 0)
    note(`${records} records of this stretch were compacted away: what they held is not found.`)
}

function splitWords(words: readonly string[]): [FindingName | null, ...string[]] {
  const [first, ...rest] = words
  const name = FINDINGS.find((known) => known === first)
  if (name !== undefined && !(name === 'ignored' && rest.some((word) => word.includes('=')))) {
    return [name, ...rest]
  }
  return [null, ...words]
}

interface Wish {
  readonly json?: boolean | undefined
  readonly ndjson?: boolean | undefined
  readonly utc?: boolean | undefined
  readonly session?: string | undefined
  readonly actor?: string | undefined
  readonly where?: string | undefined
  readonly first?: boolean | undefined
  readonly last?: boolean | undefined
  readonly count?: boolean | undefined
  readonly 'group-by'?: string | undefined
}

function* select(
  source: Source,
  { from, to, filter }: Omit<Stretch, 'isRange'>,
  args: Wish,
): Generator<JournalRecord> {
  const { history } = source
  const facts = factsOf(history)
  const named = args.session !== undefined || args.actor !== undefined
  const stream = named ? findStream(history, args) : null
  if (args.where !== undefined) {
    if (stream === null)
      throw new GatewayError('USAGE', '--where needs --session or --actor', { verb: 'find' })
    const predicate = parsePredicate(args.where)
    const first = history.versionAt(stream, from - 1) + 1
    for (const { subject } of statesOf(history, kinds, stream, {
      first,
      last: history.versionAt(stream, to),
    })) {
      const record = predicate(subject) ? history.read(subject.position) : null
      if (record !== null && passes(filter, record, facts)) yield record
    }
    return
  }
  for (const record of history.range(from, to)) {
    if (stream !== null && record.stream !== stream) continue
    if (passes(filter, record, facts)) yield record
  }
}

function showRecords(records: Iterable<JournalRecord>, args: Wish): number {
  const found = choose(records, args)
  if (args.count) return showCount(found.length, args)
  const key = args['group-by']
  if (key !== undefined) return showGroups(found, key, args)
  if (args.ndjson) for (const record of found) showJson(formatLine(record))
  else if (args.json)
    showJson({
      ok: true,
      count: found.length,
      records: found.map(formatLine),
    })
  else for (const line of columns(found.map((record) => rowOf(record, args)))) show(line)
  return ended(found.length, args)
}

function choose(records: Iterable<JournalRecord>, { first, last }: Wish): JournalRecord[] {
  const found: JournalRecord[] = []
  for (const record of records) {
    if (last) found.length = 0
    found.push(record)
    if (first || found.length >= limits.timelineRecordsMax) break
  }
  return found
}

function rowOf(record: JournalRecord, { utc }: Wish): string[] {
  const { position, at, ignored, value } = record
  const end = ignored === null ? `⇒ ${value}` : `∅ ${ignored}`
  return [` #${position}`, formatWhen(at, { utc }), sayRecord(record), end]
}

function showCount(count: number, { json }: Wish): number {
  if (json) showJson({ ok: true, count })
  else show(String(count))
  return count === 0 ? 10 : 0
}

function showGroups(records: readonly JournalRecord[], key: string, args: Wish): number {
  const counts = new Map<string, number>()
  for (const record of records) {
    const name = key === 'type' ? record.event.type : String(Reflect.get(record, key))
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const rows = [...counts].toSorted(([, a], [, b]) => b - a)
  if (args.json) showJson({ ok: true, groups: Object.fromEntries(rows) })
  else
    for (const line of columns(rows.map(([name, count]) => [String(count).padStart(7), name])))
      show(line)
  return ended(records.length, args)
}

function showFindings(found: readonly Finding[], args: Wish): number {
  const chosen = args.first ? found.slice(0, 1) : args.last ? found.slice(-1) : found
  if (args.count) return showCount(chosen.length, args)
  const documents = chosen.map(({ at, ...each }) => ({ ...each, at: formatInstant(at) }))
  if (args.ndjson) for (const each of documents) showJson(each)
  else if (args.json) showJson({ ok: true, count: chosen.length, findings: documents })
  else {
    const rows = chosen.map(({ position, stream, at, says }) => [
      ` #${position}`,
      formatWhen(at, args),
      stream,
      says,
    ])
    for (const line of columns(rows)) show(line)
  }
  return ended(chosen.length, args)
}

function ended(count: number, { json, ndjson }: Wish): number {
  if (count === 0 && !json && !ndjson) note('nothing found')
  return count === 0 ? 10 : 0
}
