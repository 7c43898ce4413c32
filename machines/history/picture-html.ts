/**
 * A timeline as one static HTML file: drawing above, table below, no script, nothing loaded.
 *
 * It may be mailed, opened from a disk and printed; a strict policy keeps whatever a record holds
 * from ever becoming code. Of a long range the oldest rows of the table are left out, and it says
 * so.
 */
import { sha256 } from '../../protocol/digest.ts'
import { formatInstant, formatTime } from '../../protocol/history/address.ts'
import { limits } from '../../protocol/limits.ts'
import { isWrong, type PictureRow } from './picture.ts'
import { type Drawing, drawTimeline, LANE, TOP } from './picture-svg.ts'
import { escapeMarkup, OUTCOMES, shorten, TEXT_MAX } from './picture-text.ts'

/** What stands above a picture. */
export interface PictureMeta {
  readonly title: string
  readonly source: string // which journal or file it is from
  readonly leftOut: number // records of the range before the first row
  readonly madeAt: number // ms since epoch
}

const STYLE = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2330;--dim:#667085;--line:#e3e7ee;--acc:#2f6feb;--ok:#a9c6f8;--bad:#d92d20;--warn:#e8a317;--off:#b8bfcc;--card:#f7f8fa}
@media(prefers-color-scheme:dark){:root{--bg:#12151c;--fg:#e4e8f0;--dim:#98a2b3;--line:#2a3040;--acc:#7aa7ff;--ok:#31518f;--bad:#ff6b5e;--warn:#d9a441;--off:#4a5265;--card:#1a1f2a}}
*{box-sizing:border-box}
body{margin:0;padding:20px clamp(12px,3vw,32px);background:var(--bg);color:var(--fg);font:14px/1.45 system-ui,sans-serif}
h1{font-size:20px;margin:0 0 4px}p{margin:0 0 10px;color:var(--dim)}
.sum{display:flex;flex-wrap:wrap;gap:6px;margin:10px 0 14px}
.sum b{font-weight:600}.sum span{background:var(--card);border:1px solid var(--line);border-radius:999px;padding:2px 10px}.sum .bad{color:var(--bad);border-color:var(--bad)}
.chart{display:flex;border:1px solid var(--line);border-radius:10px;overflow:hidden}
.names{flex:none;width:clamp(104px,24vw,250px);padding-top:${TOP}px;background:var(--card);border-right:1px solid var(--line);font-size:12px}
.names div{height:${LANE}px;padding:3px 10px 0;line-height:14px}.names i,.names b{display:block;font:inherit;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.names i{color:var(--dim);font-size:10.5px}.names b{direction:rtl;text-align:left}
.scroll{overflow-x:auto;flex:1}svg{display:block;font:11px system-ui,sans-serif}svg text{fill:var(--dim)}
.lane{stroke:var(--line);fill:none}.send{stroke:var(--dim);stroke-opacity:.55;fill:none}
.gap rect{fill:var(--card);stroke:var(--line);stroke-dasharray:2 3}.gap text{font-style:italic}
path.boot{stroke:var(--warn);stroke-width:1.5;stroke-dasharray:5 4}text.boot{fill:var(--warn);font-weight:600}
.hb{fill:var(--bg)}.hs{fill:var(--bad)}
.fx :is(rect,path){fill:var(--ok)}.fx:is(.failed,.timeout) :is(rect,path){fill:var(--bad);fill-opacity:.75}.fx.lost :is(rect,path){fill:url(#hatch);stroke:var(--bad)}
.fx.pending :is(rect,path){fill:none;stroke:var(--warn);stroke-dasharray:4 3;stroke-width:1.5}.fx.cancelled :is(rect,path){fill:var(--off)}
.dot{fill:var(--acc);stroke:var(--bg);stroke-width:1.5}.dot.ign{fill:var(--bad)}
.dots{stroke:var(--acc);stroke-width:8;stroke-linecap:round;fill:none}.dots.ign{stroke:var(--bad)}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin:8px 2px 18px;color:var(--dim);font-size:12px}.legend svg{display:inline-block;vertical-align:-2px;margin-right:5px}
.tbl{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px}
th{text-align:left;color:var(--dim);font-weight:500;border-bottom:1px solid var(--line);padding:4px 12px 4px 0}
td{border-bottom:1px solid var(--line);padding:4px 12px 4px 0;vertical-align:top;white-space:nowrap}td:last-child{white-space:normal;min-width:220px}
td:nth-child(-n+2){font-variant-numeric:tabular-nums;color:var(--dim)}tr.w td{color:var(--bad)}tr:target td{background:var(--card)}
#w:checked~.tbl tr.r{display:none}label{cursor:pointer}
`

const EFFECTS = ['done', 'lost', 'pending', 'failed', 'cancelled'] as const

/** Draws rows as one HTML document of at most limits.pictureBytesMax bytes. */
export function renderTimelineHtml(rows: readonly PictureRow[], meta: PictureMeta): string {
  const kept = rows.slice(-limits.pictureRowsMax)
  const { svg, lanes } = drawInBounds(kept)
  const head = [
    '<!doctype html><html lang="en"><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none';style-src '${styleHash()}'">`,
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    `<title>${escapeMarkup(shorten(meta.title, 240))}</title><style>${STYLE}</style>`,
    `<h1>${escapeMarkup(shorten(meta.title, 240))}</h1>`,
    `<p>${escapeMarkup(subtitleOf(kept, meta))}</p>`,
    summaryOf(kept),
    '<div class="chart"><div class="names">',
    ...lanes.map(laneName),
    `</div><div class="scroll">${svg}</div></div>`,
    legend(),
  ].join('\n')
  const left = meta.leftOut + rows.length - kept.length
  return `${head}\n${tableOf(kept, left, limits.pictureBytesMax - bytesOf(head))}\n`
}

const LINKED_MAX = 400 // rows that are drawn one by one

function drawInBounds(rows: readonly PictureRow[]): Drawing {
  const linked = drawTimeline(rows, rows.length <= LINKED_MAX)
  const isSmall = bytesOf(linked.svg) < limits.pictureBytesMax / 2
  return isSmall ? linked : drawTimeline(rows, false)
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length
}

function styleHash(): string {
  return `sha256-${btoa(String.fromCharCode(...sha256(STYLE)))}`
}

function subtitleOf(rows: readonly PictureRow[], { source, madeAt }: PictureMeta): string {
  const [first, last] = [rows[0], rows.at(-1)]
  if (first === undefined || last === undefined) return `no records · ${source}`
  const range = `#${first.position} to #${last.position}`
  const span = `${formatInstant(first.at)} to ${formatInstant(last.at)}`
  return `${range} · ${span} · ${source} · drawn ${formatInstant(madeAt)} · times are UTC`
}

function summaryOf(rows: readonly PictureRow[]): string {
  const effects = rows.flatMap((row) => row.effects)
  const chips = OUTCOMES.flatMap((outcome): string[] => {
    const count = effects.filter((effect) => effect.outcome === outcome).length
    if (count === 0) return []
    const isBad = outcome === 'lost' || outcome === 'failed' || outcome === 'timeout'
    return [`<span${isBad ? ' class="bad"' : ''}><b>${count}</b> ${outcome}</span>`]
  })
  const ignored = rows.filter((row) => row.ignored !== null).length
  if (ignored > 0) chips.push(`<span class="bad"><b>${ignored}</b> ignored</span>`)
  return `<div class="sum"><span><b>${rows.length}</b> records</span>${chips.join('')}</div>`
}

// Kind above, id below; where there is no room the beginning of the id goes, since ids differ at
// their ends.
function laneName(stream: string): string {
  const short = shorten(stream, TEXT_MAX)
  const [, kind = '', id = short] = /^([^:]+):(.*)$/s.exec(short) ?? []
  const name = `<i>${escapeMarkup(kind)}</i><b><bdi>${escapeMarkup(id)}</bdi></b>`
  return `<div title="${escapeMarkup(short)}">${name}</div>`
}

function legend(): string {
  const dot = (kind: string): string =>
    `<svg width="12" height="12"><circle class="${kind}" cx="6" cy="6" r="4.5"/></svg>`
  const bar = (outcome: string): string =>
    `<svg width="26" height="12"><g class="fx ${outcome}"><rect x="1" y="1" width="24" height="10" rx="2"/></g></svg>`
  const items = [
    `${dot('dot')}record`,
    `${dot('dot ign')}ignored`,
    ...EFFECTS.map((outcome) => `${bar(outcome)}effect ${outcome}`),
  ]
  return `<div class="legend">${items.map((item) => `<span>${item}</span>`).join('')}</div>`
}

// End tags of rows and cells may be left out (HTML, 13.1.2.4): a third of the bytes.
function tableOf(rows: readonly PictureRow[], leftOut: number, bytesMax: number): string {
  const lines = keepLines(rows, bytesMax - 600) // Less the head of the table, and what is said above.
  const missing: string[] = []
  if (leftOut > 0) missing.push(`${leftOut} earlier records are not in this picture.`)
  if (lines.length < rows.length) {
    const count = rows.length - lines.length
    missing.push(`For its size the table leaves out ${count} of the records drawn.`)
  }
  return [
    missing.length === 0 ? '' : `<p>${missing.join(' ')}</p>`,
    '<input type="checkbox" id="w"> <label for="w">only what went wrong</label>',
    '<div class="tbl"><table><thead><tr><th>#<th>time<th>actor<th>event<th>cause<th>state<th>outputs</thead><tbody>',
    ...lines,
    '</table></div>',
  ].join('\n')
}

// What went wrong first, then the newest, as many as there is room for; shown in their order.
function keepLines(rows: readonly PictureRow[], bytesMax: number): string[] {
  const newest = rows.map((row) => ({ row, line: rowOf(row) })).toReversed()
  const kept: typeof newest = []
  let bytes = 0
  for (const each of [
    ...newest.filter(({ row }) => isWrong(row)),
    ...newest.filter(({ row }) => !isWrong(row)),
  ]) {
    bytes += bytesOf(each.line) + 1
    if (bytes > bytesMax) break
    kept.push(each)
  }
  return kept.toSorted((a, b) => a.row.position - b.row.position).map(({ line }) => line)
}

function rowOf(row: PictureRow): string {
  const { position, at, stream, type, cause, value, ignored, effects, sends } = row
  const outputs = [
    ...effects.map(({ name, outcome }) => `${shorten(name, TEXT_MAX)} ${outcome}`),
    ...sends.map(({ to }) => `→ ${shorten(to, 30)}`),
  ]
  const where = shorten(value, TEXT_MAX)
  const state = ignored === null ? where : `∅ ${ignored} in ${where}`
  const names = [shorten(stream, 34), shorten(type, TEXT_MAX), shorten(cause, 24)]
  const cells = [formatTime(at, true), ...names, state]
  const text = [...cells, outputs.join(', ')].map((each) => `<td>${escapeMarkup(each)}`).join('')
  return `<tr class=${isWrong(row) ? 'w' : 'r'} id=p${position}><td>${position}${text}`
}
