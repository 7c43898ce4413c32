/** Timelines as pictures: one HTML file, or a Mermaid diagram. */
import { basename } from 'node:path'
import { writePrivate } from '../../actors/private-file.ts'
import { systemClock } from '../../actors/services.ts'
import { pictureOf } from '../../machines/history/picture.ts'
import { renderTimelineHtml } from '../../machines/history/picture-html.ts'
import { renderTimelineMermaid } from '../../machines/history/picture-mermaid.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { show, showText } from '../output.ts'
import type { Source } from './source.ts'

/** Draws records; into a file where one is named. Exit code 10: there is nothing to draw. */
export function drawTimeline(
  { history, name }: Source,
  records: readonly JournalRecord[],
  { format, file }: { format: 'html' | 'mermaid'; file: string | undefined },
): number {
  const { rows, leftOut } = pictureOf(history, records)
  const [first, last] = [records[0]?.position ?? 0, records.at(-1)?.position ?? 0]
  const meta = { title: `#${first} to #${last}`, source: basename(name), leftOut }
  const picture =
    format === 'mermaid'
      ? renderTimelineMermaid(rows)
      : renderTimelineHtml(rows, { ...meta, madeAt: systemClock.now() })
  putOut(picture, file)
  return records.length === 0 ? 10 : 0
}

/** Prints a text, or writes it to a file and says so. */
export function putOut(text: string, file: string | undefined): void {
  if (file === undefined) return showText(text)
  writePrivate(file, text)
  show(`wrote ${file}`)
}
