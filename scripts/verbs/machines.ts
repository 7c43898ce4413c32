/**
 * `openclaw machines ls|chart`: the machines of this version, and where an actor stands in one.
 */
import { readCodeIdentity } from '../../actors/code.ts'
import { writePrivate } from '../../actors/private-file.ts'
import { renderChartAscii } from '../../machines/chart/ascii.ts'
import { renderChartMermaid } from '../../machines/chart/mermaid.ts'
import { type Chart, type ChartMark, chartOf, markOf, NO_MARK } from '../../machines/chart/model.ts'
import { renderChartSvg } from '../../machines/chart/svg.ts'
import { foldStream } from '../../machines/history/fold.ts'
import { kindOf } from '../../machines/history/source.ts'
import { kinds } from '../../machines/kinds.ts'
import { formatValue } from '../../machines/step.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote, STREAM_KINDS, streamKind } from '../../protocol/ids.ts'
import { didYouMean, jsonArgs } from '../arguments.ts'
import { findStream } from '../../machines/history/find-stream.ts'
import { actorArgs, historyArgs, locate } from '../history/options.ts'
import { type Source, withSource } from '../history/source.ts'
import { columns, show, showJson, showText } from '../output.ts'
import { defineVerb } from '../verb.ts'

export const machinesList = defineVerb({
  name: 'machines ls',
  description: 'List the machines of this version',
  args: jsonArgs,
  run(args) {
    const code = readCodeIdentity()
    const machines = STREAM_KINDS.map((kind) => {
      const { states, edges } = chartOf(kinds[kind].stepper.machine)
      const names = states.filter(({ depth }) => depth > 0).map(({ id }) => id)
      return { kind, states: names, transitions: edges.length }
    })
    if (args.json) showJson({ ok: true, code, machines })
    else {
      const rows = machines.map(({ kind, states, transitions }) => [
        kind,
        `${transitions} transitions`,
        states.join(', '),
      ])
      for (const line of columns(rows)) show(line)
      show(`code ${code}`)
    }
    return Promise.resolve(0)
  },
})

const formats: string[] = ['ascii', 'svg', 'mermaid']

export const machinesChart = defineVerb({
  name: 'machines chart',
  description: 'Draw a machine; of an actor, with the state that it is or was in',
  args: {
    ...historyArgs,
    ...actorArgs,
    kind: {
      type: 'positional',
      required: false,
      valueHint: 'KIND',
      description: `which machine: ${STREAM_KINDS.join(', ')}; that of the actor where one is named`,
    },
    at: { type: 'string', valueHint: 'ADDRESS', description: 'when (default: head)' },
    format: { type: 'enum', options: formats, description: 'how to draw (default ascii)' },
    out: { type: 'string', alias: 'o', valueHint: 'FILE', description: 'write it to a file' },
  },
  async run(args) {
    const isActor = args.session !== undefined || args.actor !== undefined
    const standing = isActor
      ? await withSource(args.journal, (source) => stand(source, args))
      : nobody(args.kind, args.at)
    const { kind, mark, value, stream, version } = standing
    if (args.kind !== undefined && args.kind !== kind) {
      throw new GatewayError('USAGE', `${stream}: is a ${kind}, not a ${args.kind}`)
    }
    const chart = chartOf(kindOf(kinds, `${kind}:`).stepper.machine)
    const drawn = draw(chart, mark, args.format ?? 'ascii')
    if (args.out !== undefined) writePrivate(args.out, drawn)
    if (args.json) {
      showJson({ ok: true, kind, stream, version, value, file: args.out ?? null, ...chart })
    } else if (args.out !== undefined) show(`wrote ${args.out}`)
    else {
      if (stream !== null) show(`${stream} after ${version} records: ${value}`)
      showText(drawn)
    }
    return 0
  },
})

interface Standing {
  readonly kind: (typeof STREAM_KINDS)[number]
  readonly mark: ChartMark
  readonly stream: string | null
  readonly version: number
  readonly value: string | null
}

function nobody(word: string | undefined, at: string | undefined): Standing {
  if (at !== undefined) throw new GatewayError('USAGE', '--at needs --session or --actor')
  const kind = STREAM_KINDS.find((known) => known === word)
  if (kind !== undefined) return { kind, mark: NO_MARK, stream: null, version: 0, value: null }
  const hint = didYouMean(word ?? '', STREAM_KINDS)
  const text = `expected one of ${STREAM_KINDS.join(', ')}, got ${quote(word ?? '')}${hint}`
  throw new GatewayError('USAGE', `KIND: ${text}`)
}

interface StandFlags {
  readonly session?: string | undefined
  readonly actor?: string | undefined
  readonly at?: string | undefined
  readonly utc?: boolean | undefined
  readonly date?: string | undefined
}

function stand(source: Source, flags: StandFlags): Standing {
  const { history } = source
  const stream = findStream(history, flags)
  const { position } = locate(source, flags.at ?? 'head', flags)
  const version = history.versionAt(stream, position)
  const { snapshot } = foldStream(history, kinds, stream, { upToVersion: version })
  const value = formatValue(snapshot)
  return { kind: streamKind(stream), mark: markOf(snapshot.value), stream, version, value }
}

function draw(chart: Chart, mark: ChartMark, format: string): string {
  if (format === 'svg') return renderChartSvg(chart, mark)
  return format === 'mermaid' ? renderChartMermaid(chart, mark) : renderChartAscii(chart, mark)
}
