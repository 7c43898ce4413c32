/**
 * How the history verbs write records: a line of text for people, an object for programs.
 */
import { type EffectFate, fatesOf } from '../../machines/history/links.ts'
import { causeOf } from '../../machines/history/source.ts'
import { formatDay, formatTime } from '../../protocol/history/address.ts'
import { formatLine, refsOf } from '../../protocol/history/line.ts'
import { shortStream } from '../../protocol/history/words.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { columns, formatSpan, plain, show } from '../output.ts'
import type { Source } from './source.ts'

const STREAM_WIDTH = 24
const CAUSE_WIDTH = 22
const TEXT_CHARS_MAX = 72

/** Makes the object of a record, with the texts that it names where they are wished for. */
export function formatRecordLine(source: Source, record: JournalRecord, bodies: boolean): object {
  const line = formatLine(record)
  return bodies ? { ...line, bodies: bodiesOf(source, record) } : line
}

/** Reads the texts that a record's facts name. */
export function bodiesOf(source: Source, record: JournalRecord): Record<string, string | null> {
  const texts = refsOf(record).map((ref) => [ref, readText(source, ref)])
  return Object.fromEntries(texts) as Record<string, string | null>
}

function readText({ body }: Source, ref: string): string | null {
  const bytes = body(ref)
  return bytes === null ? null : Buffer.from(bytes).toString('utf8')
}

interface Shown {
  readonly utc: boolean
  readonly gapMs: number
  readonly bodies: boolean
  /** Position -> how many are gone before it; behind the last under Infinity. */
  readonly pruned?: ReadonlyMap<number, number>
}

/** Prints records as lines; boots, silence and pruned places stand between them. */
export function showTimeline(
  source: Source,
  records: readonly JournalRecord[],
  shown: Shown,
): void {
  const rows: (string[] | string)[] = []
  const where = source.bundle === null ? 'were compacted away' : 'are not in this file'
  let before: JournalRecord | null = null
  for (const record of records) {
    const gone = shown.pruned?.get(record.position) ?? 0
    if (gone > 0) rows.push(`  ┄┄┄┄ ${gone} records here ${where} ┄┄┄┄`)
    if (before !== null) rows.push(...between(before, record, shown))
    else rows.push(`  ${formatDay(record.at, shown.utc)}`)
    if (record.event.type === 'gateway.booted') rows.push(bootLine(source, record, shown))
    rows.push(rowOf(source, record, shown))
    if (shown.bodies) rows.push(...textLines(source, record))
    before = record
  }
  const behind = shown.pruned?.get(Infinity) ?? 0
  if (behind > 0 && before !== null) rows.push(`  ┄┄┄┄ ${behind} records behind it ${where} ┄┄┄┄`)
  const lines = columns(rows.filter((row) => typeof row !== 'string'))
  let next = 0
  for (const row of rows) {
    if (typeof row === 'string') show(row)
    else {
      show(lines[next] ?? '')
      next += 1
    }
  }
}

function between(before: JournalRecord, record: JournalRecord, { utc, gapMs }: Shown): string[] {
  const lines: string[] = []
  const silence = record.at - before.at
  if (silence >= gapMs) lines.push(`  ┄┄┄┄ ${formatSpan(silence / 1_000)} of silence ┄┄┄┄`)
  if (silence < 0) lines.push(`  ┄┄┄┄ the clock stepped back by ${-silence} ms ┄┄┄┄`)
  if (formatDay(before.at, utc) !== formatDay(record.at, utc)) {
    lines.push(`  ${formatDay(record.at, utc)}`)
  }
  return lines
}

function bootLine({ history }: Source, record: JournalRecord, { utc }: Shown): string {
  const { epoch, at, stream, version } = record
  const before = history.positionOf(stream, version - 1)
  const last = before === null ? null : history.read(before)
  const end = last?.value === 'stopped' ? 'stop' : 'crash' // Erasures may follow a stop.
  const how = last === null ? 'first' : `after a ${end}`
  return `  ════ ${formatTime(at, utc)} epoch ${epoch}, ${how} ${'═'.repeat(30)}`
}

function rowOf({ history }: Source, record: JournalRecord, { utc }: Shown): string[] {
  const { position, at, stream, event, ignored, value } = record
  return [
    ` #${position}`,
    formatTime(at, utc),
    shortStream(stream, STREAM_WIDTH),
    event.type,
    causeColumn(record),
    ignored === null ? `⇒ ${value}` : `∅ ${ignored}`,
    outputColumn(record, fatesOf(history, record, history.head()).effects),
  ]
}

function causeColumn({ cause }: JournalRecord): string {
  const from = causeOf(cause)
  if (from !== null) return `#${cause}`
  return cause.length <= CAUSE_WIDTH ? cause : `${cause.slice(0, CAUSE_WIDTH - 1)}…`
}

function outputColumn(record: JournalRecord, effects: readonly EffectFate[]): string {
  const parts = effects.map(({ effect, outcome }, index) => {
    const end = outcome === 'done' ? '' : ` ${outcome === 'lost' ? '✗ ' : ''}${outcome}`
    return `e${index} ${effect.name}${end}`
  })
  for (const [index, { to }] of record.sends.entries()) {
    parts.push(`s${index}→${shortStream(to, 18)}`)
  }
  for (const [index, { dueAt }] of record.armed.entries()) {
    parts.push(`t${index} in ${((dueAt - record.at) / 1_000).toFixed(0)} s`)
  }
  return parts.join('  ')
}

function textLines(source: Source, record: JournalRecord): string[] {
  return Object.entries(bodiesOf(source, record)).map(([ref, text]) => {
    const shown = text === null ? '(erased or not here)' : JSON.stringify(plain(text))
    return `        ${ref} ${shown.length > TEXT_CHARS_MAX ? `${shown.slice(0, TEXT_CHARS_MAX)}…` : shown}`
  })
}
