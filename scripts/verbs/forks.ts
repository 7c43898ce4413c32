/**
 * `openclaw fork ls`, `show`, `diff`, `drop`, `promote`: the forks beside a journal.
 */
import { dropFork, type ForkFile, listForks, readFork } from '../../actors/forks.ts'
import { isSame } from '../../machines/history/compare.ts'
import { toGatewayError } from '../../protocol/errors.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { refuseLive, showFork } from '../history/forks.ts'
import { formatWhen, historyArgs } from '../history/options.ts'
import { type Source, withSource } from '../history/source.ts'
import { columns, note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

const named = {
  name: { type: 'positional', required: true, valueHint: 'NAME', description: 'the fork' },
  ...historyArgs,
} as const

export const forkLs = defineVerb({
  name: 'fork ls',
  description: 'List the forks beside this journal',
  args: historyArgs,
  run: (args) =>
    withSource(args.journal, ({ stateDir }) => {
      const forks = readAll(stateDir)
      if (args.json === true) {
        showJson({ ok: true, schema: 'openclaw-forks/1', forks: forks.map(summaryOf) })
        return 0
      }
      if (forks.length === 0) note('no forks yet')
      const rows = forks.map(({ name, at, result, code, createdAt }) => [
        `@${name}`,
        `#${at}`,
        `@${name}#${result.head}`,
        result.firstDivergence === null ? 'identical' : `diverges at #${result.firstDivergence}`,
        code,
        formatWhen(createdAt, args),
      ])
      if (rows.length > 0) rows.unshift(['NAME', 'CUT', 'HEAD', '', 'CODE', 'MADE'])
      for (const line of columns(rows)) show(line)
      return 0
    }),
})

// One damaged file does not hide the others.
function readAll(stateDir: string): ForkFile[] {
  return listForks(stateDir).flatMap((name) => {
    try {
      return [readFork(stateDir, name)]
    } catch (error) {
      note(`@${name} cannot be read: ${toGatewayError(error).message}`)
      return []
    }
  })
}

function summaryOf({ name, at, until, code, createdAt, edits, result, parent }: ForkFile): object {
  const head = `@${name}#${result.head}`
  return { name, at, until, head, code, createdAt, edits, parent, result }
}

export const forkShow = defineVerb({
  name: 'fork show',
  description: 'Show what a fork came to',
  args: named,
  run: (args) =>
    withSource(args.journal, ({ stateDir }) => {
      showFork(readFork(stateDir, args.name), args.json === true)
      return 0
    }),
})

export const forkDiff = defineVerb({
  name: 'fork diff',
  description: 'Show what a fork has that was recorded otherwise',
  args: named,
  run: (args) =>
    withSource(args.journal, (source) => {
      const fork = readFork(source.stateDir, args.name)
      const rows = diffRows(source, fork)
      if (args.json === true) {
        showJson({ ok: true, schema: 'openclaw-fork-diff/1', name: fork.name, records: rows })
        return 0
      }
      if (rows.length === 0) note(`@${fork.name} is as it was recorded`)
      const cells = rows.map(({ stream, recorded, branch }) => [
        ` ${stream}`,
        cellOf('', recorded),
        '→',
        cellOf(`@${fork.name}`, branch),
      ])
      for (const line of columns(cells)) show(line)
      return 0
    }),
})

export const forkDrop = defineVerb({
  name: 'fork drop',
  description: 'Remove a fork',
  args: named,
  run: (args) =>
    withSource(args.journal, async ({ stateDir }) => {
      await dropFork(stateDir, args.name)
      if (args.json === true) showJson({ ok: true, name: args.name })
      else show(`@${args.name} dropped`)
      return 0
    }),
})

export const forkPromote = defineVerb({
  name: 'fork promote',
  description: 'Refused: a fork cannot be made live yet',
  args: { ...named, session: { type: 'string', valueHint: 'KEY', description: 'the session' } },
  run: (args) => Promise.resolve(refuseLive('fork promote', args.json === true)),
})

interface DiffRow {
  readonly stream: string
  readonly recorded: Cell | null
  readonly branch: Cell | null
}

interface Cell {
  readonly position: number
  readonly type: string
  readonly value: string
  readonly effects: readonly string[]
}

// Stream by stream, version by version, as far as either goes.
function diffRows({ history }: Source, { records, at, until }: ForkFile): DiffRow[] {
  const key = ({ stream, version }: JournalRecord): string => `${stream}\n${version}`
  const recorded = new Map([...history.range(at + 1, until)].map((record) => [key(record), record]))
  const branch = new Map(records.map((record) => [key(record), record]))
  return [...new Set([...recorded.keys(), ...branch.keys()])].flatMap((each) => {
    const [was, is] = [recorded.get(each), branch.get(each)]
    if (was !== undefined && is !== undefined && isAlike(was, is)) return []
    const stream = (was ?? is)?.stream ?? ''
    return [{ stream, recorded: toCell(was), branch: toCell(is) }]
  })
}

function isAlike(left: JournalRecord, right: JournalRecord): boolean {
  return (
    left.event.type === right.event.type &&
    left.stateHash === right.stateHash &&
    isSame(left.effects, right.effects) &&
    isSame(left.sends, right.sends)
  )
}

function toCell(record: JournalRecord | undefined): Cell | null {
  if (record === undefined) return null
  const { position, event, value, effects } = record
  return { position, type: event.type, value, effects: effects.map(({ name }) => name) }
}

function cellOf(branch: string, cell: Cell | null): string {
  if (cell === null) return '-'
  const effects = cell.effects.map((name) => ` + ${name}`).join('')
  return `${branch}#${cell.position} ${cell.type} ⇒ ${cell.value}${effects}`
}
