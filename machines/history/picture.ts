/**
 * Rows of pictures: records with what became of their effects, ready to be drawn or written down.
 *
 * Outcomes lie behind the range as often as in it, so the history is read to its head.
 */
import { outputAddress, type StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { Ignored, JournalRecord } from '../../protocol/record.ts'
import { effectFatesOf, type EffectOutcome } from './links.ts'
import type { History } from './source.ts'

export type PictureOutcome = EffectOutcome | 'timeout'

/** An effect, from its wish to its outcome. */
export interface PictureEffect {
  readonly address: string // 1838.e0
  readonly name: string
  readonly outcome: PictureOutcome
  readonly until: number | null // ms since epoch; null while pending
}

/** An event on its way to another actor. */
export interface PictureSend {
  readonly address: string // 1838.s0
  readonly to: StreamId
  readonly type: string
}

/** One record, as pictures see it. */
export interface PictureRow {
  readonly position: number
  readonly stream: StreamId
  readonly type: string
  readonly cause: string
  readonly at: number // ms since epoch
  readonly epoch: number
  readonly value: string
  readonly ignored: Ignored | null
  readonly effects: readonly PictureEffect[]
  readonly sends: readonly PictureSend[]
}

/** Rows of a range, and how many of its records were left out at its beginning. */
export interface Picture {
  readonly rows: readonly PictureRow[]
  readonly leftOut: number
}

/** Reads a range as rows; of more than limits.pictureRowsMax records the newest are kept. */
export function pictureRows(history: History, from: number, to: number): Picture {
  const records: JournalRecord[] = []
  let leftOut = 0
  for (const record of history.range(from, to)) {
    records.push(record)
    if (records.length < limits.pictureRowsMax * 2) continue
    leftOut += limits.pictureRowsMax
    records.splice(0, limits.pictureRowsMax)
  }
  const { rows, leftOut: over } = pictureOf(history, records)
  return { rows, leftOut: leftOut + over }
}

/** Makes rows of chosen records, in order; of too many the newest are kept. */
export function pictureOf(history: History, records: readonly JournalRecord[]): Picture {
  const leftOut = Math.max(0, records.length - limits.pictureRowsMax)
  const head = history.head()
  return { rows: records.slice(leftOut).map((record) => toRow(history, record, head)), leftOut }
}

function toRow(history: History, record: JournalRecord, head: number): PictureRow {
  const { position, stream, event, cause, at, epoch, value, ignored } = record
  return {
    position,
    stream,
    type: event.type,
    cause,
    at,
    epoch,
    value,
    ignored,
    effects: effectFatesOf(history, record, head).map(({ address, effect, outcome, record }) => {
      const isTimeout = outcome === 'failed' && record?.event['class'] === 'timeout'
      const shown = isTimeout ? 'timeout' : outcome
      return { address, name: effect.name, outcome: shown, until: record?.at ?? null }
    }),
    sends: record.sends.map(({ to, event: { type } }, index) => ({
      address: outputAddress(position, 's', index),
      to,
      type,
    })),
  }
}

/** Tells whether a row is a message that a rule kept out: it goes nowhere. */
export function isRefused({ type, sends, ignored }: PictureRow): boolean {
  return type === 'message.received' && sends.length === 0 && ignored === null
}

/** Tells whether somebody who looks for a fault should see this row. */
export function isWrong(row: PictureRow): boolean {
  const { type, ignored, effects } = row
  const isOpen = effects.some(({ outcome }) => outcome !== 'done' && outcome !== 'cancelled')
  return ignored !== null || isOpen || isRefused(row) || /^effect\.(?:lost|failed)$/.test(type)
}
