/**
 * The scale of a timeline: from times to places, with long silences folded.
 *
 * Every record moves on by a little even where the clock stands still, so that no two hide one
 * another; what passed between them adds to it as its logarithm, up to where a silence is folded.
 */
import { limits } from '../../protocol/limits.ts'
import type { PictureRow } from './picture.ts'

/** A silence that takes little room. */
export interface Gap {
  readonly x: number // its middle
  readonly ms: number
}

export interface Scale {
  /** Place of the record at an index. */
  readonly at: readonly number[]
  readonly gaps: readonly Gap[]
  readonly width: number
  /** Place of any time, between the records around it. */
  readonly of: (ms: number) => number
}

const STEP = 14 // between two records at the same moment
const GAP = 46 // a folded silence
const DECADE = 9 // more for each factor of ten of milliseconds

/** Lays rows out from left to right. */
export function scaleOf(rows: readonly PictureRow[], left: number): Scale {
  const at: number[] = []
  const gaps: Gap[] = []
  let x = left
  for (const [index, row] of rows.entries()) {
    const before = rows[index - 1]
    const ms = before === undefined ? 0 : Math.max(0, row.at - before.at)
    if (before !== undefined && ms > limits.pictureGapMs) {
      gaps.push({ x: x + GAP / 2 + STEP / 2, ms })
      x += GAP + STEP
    } else if (before !== undefined) {
      x += STEP + DECADE * Math.log10(1 + ms)
    }
    at.push(Math.round(x))
  }
  return { at, gaps, width: Math.round(x), of: (ms) => placeOf(rows, at, ms) }
}

// The last record that is not later; then so far on as the time is between it and the next.
function placeOf(rows: readonly PictureRow[], at: readonly number[], ms: number): number {
  const index = rows.findLastIndex((row) => row.at <= ms)
  const here = at[index] ?? at[0] ?? 0
  const [row, next] = [rows[index], rows[index + 1]]
  if (row === undefined || next === undefined || next.at <= row.at) return here
  const share = (ms - row.at) / (next.at - row.at)
  return Math.round(here + ((at[index + 1] ?? here) - here) * share)
}
