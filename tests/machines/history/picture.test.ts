/** Pictures of a timeline: what is drawn, what is escaped, what is left out and said so. */
import '../../../actors/trap.ts'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { isRefused, type PictureRow, pictureRows } from '../../../machines/history/picture.ts'
import { renderTimelineHtml } from '../../../machines/history/picture-html.ts'
import { renderTimelineMermaid } from '../../../machines/history/picture-mermaid.ts'
import { scaleOf } from '../../../machines/history/picture-scale.ts'
import { formatReport, impactOf } from '../../../machines/history/report.ts'
import { openSegment } from '../../../machines/history/segment.ts'
import type { StreamId } from '../../../protocol/ids.ts'
import { limits } from '../../../protocol/limits.ts'
import { cases } from '../../store/cases.ts'
import { bundleOf, messageRefused, replyLost } from '../../support/incidents.ts'

const picture = cases('pictures')
const META = { title: 'x', source: 'home', leftOut: 0, madeAt: 1 }
const lost = bundleOf(await replyLost()).segment
const { rows } = pictureRows(openSegment(lost), lost.from, lost.to)

function row(position: number, changes: Partial<PictureRow> = {}): PictureRow {
  return {
    position,
    stream: 'run:a',
    type: 'run.requested',
    cause: 'ext:x',
    at: position * 1_000,
    epoch: 1,
    value: 'calling',
    ignored: null,
    effects: [],
    sends: [],
    ...changes,
  }
}

picture('PI1 rows know what became of each effect, also behind their range', () => {
  const effects = rows.flatMap((each) => each.effects)

  assert.equal(
    effects.map(({ name, outcome }) => `${name} ${outcome}`),
    ['model.call done', 'message.deliver lost', 'model.call done', 'message.deliver done'],
  )
  const cut = pictureRows(openSegment(lost), lost.from, 9).rows
  assert.is(cut.at(-1)?.effects[0]?.outcome, 'lost')
  assert.ok((effects[1]?.until ?? 0) > 0)
})

picture('PI1 a refused message is told, one that was sent on is not', async () => {
  const refused = bundleOf(await messageRefused()).segment
  const told = pictureRows(openSegment(refused), 1, refused.to).rows

  assert.is(told.filter(isRefused).length, 1)
  const { messagesIn, effects } = impactOf(told)
  assert.equal([messagesIn, effects['failed']], [2, 1])
  assert.is(rows.filter(isRefused).length, 0)
})

picture('PI1 of too many records the newest are kept, and the others counted', () => {
  const count = limits.pictureRowsMax * 2 + 10
  const [first] = lost.records
  const records = Array.from({ length: count }, (_, at) => ({ ...first!, position: at + 1 }))
  const history = openSegment({ ...lost, from: 1, to: count, bases: [], records })

  const cut = pictureRows(history, 1, count)

  assert.equal(
    [cut.rows.length, cut.leftOut],
    [limits.pictureRowsMax, count - limits.pictureRowsMax],
  )
  assert.is(cut.rows.at(-1)?.position, count)
})

