/**
 * The layout of a chart: states below one another, each with its transitions under it, and at the
 * left one rail for each state that is a target. Whatever leads to a state joins its rail:
 *
 *      ╭──►  new
 *      │  ╭──  requested
 *      │  ╰►  attempting
 *      ╰─────  started again
 *
 * It needs no luck: no boxes to place, no lines to route, and it reads from the top down.
 */
import type { Chart, ChartEdge, ChartState } from './model.ts'

export type ChartRow =
  | { readonly kind: 'state'; readonly state: ChartState }
  | { readonly kind: 'edge'; readonly edge: ChartEdge }

/** A line to one state: from the rows of transitions to the row of the state. */
export interface Rail {
  readonly target: string // state id
  readonly column: number // 0 is nearest to the states
  readonly top: number // row
  readonly bottom: number // row
  readonly targetRow: number
  readonly edgeRows: readonly number[]
}

export interface ChartLayout {
  readonly rows: readonly ChartRow[]
  readonly rails: readonly Rail[]
  readonly columns: number
}

/** Lays a chart out. */
export function layoutOf({ states, edges }: Chart): ChartLayout {
  const rows = states.flatMap((state): ChartRow[] => [
    { kind: 'state', state },
    ...edges
      .filter(({ from }) => from === state.id)
      .map((edge): ChartRow => ({ kind: 'edge', edge })),
  ])
  const rails = placeRails(states.flatMap(({ id }) => railTo(rows, id)))
  const columns = Math.max(0, ...rails.map(({ column }) => column + 1))
  return { rows, rails, columns }
}

type Unplaced = Omit<Rail, 'column'>

function railTo(rows: readonly ChartRow[], target: string): Unplaced[] {
  const targetRow = rows.findIndex((row) => row.kind === 'state' && row.state.id === target)
  const edgeRows = rows.flatMap((row, at) =>
    row.kind === 'edge' && row.edge.to === target ? [at] : [],
  )
  if (edgeRows.length === 0 || targetRow === -1) return []
  const ends = [targetRow, ...edgeRows]
  return [{ target, targetRow, edgeRows, top: Math.min(...ends), bottom: Math.max(...ends) }]
}

// Short ones first and nearest: they lie inside the long ones, and fewer lines cross.
function placeRails(rails: readonly Unplaced[]): Rail[] {
  const placed: Rail[] = []
  const byLength = rails.toSorted((a, b) => a.bottom - a.top - (b.bottom - b.top))
  for (const rail of byLength) {
    const beside = placed.filter(({ top, bottom }) => top <= rail.bottom && bottom >= rail.top)
    let column = 0
    while (beside.some((other) => other.column === column)) column += 1
    placed.push({ ...rail, column })
  }
  return placed
}
