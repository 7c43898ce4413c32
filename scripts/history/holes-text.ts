/**
 * How verbs tell what was compacted away: which versions of which actors, and where they stood.
 */
import type { Holes } from '../../machines/history/holes.ts'
import { columns, note, show } from '../output.ts'

const RANGES_SHOWN = 20

/** Prints what of a stretch could not be told; nothing where all of it could. */
export function showHoles({ records, streams, ranges, stands, lost, firstLost }: Holes): void {
  if (records > 0) {
    show(`HISTORY_PRUNED  ${records} records of ${streams} actors were compacted away`)
    const rows = ranges
      .slice(0, RANGES_SHOWN)
      .map(({ stream, from, to, positions: [first, last] }) => [
        `  ${stream}`,
        `versions ${from} to ${to}`,
        `#${first} to #${last}`,
      ])
    for (const line of columns(rows)) show(line)
    if (streams > rows.length) note(`${streams - rows.length} more actors are not listed.`)
  }
  if (stands > 0) show(`${stands} records were not recomputed: snapshots stand for their states`)
  if (lost > 0)
    show(
      `${lost} records were not recomputed: nothing stands for what came before them (first #${firstLost ?? 0})`,
    )
}