picture('PI2 the file has lanes, hatched bars, boots, gaps and red dots, and no script', () => {
  const ignored = row(99, { ignored: 'unhandled', at: (rows.at(-1)?.at ?? 0) + 1 })
  const html = renderTimelineHtml([...rows, ignored], META)

  assert.match(
    html,
    /<g class="fx lost"><rect [^>]+><title>\d+\.e0 message\.deliver: lost after 138 ms/,
  )
  assert.match(html, />boot 2</)
  assert.match(html, /class="gap".*1 min 02 s/)
  assert.match(html, /class="dot ign"/)
  assert.is(html.match(/<div title="/g)?.length, 8)
  assert.not.match(html, /<script|https?:|\son\w+=|\sstyle=/)
})

picture('PI2 the policy lets only the one style through: its digest fits', () => {
  const html = renderTimelineHtml(rows, META)
  const style = /<style>([^]*?)<\/style>/.exec(html)?.[1] ?? ''

  const digest = createHash('sha256').update(style).digest('base64')
  assert.ok(html.includes(`default-src 'none';style-src 'sha256-${digest}'`))
})

picture('PI3 P29 whatever a record holds, it stays text and the file stays small', () => {
  const evil = fc.oneof(
    fc.constantFrom('"><script>alert(1)</script>', "' onload='x", '<!--', ']]>', '&#0;', '\u202e'),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constant('<&">'.repeat(20_000)),
  )
  const anyRow = fc.tuple(evil, evil, evil, evil).map(([stream, type, cause, value]) =>
    row(1, {
      stream: `run:${stream}`,
      type,
      cause,
      value,
      effects: [{ address: '1.e0', name: type, outcome: 'pending', until: null }],
      sends: [{ address: '1.s0', to: `run:${value}`, type }],
    }),
  )
  const many = fc.array(anyRow, { maxLength: 60 })
  const tags =
    /<\/?(?:!doctype|html|meta|title|style|h1|p|b|i|bdi|div|span|svg|defs|pattern|rect|path|text|g|a|circle|input|label|table|thead|tbody|tr|td|th)\b/gi
  fc.assert(
    fc.property(many, evil, (list, title) => {
      const placed = list.map((each, at) => ({ ...each, position: at + 1, at: at * 1_000 }))
      const html = renderTimelineHtml(placed, { ...META, title })
      assert.not.match(html.replaceAll(tags, ''), /<[a-z!/]/i)
      assert.ok(Buffer.byteLength(html) <= limits.pictureBytesMax, `${html.length}`)
    }),
    { numRuns: 60, seed: 11 },
  )
})

picture('PI4 2,000 records stay under the bound, and what is left out is said', () => {
  const many = Array.from({ length: 2_400 }, (_, at) =>
    row(at + 1, {
      stream: `session:agent:main:telegram:direct:${at % 90}` as StreamId,
      ignored: at === 500 ? 'refused' : null,
      effects: [
        { address: `${at + 1}.e0`, name: 'model.call', outcome: 'done', until: at * 1_000 },
      ],
      sends: [{ address: `${at + 1}.s0`, to: 'run:b', type: 'x' }],
    }),
  )

  const html = renderTimelineHtml(many, { ...META, leftOut: 7 })

  assert.ok(Buffer.byteLength(html) <= limits.pictureBytesMax)
  assert.match(html, /407 earlier records are not in this picture/)
  assert.match(html, /the table leaves out \d+ of the records drawn/)
  assert.match(html, /30 other actors/)
  assert.match(html, /id=p501>/, 'what went wrong is kept first')
})

picture('PI4 nothing to draw is a file all the same', () => {
  assert.match(renderTimelineHtml([], META), /no records/)
  assert.match(renderTimelineMermaid([]), /^sequenceDiagram\n/)
})

picture('PI5 the scale never steps back and folds silences', () => {
  const list = [row(1), row(2), row(3, { at: 100_000 }), row(4, { at: 50 })]

  const { at, gaps, of } = scaleOf(list, 10)

  assert.equal(
    at,
    at.toSorted((a, b) => a - b),
  )
  assert.is(gaps.length, 1)
  assert.ok(of(1_500) > at[0]! && of(1_500) <= at[3]!)
})

picture(
  'PI6 the sequence diagram has participants, arrows with positions, and no foreign syntax',
  () => {
    const text = renderTimelineMermaid([
      ...rows,
      row(90, { type: 'x; end\n  a0->>a1: forged #1; %%{init}%%', at: rows.at(-1)!.at }),
    ])

    assert.match(text, /participant a1 as session:agent:main:irc:direct:ann/)
    assert.match(text, /a0->>a1: 4\.s0 message\.accepted/)
    assert.match(text, /a\d-xa\d: \d+\.e0 message\.deliver lost/)
    assert.match(text, /Note over a0: boot 2/)
    assert.not.match(text, /;|%%|\bend\b|forged #/)
    for (const line of text.trim().split('\n').slice(1))
      assert.match(line, /^ {2}(?:participant a\d+ as|Note over a\d+:|a\d+(?:->>|-x)a\d+:) /)
  },
)

picture('PI7 a report escapes what strangers wrote, and names evidence for each line', () => {
  const note = { address: '#4', position: 4, author: '<i>', at: 1, command: '' }
  const report = formatReport({
    id: 'inc-1',
    title: '# <b>',
    severity: 2,
    from: lost.from,
    to: lost.to,
    leftOut: 0,
    rows,
    notes: [{ ...note, text: '[x](y) | z' }],
    program: 'openclaw',
  })

  assert.match(report, /^# inc-1: \\# \\<b\\>$/m)
  assert.not.match(report, /[^\\]\[x[^\\]\]|[^\\]<i>/)
  assert.match(report, /#9 delivery:reply-run-502 delivery\.requested ⇒ attempting/)
})

picture.run()
