/**
 * A chart as a Mermaid state diagram, for issues and wikis that draw it.
 */
import { type Chart, type ChartMark, type ChartState, edgeLabel, isEnabled } from './model.ts'

/** Writes a chart; any state's transitions lead from a state of that name. */
export function renderChartMermaid({ states, edges }: Chart, mark: ChartMark): string {
  const ids = new Map(states.map(({ id }, at) => [id, `s${at}`]))
  const idOf = (state: string): string => ids.get(state) ?? 's'
  const [here] = states.filter(({ id }) => mark.active.has(id)).map(({ id }) => idOf(id))
  return [
    'stateDiagram-v2',
    ...states.map(({ id, key }) => `  state "${plain(key)}" as ${idOf(id)}`),
    ...states.flatMap((state) => edgeLines(state, idOf)),
    ...edges.map((edge) => {
      const bold = isEnabled(edge, mark) ? '▸ ' : ''
      return `  ${idOf(edge.from)} --> ${idOf(edge.to ?? edge.from)}: ${bold}${plain(edgeLabel(edge))}`
    }),
    ...(here === undefined
      ? []
      : ['  classDef here fill:#2f6feb,color:#fff', `  class ${here} here`]),
    '',
  ].join('\n')
}

function edgeLines(
  { id, depth, isInitial, isFinal }: ChartState,
  idOf: (state: string) => string,
): string[] {
  return [
    ...(isInitial && depth === 1 ? [`  [*] --> ${idOf(id)}`] : []),
    ...(isFinal ? [`  ${idOf(id)} --> [*]`] : []),
  ]
}

function plain(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N} .,/_[\]-]/gu, ' ')
}
