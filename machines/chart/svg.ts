/**
 * A chart as SVG: one file, no script, light and dark.
 */
import { escapeMarkup, shorten } from '../history/picture-text.ts'
import { type ChartLayout, layoutOf, type Rail } from './layout.ts'
import {
  besideOf,
  type Chart,
  type ChartEdge,
  type ChartMark,
  type ChartState,
  edgeLabel,
  isEnabled,
} from './model.ts'

const STATE = 34 // height of a box
const EDGE = 24 // height of a transition
const SPACE = 14 // above each state
const COLUMN = 18 // between two rails
const MARGIN = 22
const HEAD = 62
const LETTER = 7.3 // width of one, about
const ROUND = 7 // of a rail's corners
const DEPTH = 22

const STYLE = `
:root{--bg:#fff;--fg:#1c2330;--dim:#667085;--line:#98a2b3;--box:#f7f8fa;--acc:#2f6feb;--on:#fff}
@media(prefers-color-scheme:dark){:root{--bg:#12151c;--fg:#e4e8f0;--dim:#98a2b3;--line:#667085;--box:#1a1f2a;--acc:#7aa7ff;--on:#10141c}}
text{font:13px system-ui,sans-serif;fill:var(--fg)}.bg{fill:var(--bg)}.h{font-size:17px;font-weight:600}.dim{fill:var(--dim);font-size:12px}
.box{fill:var(--box);stroke:var(--line)}.fin{fill:none;stroke:var(--line)}.any{stroke-dasharray:4 3}.name{font-weight:600}
.on .box{fill:var(--acc);stroke:var(--acc)}.on .name{fill:var(--on)}.on .fin{stroke:var(--on)}
.rail{fill:none;stroke:var(--line);stroke-width:1.3}.head{fill:var(--line)}
.en text{font-weight:700}.en .rail{stroke:var(--acc);stroke-width:2.4}.en .head{fill:var(--acc)}
.ini{fill:var(--fg)}.stay{fill:none;stroke:var(--line)}`

interface Plan {
  readonly layout: ChartLayout
  readonly mark: ChartMark
  readonly left: number // of the states
  readonly tops: readonly number[] // of rows
}

/** Draws a chart; where the actor is, is filled, and what may come now is bold. */
export function renderChartSvg(chart: Chart, mark: ChartMark): string {
  const layout = layoutOf(chart)
  const tops: number[] = []
  let y = HEAD
  for (const row of layout.rows) {
    if (row.kind === 'state') y += SPACE
    tops.push(y)
    y += row.kind === 'state' ? STATE : EDGE
  }
  const plan: Plan = { layout, mark, left: MARGIN + (layout.columns + 1) * COLUMN, tops }
  const height = y + MARGIN
  const width = Math.ceil(plan.left + widest(layout) * LETTER + 60)
  const rows = layout.rows.map((row, at) =>
    row.kind === 'state' ? drawState(plan, row.state, at) : drawEdge(plan, row.edge, at),
  )
  const says = mark.active.size === 0 ? 'event [guard] / actions' : HERE
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<style>${STYLE}</style><rect class="bg" width="${width}" height="${height}"/>`,
    `<text class="h" x="${MARGIN}" y="30">${escapeMarkup(chart.name)}</text>`,
    `<text class="dim" x="${MARGIN}" y="50">${says}</text>`,
    ...layout.rails.map((rail) => drawRail(plan, rail, false)),
    ...layout.rails.map((rail) => drawRail(plan, rail, true)),
    ...rows,
    '</svg>',
    '',
  ].join('\n')
}

const HERE = 'filled: where it is · bold: what may come now (guards not asked)'

function widest({ rows }: ChartLayout): number {
  return Math.max(
    30,
    ...rows.map((row) =>
      row.kind === 'edge'
        ? textOf(row.edge).length + 4
        : row.state.key.length + besideOf(row.state).join(' · ').length + 14,
    ),
  )
}

function textOf(edge: ChartEdge): string {
  return shorten(edgeLabel(edge), 140)
}

function drawState({ mark, left, tops }: Plan, state: ChartState, at: number): string {
  const { id, key, depth, isInitial, isFinal } = state
  const x = left + Math.max(0, depth - 1) * DEPTH
  const y = tops[at] ?? 0
  const width = Math.round(key.length * (LETTER + 0.9) + 34)
  const parts = [
    `<rect class="box${depth === 0 ? ' any' : ''}" x="${x}" y="${y}" width="${width}" height="${STATE}" rx="7"/>`,
  ]
  if (isFinal) {
    parts.push(
      `<rect class="fin" x="${x + 3}" y="${y + 3}" width="${width - 6}" height="${STATE - 6}" rx="5"/>`,
    )
  }
  if (isInitial) parts.push(initialMark(x, y))
  parts.push(`<text class="name" x="${x + 17}" y="${y + 22}">${escapeMarkup(key)}</text>`)
  const beside = besideOf(state).join(' · ')
  if (beside !== '') {
    const text = escapeMarkup(shorten(beside, 120))
    parts.push(`<text class="dim" x="${x + width + 12}" y="${y + 22}">${text}</text>`)
  }
  return `<g${mark.active.has(id) ? ' class="on"' : ''}>${parts.join('')}</g>`
}

// A dot with an arrow that comes in from above.
function initialMark(x: number, y: number): string {
  return `<circle class="ini" cx="${x + 22}" cy="${y - 10}" r="4"/><path class="rail" d="M${x + 22} ${y - 10}v6"/><path class="head" d="M${x + 22} ${y}l-4 -6h8z"/>`
}

function drawEdge({ mark, left, tops }: Plan, edge: ChartEdge, at: number): string {
  const y = (tops[at] ?? 0) + 16
  const x = left + 18
  const stays =
    edge.to === null ? `<path class="stay" d="M${x - 14} ${y - 8}a5 5 0 1 1 -3 5"/>` : ''
  const text = `<text x="${x}" y="${y}">${escapeMarkup(textOf(edge))}</text>`
  return `<g${isEnabled(edge, mark) ? ' class="en"' : ''}>${stays}${text}</g>`
}

// Once for all transitions, once more over it for those that are enabled.
function drawRail(plan: Plan, rail: Rail, isBold: boolean): string {
  const { layout, mark, left, tops } = plan
  const x = left - COLUMN * (rail.column + 1)
  const y = (tops[rail.targetRow] ?? 0) + STATE / 2
  const target = layout.rows[rail.targetRow]
  const depth = target?.kind === 'state' ? Math.max(0, target.state.depth - 1) : 0
  const end = left + depth * DEPTH
  const lines = rail.edgeRows.flatMap((row) => {
    const edge = layout.rows[row]
    if (isBold && (edge?.kind !== 'edge' || !isEnabled(edge.edge, mark))) return []
    const from = (tops[row] ?? 0) + EDGE / 2
    const turn = from < y ? ROUND : -ROUND
    return [
      `M${left + 14} ${from}H${x + ROUND}Q${x} ${from} ${x} ${from + turn}V${y - turn}Q${x} ${y} ${x + ROUND} ${y}H${end - 6}`,
    ]
  })
  if (lines.length === 0) return ''
  const head = `<path class="head" d="M${end} ${y}l-8 -4.5v9z"/>`
  return `<g${isBold ? ' class="en"' : ''}><path class="rail" d="${lines.join('')}"/>${head}</g>`
}
