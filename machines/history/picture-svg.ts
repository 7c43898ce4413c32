/**
 * The drawing of a timeline: one lane for each actor, as SVG.
 *
 *   dots     records; red: ignored          bars    effects, from wish to outcome
 *   arcs     sends, to where they arrived   dashes  boots
 *   bands    silences, folded
 *
 * Many records are drawn as one path, a few as links with titles: the size stays in bounds.
 */
import { formatTime } from '../../protocol/history/address.ts'
import { limits } from '../../protocol/limits.ts'
import type { PictureEffect, PictureRow } from './picture.ts'
import { type Scale, scaleOf } from './picture-scale.ts'
import { escapeMarkup, formatGap, lanesOf, OUTCOMES, shorten, TEXT_MAX } from './picture-text.ts'

/** Pixels from one lane to the next; the names beside the drawing use the same. */
export const LANE = 34
/** Pixels above the first lane: times and boots. */
export const TOP = 44

const LEFT = 22
const RIGHT = 60
const BAR = 12
const WIDTH_MIN = 640
const TICK_MIN = 96 // pixels between two times

/** A drawing, and whose lane is which. */
export interface Drawing {
  readonly svg: string
  readonly lanes: readonly string[] // names, from the top
}

interface Canvas {
  readonly rows: readonly PictureRow[]
  readonly scale: Scale
  readonly lanes: readonly string[]
  readonly height: number
  readonly width: number
  readonly isLinked: boolean
  readonly laneOf: (stream: string) => number
  /** Row that holds the outcome of an effect, by the effect's address. */
  readonly outcomes: ReadonlyMap<string, number>
}

/**
 * Draws rows: one by one, with links and titles, or in few strokes. Of too many actors the later
 * ones share the last lane.
 */
export function drawTimeline(rows: readonly PictureRow[], isLinked: boolean): Drawing {
  const all = lanesOf(rows)
  const shown = all.slice(0, limits.pictureLanesMax)
  const others = all.length - shown.length
  const lanes = others === 0 ? shown : [...shown, `${others} other actors`]
  const index = new Map(all.map((stream, at) => [stream, Math.min(at, limits.pictureLanesMax)]))
  const scale = scaleOf(rows, LEFT)
  const canvas: Canvas = {
    rows,
    scale,
    lanes,
    isLinked,
    width: Math.max(scale.width + RIGHT, WIDTH_MIN),
    height: TOP + lanes.length * LANE,
    outcomes: new Map(
      rows.flatMap(({ type, cause }, at) => (OUTCOME.test(type) ? [[cause, at] as const] : [])),
    ),
    laneOf: (stream) => TOP + (index.get(stream) ?? 0) * LANE + LANE / 2,
  }
  const { width, height } = canvas
  const parts = [
    `<svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="timeline">`,
    HATCH,
    drawLanes(canvas),
    drawGaps(canvas),
    drawBoots(canvas),
    drawTicks(canvas),
    drawSends(canvas),
    drawEffects(canvas),
    isLinked ? drawLinkedDots(canvas) : drawDots(canvas),
    '</svg>',
  ]
  return { svg: parts.join('\n'), lanes }
}

const OUTCOME = /^effect\.(?!started$)/

const HATCH =
  '<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hb" width="7" height="7"/><rect class="hs" width="3.5" height="7"/></pattern></defs>'

function drawLanes({ lanes, width }: Canvas): string {
  const lines = lanes.map((_, at) => `M0 ${TOP + at * LANE + LANE / 2}H${width}`)
  return `<path class="lane" d="${lines.join('')}"/>`
}

function drawGaps({ scale, height }: Canvas): string {
  return scale.gaps
    .map(({ x, ms }) => {
      const left = Math.round(x) - 15
      const label = formatGap(ms)
      return `<g class="gap"><rect x="${left}" y="${TOP - 4}" width="30" height="${height - TOP + 4}"/><text x="${left + 15}" y="${TOP - 8}" text-anchor="middle">${label}</text></g>`
    })
    .join('')
}

// A boot begins with the first record of its epoch.
function drawBoots({ rows, scale, height }: Canvas): string {
  return rows
    .map((row, at) => {
      const before = rows[at - 1]
      if (before === undefined || before.epoch === row.epoch) return ''
      const x = (scale.at[at] ?? 0) - 7
      return `<path class="boot" d="M${x} 6V${height}"/><text class="boot" x="${x + 4}" y="12">boot ${row.epoch}</text>`
    })
    .join('')
}

