/**
 * `openclaw timeline`: the records of a stretch, one line each, straight from the journal.
 */
import { firstKept, type History, factsOf } from '../../machines/history/source.ts'
import { type Filter, globOf, passes } from '../../protocol/history/filter.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { wholeNumber } from '../arguments.ts'
import { EXIT } from '../exit.ts'
import { formatRecordLine, showTimeline } from '../history/lines.ts'
import { findStream } from '../../machines/history/find-stream.ts'
import { actorArgs, historyArgs, readStretch } from '../history/options.ts'
import { followRecords } from '../history/follow.ts'
import { drawTimeline } from '../history/drawing.ts'
import { alongFork, type Source, withSource } from '../history/source.ts'
import { note, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0; 10: nothing in that stretch; 13: all that was there was compacted away. */
export const timeline = defineVerb({
  name: 'timeline',
  description: 'Show the records of a stretch: [A..B] [FILTER...]',
  args: {
    ...historyArgs,
    ...actorArgs,
    words: {
      type: 'positional',
      required: false,
      description: 'a range such as 10:30..10:34 or #40.., then filters such as type=effect.*',
    },
    all: { type: 'boolean', description: 'all actors, connections too (default: all but those)' },
    tail: {
      type: 'string',
      valueHint: 'N',
      description: 'only the newest N (default 50 without a range)',
    },
    follow: { type: 'boolean', alias: 'f', description: 'go on with what is recorded from now' },
    gaps: {
      type: 'string',
      valueHint: 'SECONDS',
      description: 'fold silence of so long (default 30)',
    },
    ndjson: { type: 'boolean', description: 'one JSON object a line, with a head and an end' },
    bodies: { type: 'boolean', description: 'show the texts too' },
    format: {
      type: 'enum',
      options: ['text', 'ndjson', 'html', 'mermaid'],
      description: 'text, ndjson, or a picture: html, mermaid',
    },
    out: { type: 'string', alias: 'o', valueHint: 'FILE', description: 'where to write a picture' },
  },
  run: (args) =>
    withSource(args.journal, async (opened) => {
      const source = alongFork(opened, ...args._)
      const wish = readWish(source, args)
      const isLines = args.ndjson === true || args.format === 'ndjson'
      const { records, pruned, gone, left } = select(source.history, wish)
      if (args.format === 'html' || args.format === 'mermaid') {
        return drawTimeline(source, records, { format: args.format, file: args.out })
      }
      if (isLines) showLines(source, records, { ...wish, gone })
      else if (args.json) showJson({ ok: true, ...document(source, records, { ...wish, gone }) })
      else
        showTimeline(source, records, {
          utc: args.utc === true,
          gapMs: wish.gapMs,
          bodies: wish.bodies,
          pruned,
        })
      if (args.follow)
        await follow(source, wish, {
          isLines: isLines || args.json === true,
          utc: args.utc === true,
        })
      if (records.length > 0 || args.follow) return 0
      if (!args.json && !isLines) note(saysNothing(source, { ...wish, gone }))
      return gone > 0 && left === 0 ? EXIT.pruned : EXIT.nothing
    }),
})

function saysNothing({ history, bundle }: Source, { from, to, gone }: Told): string {
  if (history.head() === 0) return 'the journal is empty'
  if (gone > 0 && bundle !== null) return `this file holds nothing from #${from} to #${to}`
  if (gone > 0)
    return `nothing is left from #${from} to #${to}: ${gone} records were compacted away`
  if (from <= to) return `nothing from #${from} to #${to}`
  return `nothing was recorded then; what came next begins at #${from}: take #${from}..`
}

interface Wish {
  readonly from: number
  readonly to: number
  readonly count: number
  readonly takes: (record: JournalRecord) => boolean
  readonly gapMs: number
  readonly bodies: boolean
}

interface Told extends Wish {
  readonly gone: number // records that were compacted away
}

interface Flags {
  readonly _: readonly string[]
  readonly session?: string | undefined
  readonly actor?: string | undefined
  readonly all?: boolean | undefined
  readonly tail?: string | undefined
  readonly gaps?: string | undefined
  readonly bodies?: boolean | undefined
  readonly utc?: boolean | undefined
  readonly date?: string | undefined
}

function readWish(source: Source, args: Flags): Wish {
  const { history } = source
  const { from, to, filter, isRange } = readStretch(source, args._, args)
  const byDefault = isRange || filter.length > 0 ? limits.timelineRecordsMax : 50
  return {
    from,
    to,
    count: wholeNumber('--tail', args.tail ?? String(byDefault), 1, limits.timelineRecordsMax),
    takes: chooser(history, args, filter),
    gapMs: wholeNumber('--gaps', args.gaps ?? '30', 1, 10_000_000) * 1_000,
    bodies: args.bodies === true,
  }
}

function chooser(history: History, args: Flags, filter: Filter): Wish['takes'] {
  const facts = factsOf(history)
  const isMeant = streamChooser(history, args)
  return (record) => isMeant(record) && passes(filter, record, facts)
}

// A session is told with what belongs to it: everything that its messages set off.
function streamChooser(history: History, { session, actor, all }: Flags): Wish['takes'] {
  if (actor !== undefined && /\*/.test(actor)) {
    const pattern = globOf(actor)
    return ({ stream }) => pattern.test(stream)
  }
  if (actor !== undefined) {
    const stream = findStream(history, { actor })
    return (record) => record.stream === stream
  }
  if (session !== undefined) {
    const stream = findStream(history, { session })
    const related = correlationsOf(history, stream)
    return (record) => record.stream === stream || related.has(record.correlationId)
  }
  return all === true ? () => true : ({ stream }) => !stream.startsWith('connection:')
}

function correlationsOf(history: History, stream: StreamId): ReadonlySet<string> {
  const found = new Set<string>()
  const first = firstKept(history, stream, 1)
  for (const { correlationId } of history.stream(stream, first)) found.add(correlationId)
  return found
}

interface Selected {
  readonly records: readonly JournalRecord[]
  /** Position -> how many were compacted away before it; behind the last under Infinity. */
  readonly pruned: ReadonlyMap<number, number>
  readonly gone: number // of the stretch that was looked at
  readonly left: number
}

// From the end backwards where only the newest are wanted: a first page costs a page.
function select(history: History, { from, to, count, takes }: Wish): Selected {
  const found: JournalRecord[] = []
  const pruned = new Map<number, number>()
  let [gone, left] = [0, 0]
  for (let position = to; position >= from && found.length < count; position -= 1) {
    const record = history.read(position)
    if (record === null) {
      const next = found.at(-1)?.position ?? Infinity
      pruned.set(next, (pruned.get(next) ?? 0) + 1)
      gone += 1
      continue
    }
    left += 1
    if (takes(record)) found.push(record)
  }
  return { records: found.toReversed(), pruned, gone, left }
}

function showLines(source: Source, records: readonly JournalRecord[], wish: Told): void {
  const { from, to, bodies, gone } = wish
  showJson({ t: 'head', schema: 'openclaw-journal/1', journal: source.name, from, to, bodies })
  for (const record of records) showJson(formatRecordLine(source, record, bodies))
  showJson({ t: 'end', ...ending(source, records.length), pruned: gone })
}

function document(source: Source, records: readonly JournalRecord[], wish: Told): object {
  const { from, to, bodies, gone } = wish
  const lines = records.map((record) => formatRecordLine(source, record, bodies))
  return {
    schema: 'openclaw-journal/1',
    journal: source.name,
    from,
    to,
    records: lines,
    ...ending(source, lines.length),
    pruned: gone,
  }
}

function ending({ history, headHash }: Source, count: number): object {
  return { head: { position: history.head(), hash: headHash() }, count }
}

async function follow(
  source: Source,
  wish: Wish,
  { isLines, utc }: { isLines: boolean; utc: boolean },
): Promise<void> {
  for await (const record of followRecords(source.history, wish.to)) {
    if (!wish.takes(record)) continue
    if (isLines) showJson(formatRecordLine(source, record, wish.bodies))
    else showTimeline(source, [record], { utc, gapMs: wish.gapMs, bodies: wish.bodies })
  }
}
