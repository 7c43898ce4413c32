/**
 * The tables of methods and events in protocol/README.md, made from what is served.
 *
 *   node dist/scripts/wire-tables.js           prints them
 *   node dist/scripts/wire-tables.js --write   puts them between their markers
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { UPSTREAM_EVENTS } from '../protocol/dialect/upstream/events.ts'
import { upstreamMethods } from '../protocol/dialect/upstream/methods.ts'
import { EVENT_NAMES, methods } from '../protocol/methods.ts'
import { show } from './output.ts'

const README = fileURLToPath(new URL('../../protocol/README.md', import.meta.url))
const BEGIN = '<!-- made by scripts/wire-tables.ts -->'
const END = '<!-- end of what it made -->'

interface Row {
  readonly scope: string | null
  readonly roles: readonly string[]
  readonly writes: boolean
}

/** Writes both tables of both dialects. */
export function formatTables(): string {
  return [
    '### Methods of the specification’s dialect',
    formatMethods(methods),
    '### Methods of upstream’s dialect',
    formatMethods(upstreamMethods),
    '### Events',
    '| dialect | needs | events |',
    '|---|---|---|',
    `| the specification’s | what it tells of | ${names([...EVENT_NAMES])} |`,
    ...formatEvents(),
  ]
    .join('\n')
    .replaceAll('\n###', '\n\n###')
    .replaceAll(/(### .*)\n/g, '$1\n\n')
}

function formatMethods(table: Readonly<Record<string, Row>>): string {
  const groups = new Map<string, string[]>()
  for (const [name, { scope, roles, writes }] of Object.entries(table)) {
    const head = `| ${scope ?? 'none'} | ${roles.join(', ')} | ${writes ? 'yes' : 'no'} |`
    groups.set(head, [...(groups.get(head) ?? []), name])
  }
  const rows = [...groups].map(([head, found]) => `${head} ${names(found)} |`).toSorted()
  return ['| scope | roles | writes | methods |', '|---|---|---|---|', ...rows].join('\n')
}

function formatEvents(): string[] {
  const groups = new Map<string, string[]>()
  for (const [name, scope] of Object.entries(UPSTREAM_EVENTS)) {
    const head = scope ?? 'nothing'
    groups.set(head, [...(groups.get(head) ?? []), name])
  }
  return [...groups].map(([head, found]) => `| upstream’s | ${head} | ${names(found)} |`)
}

function names(list: readonly string[]): string {
  return list
    .toSorted()
    .map((name) => `\`${name}\``)
    .join(' ')
}

/** Puts the tables into a text, between the markers. @throws {Error} it has none. */
export function withTables(text: string): string {
  const from = text.indexOf(BEGIN)
  const to = text.indexOf(END)
  if (from === -1 || to === -1) throw new Error('protocol/README.md: no markers for the tables')
  return `${text.slice(0, from + BEGIN.length)}\n\n${formatTables()}\n\n${text.slice(to)}`
}

/** The README as it stands. */
export function readReadme(): string {
  return readFileSync(README, 'utf8')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) writeFileSync(README, withTables(readReadme()))
  else show(formatTables())
}
