/**
 * A chart in characters, at most 100 columns wide: for terminals and for issues.
 *
 *   ● initial   ◎ final   ■ where the actor is   ▸ transitions that start there
 */
import { limits } from '../../protocol/limits.ts'
import { type ChartLayout, layoutOf } from './layout.ts'
import {
  besideOf,
  type Chart,
  type ChartEdge,
  type ChartMark,
  type ChartState,
  edgeLabel,
  isEnabled,
} from './model.ts'

const [UP, DOWN, LEFT, RIGHT] = [1, 2, 4, 8]
// By the sum of the four directions in which lines leave a cell.
const LINES = ' ╵╷│╴╯╮┤╶╰╭├─┴┬┼'
const COLUMN = 2 // characters of a rail
const INDENT = '  '

interface TextRow {
  readonly lines: readonly string[]
  readonly anchor: number // which of the lines a rail meets
  readonly isTarget: boolean
}

/** Draws a chart as lines of text. */
export function renderChartAscii(chart: Chart, mark: ChartMark): string {
  const layout = layoutOf(chart)
  const gutter = layout.columns * COLUMN + 2
  const width = limits.chartColumnsMax - gutter
  const rows = layout.rows.map((row): TextRow =>
    row.kind === 'state' ? stateRow(row.state, mark, width) : edgeRow(row.edge, mark, width),
  )
  const anchors: number[] = []
  let height = 0
  for (const { lines, anchor } of rows) {
    anchors.push(height + anchor)
    height += lines.length
  }
  const rails = drawRails(layout, anchors, height)
  const texts = rows.flatMap(({ lines }) => lines)
  return [
    headOf(chart, mark),
    '',
    ...texts.map((text, at) => `${rails[at] ?? ''}${text}`.trimEnd()),
    '',
  ].join('\n')
}

function headOf({ name, states }: Chart, { active }: ChartMark): string {
  const signs = ['● initial']
  if (states.some(({ isFinal }) => isFinal)) signs.push('◎ final')
  if (active.size > 0) signs.push('■ is here', '▸ may come now (guards not asked)')
  return `${name}    ${signs.join('   ')}`
}

function stateRow(state: ChartState, { active }: ChartMark, width: number): TextRow {
  const { key, depth, isInitial, isFinal, id } = state
  const isHere = active.has(id)
  const signs = [isHere ? '■' : '', isInitial ? '●' : '', isFinal ? '◎' : ''].join('')
  const name = signs === '' ? key : `${signs} ${key}`
  const [top, side, bottom, line] = isHere ? ['╔╗', '║', '╚╝', '═'] : ['┌┐', '│', '└┘', '─']
  const bar = (line ?? '').repeat(name.length + 2)
  const beside = besideOf(state).join('   ')
  const pad = INDENT.repeat(Math.max(0, depth - 1))
  const middle = `${pad}${side} ${name} ${side}  `
  const [first = '', ...more] = wrap(beside, width - middle.length)
  return {
    lines: [
      `${pad}${top?.[0]}${bar}${top?.[1]}`,
      `${middle}${first}`,
      ...more.map((text) => `${' '.repeat(middle.length)}${text}`),
      `${pad}${bottom?.[0]}${bar}${bottom?.[1]}`,
    ],
    anchor: 1,
    isTarget: true,
  }
}

function edgeRow(edge: ChartEdge, mark: ChartMark, width: number): TextRow {
  const sign = isEnabled(edge, mark) ? '▸ ' : '  '
  const end = edge.to === null ? '↻' : `→ ${edge.to}`
  const lines = wrap(`${edgeLabel(edge)}  ${end}`, width - 6)
  return {
    lines: lines.map((text, at) => `${at === 0 ? sign : '  '}${at === 0 ? '' : '  '}${text}`),
    anchor: 0,
    isTarget: false,
  }
}

// Breaks at spaces; a word that is too long for a line stands alone and is cut.
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (longer.length > width && line !== '') {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line].map((each) =>
    each.length > width ? `${each.slice(0, width - 1)}…` : each,
  )
}

function drawRails(
  { rails, columns }: ChartLayout,
  anchors: readonly number[],
  height: number,
): string[] {
  const width = columns * COLUMN
  const cells = Array.from({ length: height }, () => new Uint8Array(width))
  const heads = new Set<number>()
  const add = (y: number, x: number, lines: number): void => {
    const row = cells[y]
    if (row !== undefined) row[x] = (row[x] ?? 0) | lines
  }
  for (const { column, targetRow, edgeRows, top, bottom } of rails) {
    const x = (columns - 1 - column) * COLUMN
    const [from, to] = [anchors[top] ?? 0, anchors[bottom] ?? 0]
    for (let y = from; y < to; y += 1) {
      add(y, x, DOWN)
      add(y + 1, x, UP)
    }
    for (const row of [targetRow, ...edgeRows]) {
      const y = anchors[row] ?? 0
      add(y, x, RIGHT)
      for (let over = x + 1; over < width; over += 1) add(y, over, LEFT | RIGHT)
    }
    heads.add(anchors[targetRow] ?? 0)
  }
  return cells.map((row, y) => {
    const text = Array.from(row, (lines) => LINES.charAt(lines)).join('')
    const isLine = (row.at(-1) ?? 0) & RIGHT
    const head = isLine === 0 ? '  ' : '─ '
    return `${text}${heads.has(y) ? '─►' : head}`
  })
}
