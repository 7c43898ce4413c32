/**
 * `openclaw replay`: does this code do the same with what was recorded? And, with `--explore
 * crash`: would it survive a crash after any record?
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replayHistory } from '../../actors/other-code.ts'
import { parseAllowed, parseIgnores } from '../../machines/history/compare.ts'
import type { ReplayDiff, ReplayResult } from '../../machines/history/replay.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { wholeNumber } from '../arguments.ts'
import { chooseCode, codeArgs, codeHouse, nameOfCode } from '../history/code.ts'
import { type Explored, exploreRange, INVARIANT_WORDS } from '../history/explore.ts'
import { refuseForks } from '../history/forks.ts'
import { historyArgs, locateRange } from '../history/options.ts'
import { type Source, withSource } from '../history/source.ts'
import { columns, note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

const DIVERGED = 11

export const replay = defineVerb({
  name: 'replay',
  description: 'Recompute recorded history and compare',
  args: {
    range: {
      type: 'positional',
      required: false,
      valueHint: 'A..B',
      description: 'which records (default start..head)',
    },
    ...historyArgs,
    ...codeArgs,
    ndjson: { type: 'boolean', description: 'print one JSON object a line' },
    ignore: {
      type: 'string',
      valueHint: '/POINTER',
      description: 'a part of contexts that is not compared; may be given again',
    },
    allow: {
      type: 'string',
      valueHint: 'CLASS[:GLOB]',
      description: 'a difference that is expected, such as EFFECTS:message.*; may be given again',
    },
    explore: { type: 'enum', options: ['crash'], description: 'crash after every record instead' },
    budget: { type: 'string', valueHint: 'N', description: 'crash points at most (default 500)' },
    out: {
      type: 'string',
      valueHint: 'DIR',
      description: 'where violations are written as segments',
    },
  },
  async run(args, all) {
    const options = {
      ignores: parseIgnores(all('ignore')),
      allowed: all('allow').map(parseAllowed),
    }
    const format = args.ndjson === true ? 'ndjson' : args.json === true ? 'json' : 'text'
    if (args.explore === undefined && (args.budget ?? args.out) !== undefined) {
      throw new GatewayError('USAGE', '--budget and --out belong to --explore', { verb: 'replay' })
    }
    const budget = wholeNumber('--budget', args.budget ?? String(limits.exploreBudget), 1, 100_000)
    return withSource(args.journal, async (source) => {
      refuseForks('A..B', args.range)
      const range = locateRange(source, args.range ?? 'start..head', args)
      const house = codeHouse(source, args['run-code'] === true)
      const choice = await chooseCode(house, args.with ?? 'current')
      if (args.explore !== undefined) {
        const explored = await exploreRange(source, house, { ...range, choice, budget })
        if (args.out !== undefined) await writeSamples(args.out, explored)
        return showExplored(explored, format)
      }
      const code = nameOfCode(choice, house.own.id)
      if (format === 'ndjson') showJson({ t: 'head', schema: 'openclaw-replay/1', ...range, code })
      const diffed = (diff: ReplayDiff): void => {
        if (format === 'ndjson') showJson({ t: 'diff', ...diff })
      }
      const result = await replayHistory(
        house,
        source.history,
        { ...range, choice },
        { ...options, diffed },
      )
      return showResult(result, format, { source, code })
    })
  },
})

type Format = 'text' | 'json' | 'ndjson'

function showResult(
  result: ReplayResult,
  format: Format,
  { source, code }: { source: Source; code: string },
): number {
  const { records, same, allowed, first, worst, diffs, counts } = result
  const exit = first === null ? 0 : DIVERGED
  const end = { records, same, allowed, counts, first, worst, exit }
  if (format === 'ndjson') {
    showJson({ t: 'end', ...end, listed: diffs.length, head: source.history.head() })
  } else if (format === 'json') {
    showJson({ ok: exit === 0, schema: 'openclaw-replay/1', code, ...end, diffs })
  } else showText(result)
  return exit
}

function showText({ records, same, allowed, first, diffs }: ReplayResult): void {
  const differ = records - same
  const parts = [`${records} records`, `${same} identical`, `${differ} differ`]
  if (allowed > 0) parts.push(`${allowed} of them as allowed`)
  if (first !== null) parts.push(`first at #${first}`)
  show(parts.join(', '))
  if (diffs.length === 0) return
  const rows = diffs.map((diff) => [
    ` ${diff.class}${diff.allowed ? ' (allowed)' : ''}`,
    `#${diff.position}`,
    diff.stream,
    sideText(diff.recorded),
    diff.now.error ?? sideText(diff.now),
    diff.paths.slice(0, 4).join(' '),
  ])
  for (const line of columns([
    [' class', 'position', 'actor', 'recorded', 'now', 'where'],
    ...rows,
  ])) {
    show(line)
  }
  if (differ > diffs.length) note(`${differ - diffs.length} more differ and are not listed.`)
}

function sideText({ value, stateHash, effects }: ReplayDiff['now']): string {
  const names = effects.map(({ name }) => ` + ${name}`).join('')
  return `${value} ${stateHash.slice(0, 8)}${names}`
}

function showExplored({ points, violations, code }: Explored, format: Format): number {
  const exit = violations.length === 0 ? 0 : DIVERGED
  const counts = Object.fromEntries(
    Object.keys(INVARIANT_WORDS).map((invariant) => [
      invariant,
      new Set(violations.filter((each) => each.invariant === invariant).map((each) => each.crashAt))
        .size,
    ]),
  )
  if (format === 'text') {
    const parts = Object.entries(INVARIANT_WORDS).map(
      ([invariant, words]) => `${counts[invariant] ?? 0} ${words}`,
    )
    show([`${points} crash points`, ...parts].join(', '))
    const rows = violations.map(({ crashAt, invariant, stream, detail }) => [
      ` #${crashAt}`,
      invariant,
      stream,
      detail,
    ])
    for (const line of columns(rows.slice(0, limits.replayDiffsMax))) show(line)
    return exit
  }
  const head = { schema: 'openclaw-explore/1', code, points }
  if (format === 'json') {
    showJson({ ok: exit === 0, ...head, counts, violations, exit })
    return exit
  }
  showJson({ t: 'head', ...head })
  for (const violation of violations) showJson({ t: 'violation', ...violation })
  showJson({ t: 'end', points, counts, exit })
  return exit
}

async function writeSamples(directory: string, { samples }: Explored): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new GatewayError('USAGE', `--out: cannot write to ${quote(directory)}`, {}, cause)
  })
  const taken = new Set<string>()
  for (const { violation, segment } of samples) {
    const name = `crash-${violation.crashAt}-${violation.invariant}`
    if (taken.has(name)) continue
    taken.add(name)
    const text = `${JSON.stringify({ violation, segment })}\n`
    await writeFile(join(directory, `${name}.json`), text, { mode: 0o600 })
  }
}