function drawTicks({ rows, scale }: Canvas): string {
  let last = Number.NEGATIVE_INFINITY
  const texts: string[] = []
  for (const [at, row] of rows.entries()) {
    const x = scale.at[at] ?? 0
    if (x - last < TICK_MIN) continue
    last = x
    texts.push(`<text x="${x}" y="26">${formatTime(row.at, true)}</text>`)
  }
  return `<g class="tick">${texts.join('')}</g>`
}

function drawSends({ rows, scale, laneOf }: Canvas): string {
  const consumers = new Map(rows.map((row, at) => [row.cause, at]))
  const arcs = rows.flatMap((row, from) =>
    row.sends.map(({ address, to }) => {
      const target = consumers.get(address)
      const [x, y] = [scale.at[from] ?? 0, laneOf(row.stream)]
      if (target === undefined) return `M${x} ${y}v${laneOf(to) < y ? -14 : 14}`
      const [toX, toY] = [scale.at[target] ?? 0, laneOf(rows[target]?.stream ?? row.stream)]
      const [right, down] = [toX - x, toY - y]
      return `M${x} ${y}c${right} 0 0 ${down} ${right} ${down}`
    }),
  )
  return `<path class="send" d="${arcs.join('')}"/>`
}

function drawEffects(canvas: Canvas): string {
  return OUTCOMES.toReversed()
    .map((outcome) => {
      const bars = canvas.rows.flatMap((row, at) =>
        row.effects
          .filter((effect) => effect.outcome === outcome)
          .map((effect) => drawBar(canvas, row, at, effect)),
      )
      if (bars.length === 0) return ''
      const joined = bars.join('')
      const drawn = canvas.isLinked ? joined : `<path d="${joined}"/>`
      return `<g class="fx ${outcome}">${drawn}</g>`
    })
    .join('\n')
}

// An open effect reaches to the edge: it has not ended.
function drawBar(canvas: Canvas, row: PictureRow, at: number, effect: PictureEffect): string {
  const { scale, laneOf, width, isLinked } = canvas
  const x = scale.at[at] ?? 0
  const told = scale.at[canvas.outcomes.get(effect.address) ?? -1]
  const end = effect.until === null ? width - 4 : Math.max(x + 8, told ?? scale.of(effect.until))
  const top = laneOf(row.stream) - BAR / 2
  if (!isLinked) return `M${x} ${top}h${end - x}v${BAR}H${x}z`
  const place = `x="${x}" y="${top}" width="${end - x}" height="${BAR}" rx="2"`
  const took =
    effect.until === null ? '' : ` after ${formatGap(Math.max(0, effect.until - row.at))}`
  const title = `${effect.address} ${shorten(effect.name, TEXT_MAX)}: ${effect.outcome}${took}`
  return `<rect ${place}><title>${escapeMarkup(title)}</title></rect>`
}

function drawLinkedDots({ rows, scale, laneOf }: Canvas): string {
  return rows
    .map((row, at) => {
      const { position, stream, type, value, ignored } = row
      const says =
        ignored === null
          ? `⇒ ${shorten(value, TEXT_MAX)}`
          : `ignored (${ignored}) in ${shorten(value, TEXT_MAX)}`
      const title = escapeMarkup(
        `#${position} ${shorten(type, TEXT_MAX)} ${says} · ${shorten(stream, TEXT_MAX)}`,
      )
      const kind = ignored === null ? 'dot' : 'dot ign'
      return `<a href="#p${position}"><circle class="${kind}" cx="${scale.at[at]}" cy="${laneOf(stream)}" r="4.5"><title>${title}</title></circle></a>`
    })
    .join('')
}

// A stroke without length and with round ends is a dot in nine bytes.
function drawDots({ rows, scale, laneOf }: Canvas): string {
  const path = (isIgnored: boolean): string =>
    rows
      .map((row, at) => ({ row, at }))
      .filter(({ row }) => (row.ignored !== null) === isIgnored)
      .map(({ row, at }) => `M${scale.at[at]} ${laneOf(row.stream)}h0`)
      .join('')
  return `<path class="dots" d="${path(false)}"/><path class="dots ign" d="${path(true)}"/>`
}
