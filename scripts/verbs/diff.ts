/**
 * `openclaw diff A B`: what changed in an actor between two moments, and which record did it.
 */
import { kinds } from '../../machines/kinds.ts'
import { formatDiff } from '../../machines/history/documents.ts'
import { diffStates, type StateDiff, type WrittenChange } from '../../machines/history/diff.ts'
import { requireRecord } from '../../machines/history/source.ts'
import { findStream } from '../../machines/history/find-stream.ts'
import { actorArgs, historyArgs, locate } from '../history/options.ts'
import { alongFork, withSource } from '../history/source.ts'
import { columns, plain, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0, also where nothing differs or the actor did not exist yet. */
export const diff = defineVerb({
  name: 'diff',
  description: 'Compare an actor at two moments; each change names the record that made it',
  args: {
    ...historyArgs,
    ...actorArgs,
    a: { type: 'positional', required: true, description: 'the earlier moment' },
    b: { type: 'positional', required: true, description: 'the later one' },
  },
  run: (args) =>
    withSource(args.journal, (opened) => {
      const source = alongFork(opened, args.a, args.b)
      const [a, b] = [locate(source, args.a, args), locate(source, args.b, args)]
      const [from, to] = [a.position, b.position].sort((x, y) => x - y)
      const named = args.session !== undefined || args.actor !== undefined
      const actor = named ? args : { actor: requireRecord(source.history, to ?? 0).stream }
      const stream = findStream(source.history, actor)
      const found = diffStates(source.history, kinds, stream, { from: from ?? 0, to: to ?? 0 })
      if (args.json) showJson({ ok: true, ...formatDiff(found) })
      else showDiff(found)
      return 0
    }),
})

function showDiff({ stream, from, to, absent, values, transitions, changes }: StateDiff): void {
  show(`${stream}  #${from} .. #${to}`)
  if (absent === 'both') return show('  absent at both: it has no record yet')
  if (absent === 'from') show(`  absent at #${from}`)
  const rows = [['  value', valuesText(values, transitions), '']]
  for (const change of changes) {
    rows.push([
      `${MARKS[change.op]} ${change.path}`,
      changeText(change),
      `#${change.by.position} ${change.by.type}`,
    ])
  }
  for (const line of columns(rows)) show(line)
  if (changes.length === 0 && transitions === 0) show('  no difference')
}

const MARKS = { add: '+', remove: '-', replace: '~' } as const
const VALUES_SHOWN = 8

function valuesText(values: readonly string[], transitions: number): string {
  const shown =
    values.length <= VALUES_SHOWN ? values : [...values.slice(0, 3), '…', ...values.slice(-3)]
  return transitions === 0 ? shown.join('') : `${shown.join(' → ')} (${transitions} transitions)`
}

function changeText({ op, value, was }: WrittenChange): string {
  if (op === 'add') return write(value)
  return op === 'remove' ? write(was) : `${write(was)} → ${write(value)}`
}

function write(value: unknown): string {
  const text = plain(JSON.stringify(value) ?? 'undefined')
  return text.length <= 48 ? text : `${text.slice(0, 45)}...`
}
