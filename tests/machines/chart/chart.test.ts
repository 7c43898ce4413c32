/** Charts: of every machine that we have, of nested ones, and of names that would be markup. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { setup } from 'xstate'
import { renderChartAscii } from '../../../machines/chart/ascii.ts'
import { layoutOf } from '../../../machines/chart/layout.ts'
import { renderChartMermaid } from '../../../machines/chart/mermaid.ts'
import { type Chart, chartOf, edgeLabel, markOf, NO_MARK } from '../../../machines/chart/model.ts'
import { renderChartSvg } from '../../../machines/chart/svg.ts'
import { kinds } from '../../../machines/kinds.ts'
import { limits } from '../../../protocol/limits.ts'
import { cases } from '../../store/cases.ts'

const chart = cases('charts')

const nested = chartOf(
  setup({}).createMachine({
    id: 'nested',
    initial: 'off',
    states: {
      off: { on: { 'power.pressed': 'on' } },
      on: {
        initial: 'low',
        on: { 'power.pressed': 'off' },
        states: { low: { on: { 'gear.turned': 'high' } }, high: { type: 'final' } },
      },
    },
  }),
)

const widthOf = (text: string) => Math.max(...text.split('\n').map((line) => line.length))

for (const [kind, { stepper }] of Object.entries(kinds)) {
  const ours = chartOf(stepper.machine)

  chart(`CH1 ${kind} fits, and has every state and transition`, () => {
    const text = renderChartAscii(ours, NO_MARK)

    assert.ok(widthOf(text) <= limits.chartColumnsMax)
    const states = Object.keys(stepper.machine.root.states)
    for (const name of states) assert.match(text, new RegExp(`[│║] (?:[●◎]+ )?${name} [│║]`))
    const flat = text.replaceAll(/[│╭╰├─►\s]+/g, ' ')
    for (const edge of ours.edges) assert.ok(flat.includes(edgeLabel(edge)), edgeLabel(edge))
    assert.is(text.match(/►/g)?.length, layoutOf(ours).rails.length)
  })

  chart(`CH1 ${kind} is drawn as SVG and Mermaid`, () => {
    const svg = renderChartSvg(ours, NO_MARK)
    const mermaid = renderChartMermaid(ours, NO_MARK)

    assert.not.match(svg, /<script|href|NaN|undefined/)
    assert.is(svg.match(/class="box/g)?.length, ours.states.length)
    assert.is(mermaid.match(/-->/g)?.length, countArrows(ours))
  })
}

function countArrows({ states, edges }: Chart): number {
  const ends = states.filter(({ isFinal }) => isFinal).length
  return (
    edges.length + ends + states.filter(({ isInitial, depth }) => isInitial && depth === 1).length
  )
}

chart('CH2 where the actor is, is marked, and what may come now', () => {
  const delivery = chartOf(kinds.delivery.stepper.machine)
  const mark = markOf('attempting')

  const text = renderChartAscii(delivery, mark)
  const svg = renderChartSvg(delivery, mark)

  assert.match(text, /║ ■ attempting ║/)
  assert.is(text.match(/^.*▸ (?!may).*$/gm)?.length, 6)
  assert.not.match(text, /▸ retry\.due/)
  assert.is(svg.match(/class="on"/g)?.length, 1)
  assert.match(renderChartMermaid(delivery, mark), /class s1 here/)
})

chart('CH2 any state may take what the machine itself takes', () => {
  const text = renderChartAscii(chartOf(kinds.channel.stepper.machine), markOf('online'))

  assert.match(text, /▸ channel\.disabled/)
  assert.match(text, /▸ link\.dropped/)
  assert.not.match(text, /▸ effect\.done/)
})

chart('CH3 nested states stand in their parent, and both are marked', () => {
  const mark = markOf({ on: 'low' })

  const text = renderChartAscii(nested, mark)

  assert.equal([...mark.active], ['on', 'on.low'])
  assert.equal(
    nested.states.map(({ id, depth, isInitial, isFinal }) => [id, depth, isInitial, isFinal]),
    [
      ['off', 1, true, false],
      ['on', 1, false, false],
      ['on.low', 2, true, false],
      ['on.high', 2, false, true],
    ],
  )
  assert.match(text, /║ ■ on ║/)
  assert.match(text, / {2}║ ■● low ║/)
  assert.match(text, /→ on\.high/)
})

chart('CH4 rails of one place do not lie over one another', () => {
  for (const { stepper } of Object.values(kinds)) {
    const { rails } = layoutOf(chartOf(stepper.machine))
    for (const [at, rail] of rails.entries()) {
      for (const other of rails.slice(at + 1)) {
        const apart = other.top > rail.bottom || other.bottom < rail.top
        assert.ok(apart || other.column !== rail.column, `${rail.target} and ${other.target}`)
      }
    }
  }
})

chart('CH5 long labels are wrapped, and names stay text', () => {
  const long: Chart = {
    name: '<b>&',
    states: [
      { id: 'a', key: '<a>', depth: 1, isInitial: true, isFinal: false, entry: ['x'], exit: ['y'] },
    ],
    edges: [
      {
        from: 'a',
        to: 'a',
        event: 'a.b',
        guard: 'g'.repeat(140),
        actions: Array.from({ length: 20 }, (_, at) => `action.${at}`),
      },
    ],
  }

  assert.ok(widthOf(renderChartAscii(long, NO_MARK)) <= limits.chartColumnsMax)
  assert.match(renderChartAscii(long, NO_MARK), /action\.19/)
  assert.not.match(renderChartSvg(long, NO_MARK), /<a>|<b>/)
  assert.match(renderChartMermaid(long, NO_MARK), /state " a " as s0/)
})

chart.run()
