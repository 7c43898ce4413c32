/**
 * How `why` answers: sentences for people, documents for programs.
 */
import type { OutputEnd } from '../../machines/history/why.ts'
import type { GuardReading } from '../../machines/history/guards.ts'
import type { History } from '../../machines/history/source.ts'
import type { Why, WhyStep } from '../../machines/history/why.ts'
import type { Verdict, WhyNot } from '../../machines/history/why-not.ts'
import { formatInstant, formatTime } from '../../protocol/history/address.ts'
import { cutIds, sayEffect, sayRecord, sayRoot } from '../../protocol/history/words.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { columns, plain, show } from '../output.ts'

/** Prints a chain, the newest first, down to what lies outside. */
export function showWhy(
  { steps, root, pruned }: Why,
  end: OutputEnd | null,
  { utc }: { utc: boolean },
): void {
  const [first, ...rest] = steps
  if (first === undefined) return
  const { record, output } = first
  if (output === null)
    show(`#${record.position} ${sayRecord(record)} at ${formatTime(record.at, utc)}`)
  else
    show(
      `#${record.position}.${output} ${outputText(record, output)} was requested at ${formatTime(record.at, utc)}${endText(end)}`,
    )
  const rows = [outputRow(first), ...rest.map(stepRow)]
  for (const line of columns(rows)) show(line)
  for (const line of refusalLines(first)) show(line)
  if (pruned === null) show(`  root: ${cutIds(sayRoot(root))}`)
  else show(`  the chain goes on at #${pruned}, which was compacted away`)
}

function outputRow(step: WhyStep): string[] {
  const { record, valueBefore, guards } = step
  const change =
    record.ignored === null ? changeText(step) : `ignored (${record.ignored}) in ${valueBefore}`
  if (step.output === null) return [`  it was ${change}`, '', guardText(guards)]
  return [`  because ${sayRecord(record)}, ${change}`, `#${record.position}`, guardText(guards)]
}

function stepRow(step: WhyStep): string[] {
  const { record, guards, sinceCauseMs } = step
  const took =
    sinceCauseMs === null || sinceCauseMs < 1_000
      ? ''
      : ` after ${(sinceCauseMs / 1_000).toFixed(2)} s`
  return [
    `  because ${sayRecord(record)}${took}, ${changeText(step)}`,
    `#${record.position}`,
    guardText(guards),
  ]
}

function changeText({ valueBefore, record }: WhyStep): string {
  return valueBefore === record.value ? `in ${record.value}` : `${valueBefore} → ${record.value}`
}

function outputText(record: JournalRecord, output: string): string {
  const index = Number(output.slice(1))
  const effect = output.startsWith('e') ? record.effects[index] : undefined
  if (effect !== undefined) return sayEffect(effect)
  const send = output.startsWith('s') ? record.sends[index] : undefined
  if (send !== undefined) return `${send.event.type} to ${send.to}`
  const wait = record.armed[index]
  return wait === undefined ? output : `${wait.event.type}, due ${formatInstant(wait.dueAt)},`
}

function endText(end: OutputEnd | null): string {
  if (end === null) return ''
  if (end.record === null) return '; it has no outcome yet'
  return `; ${end.outcome} by #${end.record.position}`
}

function guardText(guards: readonly GuardReading[]): string {
  return guards.map(({ guard, passed }) => `${guard} = ${passed}`).join(', ')
}

// Why a guard said no: what it looked at.
function refusalLines({ record, guards }: WhyStep): string[] {
  if (record.ignored !== 'refused') return []
  return guards.map(({ guard, inputs }) => {
    const read = Object.entries(inputs).map(([path, value]) => `${path} = ${JSON.stringify(value)}`)
    return `    ${guard} said no to ${read.join(', ') || 'nothing that it read'}`
  })
}

const VERDICTS: Readonly<Record<Verdict, string>> = {
  happened: 'It did happen.',
  lost: 'LOST: the process ended before an outcome was known',
  pending: 'PENDING: it is under way',
  waiting: 'WAITING: for its time',
  blocked: 'BLOCKED: something must come first',
  failed: 'FAILED: it was tried and given up',
  refused: 'REFUSED',
  'never-requested': 'NEVER REQUESTED: nothing asked for it',
  pruned: 'HISTORY_PRUNED: what came of it was compacted away',
}

interface ShownAbsence {
  readonly says: string
  readonly history: History
  readonly utc: boolean
}

/** Prints why something did not happen. */
export function showWhyNot(found: WhyNot, { says, history, utc }: ShownAbsence): void {
  const { verdict, chain, frontier } = found
  const path = chain.map(({ position, event }) => `#${position} ${event.type}`).join(' → ')
  if (frontier === null) {
    show(`${says} did happen:`)
    show(path)
    return
  }
  const end = verdict === 'pruned' ? 'may have happened' : 'did not happen'
  show(`${says} ${end}. The chain stops here:`)
  show(
    `${path} → ✗ ${frontier.output === null ? '' : `#${frontier.output} `}${plain(frontier.reason)}`,
  )
  const [detail = '', ...more] = detailOf(found, history, utc)
  for (const line of [`${VERDICTS[verdict]}${detail}`, ...more]) show(`  ${line}`)
  showStanding(found, history, utc)
}

function detailOf({ verdict, frontier, chain }: WhyNot, history: History, utc: boolean): string[] {
  if (frontier === null) return []
  const { record, reason } = frontier
  if (verdict === 'refused') return [`: by ${reason}, at #${record.position}`]
  if (verdict === 'failed') return [` (${reason}), at #${record.position}`]
  if (verdict !== 'lost') return []
  const request = chain.findLast(({ effects }) => effects.length > 0) ?? record
  const head = history.read(history.head())
  const later = head !== null && head.epoch > request.epoch ? `, epoch ${request.epoch} ended` : ''
  const known =
    record === request ? ', no outcome in any later epoch' : `, told as lost by #${record.position}`
  return [
    '',
    `requested ${formatTime(request.at, utc)}${later}${known} (it may or may not have happened)`,
  ]
}

function showStanding(
  { frontier, ignored, blocks, proof }: WhyNot,
  history: History,
  utc: boolean,
): void {
  if (frontier === null) return
  if (proof !== null) {
    const accepts =
      proof.accepts.length === 0
        ? 'It accepts nothing.'
        : `It accepts: ${proof.accepts.join(', ')}.`
    show(`  ${frontier.stream} stands in "${proof.value}" (head #${history.head()}). ${accepts}`)
  }
  for (const { position, event, value, ignored: how } of ignored.slice(0, 5)) {
    show(`  ∅ #${position} ${event.type} arrived and was ignored: ${how ?? ''} in "${value}".`)
  }
  if (proof !== null) show(`  Proof: ${proofText(proof, utc)}`)
  if (blocks.length > 0) {
    show(`  The same cause blocks ${blocks.map((position) => `#${position}`).join(', ')}.`)
  }
}

function proofText(
  { value, reachable, goesOnAt, accepts }: NonNullable<WhyNot['proof']>,
  utc: boolean,
): string {
  if (goesOnAt !== null) {
    return `it goes on by itself at ${formatTime(goesOnAt, utc)}, to ${reachable.join(', ') || 'the same'}.`
  }
  if (accepts.length === 0) return `"${value}" is where it ends; nothing leaves it.`
  return `without an event from outside no sequence leaves "${value}" (it waits for nothing of its own).`
}
