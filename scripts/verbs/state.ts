/**
 * `openclaw state`: an actor, or all of them at one cut, as they were at any moment.
 */
import { systemClock } from '../../actors/services.ts'
import { kinds } from '../../machines/kinds.ts'
import { formatState } from '../../machines/history/documents.ts'
import { type UntoldActor, walkCut } from '../../machines/history/cut.ts'
import { requireRecord } from '../../machines/history/source.ts'
import { type StateAt, stateAt } from '../../machines/history/state.ts'
import { formatValue } from '../../machines/step.ts'
import type { Resolved } from '../../machines/history/resolve.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { formatInstant } from '../../protocol/history/address.ts'
import { followPointer, NOTHING, parsePointer } from '../../protocol/history/pointer.ts'
import { type StreamId, streamKind } from '../../protocol/ids.ts'
import { EXIT } from '../exit.ts'
import { bodiesOf } from '../history/lines.ts'
import { findStream } from '../../machines/history/find-stream.ts'
import { actorArgs, formatWhen, historyArgs, locate } from '../history/options.ts'
import { alongFork, type Source, withSource } from '../history/source.ts'
import { columns, note, plain, show, showJson, showText } from '../output.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0; 10: nothing of that name; 13: pruned. */
export const state = defineVerb({
  name: 'state',
  description: 'Show what an actor was at a moment, what it waited for, what was under way',
  args: {
    ...historyArgs,
    ...actorArgs,
    at: {
      type: 'string',
      valueHint: 'ADDRESS',
      description: '#42, 10:30, -5m, boot:3 ... (default head)',
    },
    path: { type: 'string', valueHint: '/POINTER', description: 'only this part of its context' },
    all: { type: 'boolean', description: 'every actor at one consistent cut' },
    bodies: { type: 'boolean', description: 'show the texts that the newest record names' },
  },
  run: (args) =>
    withSource(args.journal, (opened) => {
      const source = alongFork(opened, args.at)
      const started = systemClock.monotonic()
      const moment = locate(source, args.at ?? 'head', args)
      if (args.all) return showAll(source, moment, args)
      const stream = findStream(source.history, streamOf(source, args, moment))
      const found = stateAt(source.history, kinds, stream, moment)
      const ms = Math.round((systemClock.monotonic() - started) * 10) / 10
      if (found === null) return showAbsent(stream, moment, args.json === true)
      if (args.path !== undefined) return showPath(found, args.path, args.json === true)
      const bodies = args.bodies ? bodiesOf(source, found.record) : null
      const document = { ...formatState(found, ms), ...(bodies === null ? {} : { bodies }) }
      if (args.json) showJson({ ok: true, ...document })
      else showState(found, { moment, utc: args.utc === true, bodies })
      return 0
    }),
})

interface Wish {
  readonly json?: boolean | undefined
  readonly utc?: boolean | undefined
  readonly session?: string | undefined
  readonly actor?: string | undefined
}

// A position names an actor by itself.
function streamOf({ history }: Source, args: Wish, { position, at }: Resolved): Wish {
  const isNamed = args.session !== undefined || args.actor !== undefined
  if (isNamed || at !== null || position === 0) return args
  return { actor: requireRecord(history, position).stream }
}

function showAbsent(stream: StreamId, { position }: Resolved, json: boolean): number {
  if (json) showJson({ ok: true, stream, at: { position }, absent: true })
  else show(`${stream} @ #${position}: absent (it has no record yet)`)
  return 0
}

function showPath({ snapshot, stream, position }: StateAt, path: string, json: boolean): number {
  const value = followPointer(snapshot.context, parsePointer(path))
  if (value === NOTHING) {
    const keys = Object.keys(snapshot.context as object).join(', ')
    throw new GatewayError(
      'NOT_FOUND',
      `${stream}${path}: nothing there at #${position}; the context has ${keys}`,
    )
  }
  if (json) showJson({ ok: true, stream, at: { position }, path, value })
  else showText(JSON.stringify(value, null, 2))
  return 0
}

interface Shown {
  readonly moment: Resolved
  readonly utc: boolean
  readonly bodies: Readonly<Record<string, string | null>> | null
}

