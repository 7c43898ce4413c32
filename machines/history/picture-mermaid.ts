/**
 * A timeline as a Mermaid sequence diagram: actors are participants, sends are arrows.
 *
 * For issues and wikis that draw it. Names and labels are cut down to what Mermaid cannot take for
 * syntax.
 */
import { limits } from '../../protocol/limits.ts'
import type { PictureRow } from './picture.ts'
import { formatGap, lanesOf, shorten } from './picture-text.ts'

const LABEL_MAX = 60

/** Writes rows as a sequence diagram; actors beyond limits.pictureLanesMax are left out. */
export function renderTimelineMermaid(rows: readonly PictureRow[]): string {
  const all = lanesOf(rows)
  const lanes = all.slice(0, limits.pictureLanesMax)
  const ids = new Map(lanes.map((stream, at) => [stream, `a${at}`]))
  for (const to of rows.flatMap(({ sends }) => sends.map((send) => send.to))) {
    if (!ids.has(to) && ids.size < limits.pictureLanesMax) ids.set(to, `a${ids.size}`)
  }
  const left = all.length - lanes.length
  return [
    'sequenceDiagram',
    ...[...ids].map(([stream, id]) => `  participant ${id} as ${label(shorten(stream, 40))}`),
    ...(left > 0 ? [`  Note over a0: ${left} more actors are left out`] : []),
    ...rows.flatMap((row, at) => [...betweenLines(rows[at - 1], row), ...rowLines(row, ids)]),
    '',
  ].join('\n')
}

function betweenLines(before: PictureRow | undefined, row: PictureRow): string[] {
  if (before === undefined) return []
  const ms = row.at - before.at
  const gap = ms > limits.pictureGapMs ? [`  Note over a0: ${formatGap(ms)} of silence`] : []
  return row.epoch === before.epoch ? gap : [...gap, `  Note over a0: boot ${row.epoch}`]
}

function rowLines(row: PictureRow, ids: ReadonlyMap<string, string>): string[] {
  const { position, stream, type, value, ignored, effects, sends } = row
  const id = ids.get(stream)
  if (id === undefined) return []
  const state = ignored === null ? `⇒ ${value}` : `∅ ${ignored} in ${value}`
  return [
    `  Note over ${id}: ${label(`${position} ${type} ${state}`)}`,
    ...effects.map(
      ({ address, name, outcome }) =>
        `  ${id}${outcome === 'done' ? '->>' : '-x'}${id}: ${label(`${address} ${name} ${outcome}`)}`,
    ),
    ...sends.flatMap(({ address, to, type: sent }) => {
      const target = ids.get(to)
      return target === undefined ? [] : [`  ${id}->>${target}: ${label(`${address} ${sent}`)}`]
    }),
  ]
}

// Mermaid reads ; as a new line, # as an entity, and words such as `end` as syntax when bare.
function label(text: string): string {
  const plain = text
    .toWellFormed()
    .replaceAll(/[^\p{L}\p{N} .,:_/@⇒∅…()-]/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return shorten(plain === '' ? '-' : plain, LABEL_MAX).replaceAll(/\bend\b/gi, 'end_')
}