function showState(found: StateAt, { moment, utc, bodies }: Shown): void {
  const { stream, record, snapshot, verified, inFlight } = found
  const when = formatWhen(record.at, { utc })
  const check = verified
    ? '✓'
    : `✗ this code folds it to ${found.folded.hash}; try replay --with recorded`
  const place =
    moment.microstep === null ? `#${record.position}` : `#${record.position}.${moment.microstep}`
  show(`${stream} @ ${place} (${when}, epoch ${record.epoch})`)
  show(`  ${streamKind(stream)} machine, code ${record.code}, hash ${record.stateHash} ${check}`)
  const rows = [['  value', `${formatValue(snapshot)}${sinceText(found, moment)}`]]
  rows.push(['  waiting', waitingText(found, moment)])
  for (const { address, name, to, started } of inFlight) {
    const mark = started ? ', begun' : ''
    rows.push(['  in flight', `#${address} ${name}${to === null ? '' : ` → ${to}`}${mark}`])
  }
  if (!found.inFlightComplete) rows.push(['', 'older outputs of it were not looked for'])
  const context = snapshot.context as Readonly<Record<string, unknown>>
  for (const [key, value] of Object.entries(context)) {
    rows.push([`  ${key}`, plain(shorten(JSON.stringify(value)))])
  }
  for (const [ref, text] of Object.entries(bodies ?? {})) {
    rows.push([`  ${ref}`, text === null ? '(erased or not here)' : JSON.stringify(plain(text))])
  }
  for (const line of columns(rows)) show(line)
}

function sinceText({ record }: StateAt, { at }: Resolved): string {
  if (at === null) return ''
  return `   since #${record.position} or before, ${((at - record.at) / 1_000).toFixed(3)} s at the asked time`
}

function waitingText({ waitingFor, timers, snapshot }: StateAt, { at }: Resolved): string {
  if (snapshot.status !== 'active') return 'for nothing: it has ended'
  const events = [...new Set(waitingFor.map(({ event }) => event))].join(' | ')
  const due = timers.map(({ event, dueAt }) => {
    const left = at === null ? '' : `, in ${((dueAt - at) / 1_000).toFixed(1)} s`
    return `${event.type} at ${formatInstant(dueAt)}${left}`
  })
  return [events || 'for nothing that it knows', ...due].join('; ')
}

function shorten(text: string | undefined): string {
  const whole = text ?? 'undefined'
  return whole.length <= 160 ? whole : `${whole.slice(0, 157)}...`
}

// One cut: every actor by its newest record at or before the position (K10). Only what is shown of
// each is kept: there may be a hundred thousand.
function showAll({ history }: Source, moment: Resolved, { json, utc }: Wish): number {
  const { position } = moment
  const actors: ReturnType<typeof formatState>[] = []
  const rows: string[][] = []
  const untold: UntoldActor[] = []
  for (const found of walkCut(history, kinds, position)) {
    if (!('snapshot' in found)) untold.push(found)
    else if (json) actors.push(formatState(found, 0))
    else rows.push(rowOf(found, utc))
  }
  const count = actors.length + rows.length
  const exit = count > 0 ? 0 : untold.length > 0 ? EXIT.pruned : EXIT.nothing
  if (json) {
    showJson({ ok: true, at: { position }, actors, pruned: untold })
    return exit
  }
  show(`${count} actors at #${position}`)
  for (const line of columns(rows)) show(line)
  for (const { stream, oldest } of untold) {
    const left = oldest === null ? 'none is left' : `the oldest left is behind #${oldest}`
    show(`  ${stream}: HISTORY_PRUNED, its state there was compacted away; ${left}`)
  }
  if (exit === EXIT.nothing) note('nothing had happened yet')
  return exit
}

function rowOf({ stream, record, snapshot, verified, inFlight }: StateAt, utc?: boolean): string[] {
  return [
    `  ${stream}`,
    formatValue(snapshot),
    `#${record.position}`,
    formatWhen(record.at, { utc }),
    [
      ...inFlight.map(({ address, name }) => `#${address} ${name}`),
      ...(verified ? [] : ['✗ hash differs']),
    ].join('  '),
  ]
}
