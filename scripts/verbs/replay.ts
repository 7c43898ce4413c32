/**
 * `openclaw replay`: does this code do the same with what was recorded? And, with `--explore
 * crash`: would it survive a crash after any record?
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeBundle } from '../../actors/bundle.ts'
import { bundleExplored } from '../../actors/bundle-explored.ts'
import { redactBundle } from '../../actors/bundle-export.ts'
import { writePrivate } from '../../actors/private-file.ts'
import { replayHistory } from '../../actors/other-code.ts'
import { systemClock } from '../../actors/services.ts'
import { parseAllowed, parseIgnores } from '../../machines/history/compare.ts'
import type { ReplayDiff, TallyOptions } from '../../machines/history/replay.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { wholeNumber } from '../arguments.ts'
import { EXIT } from '../exit.ts'
import { chooseCode, codeArgs, codeHouse, nameOfCode } from '../history/code.ts'
import { isCorpus, replayCorpus } from '../history/corpus.ts'
import { type Explored, exploreRange } from '../history/explore.ts'
import { type Format, showExplored, showResult, showText } from '../history/replay-text.ts'
import { keyUnless, namesArg } from '../history/incident-subject.ts'
import { refuseForks } from '../history/forks.ts'
import { historyArgs, locateRange } from '../history/options.ts'
import { withSource } from '../history/source.ts'
import { note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'
import { readVersion } from '../version.ts'

export const replay = defineVerb({
  name: 'replay',
  description: 'Recompute recorded history and compare',
  args: {
    words: {
      type: 'positional',
      required: false,
      valueHint: 'A..B|FILE|DIR',
      description: 'which records (default start..head), or incident files, or a directory of them',
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
    ...namesArg,
    out: {
      type: 'string',
      valueHint: 'DIR',
      description: 'where violations are written as incident files',
    },
  },
  async run(args, all) {
    const options = {
      ignores: parseIgnores(all('ignore')),
      allowed: all('allow').map(parseAllowed),
    }
    const format = args.ndjson === true ? 'ndjson' : args.json === true ? 'json' : 'text'
    if (args.explore === undefined && (args.budget ?? args.out ?? args.names) !== undefined) {
      throw new GatewayError('USAGE', '--budget, --out and --names belong to --explore', {
        verb: 'replay',
      })
    }
    const budget = wholeNumber('--budget', args.budget ?? String(limits.exploreBudget), 1, 100_000)
    const [range, ...others] = args._
    const code = args.with ?? 'current'
    const runForeign = args['run-code'] === true
    if (range !== undefined && isCorpus(range) && args.explore === undefined) {
      return replayFiles(args._, { format, code, runForeign, options })
    }
    if (others.length > 0) {
      throw new GatewayError('USAGE', `unexpected ${quote(others[0])}`, { verb: 'replay' })
    }
    return withSource(args.journal, async (source) => {
      refuseForks('A..B', range)
      const stretch = locateRange(source, range ?? 'start..head', args)
      const house = codeHouse(source, runForeign)
      const choice = await chooseCode(house, code)
      if (args.explore !== undefined) {
        const explored = await exploreRange(source, house, { ...stretch, choice, budget })
        if (args.out !== undefined) await writeSamples(args.out, explored, args.names)
        return showExplored(explored, format)
      }
      const name = nameOfCode(choice, house.own.id)
      const head = { schema: 'openclaw-replay/1', ...stretch, code: name }
      if (format === 'ndjson') showJson({ t: 'head', ...head })
      const diffed = (diff: ReplayDiff): void => {
        if (format === 'ndjson') showJson({ t: 'diff', ...diff })
      }
      const result = await replayHistory(
        house,
        source.history,
        { ...stretch, choice },
        { ...options, diffed },
      )
      return showResult(result, format, { code: name, head: source.history.head() })
    })
  },
})

async function replayFiles(words: readonly string[], asked: Asked): Promise<number> {
  const { format, code, runForeign, options } = asked
  if (format === 'ndjson') showJson({ t: 'head', schema: 'openclaw-replay/1', code })
  const results = await replayCorpus(words, {
    ...options,
    code,
    runForeign,
    found: (file, diff) => {
      if (format === 'ndjson') showJson({ t: 'diff', file, ...diff })
    },
  })
  const rows = results.map(({ file, result: { records, same, first, worst } }) => {
    return { file, records, same, first, worst, allowed: first === null && same < records }
  })
  const failed = rows.filter(({ first }) => first !== null).length
  const end = { files: rows.length, failed, exit: failed === 0 ? 0 : EXIT.diverged }
  if (format === 'ndjson') {
    for (const row of rows) showJson({ t: 'file', ...row })
    showJson({ t: 'end', ...end })
  } else if (format === 'json') {
    showJson({ ok: failed === 0, schema: 'openclaw-replay/1', code, ...end, results: rows })
  } else {
    for (const { file, result } of results) {
      show(file)
      showText(result)
    }
  }
  return end.exit
}

interface Asked {
  readonly format: Format
  readonly code: string
  readonly runForeign: boolean
  readonly options: TallyOptions
}

// Each violation as an incident file of its own.
async function writeSamples(
  directory: string,
  { samples, code }: Explored,
  names: boolean | undefined,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new GatewayError('USAGE', `--out: cannot write to ${quote(directory)}`, {}, cause)
  })
  const taken = new Set<string>()
  const making = { code, tool: readVersion(), madeAt: systemClock.now() }
  for (const sample of samples) {
    const { crashAt, invariant } = sample.violation
    const id = `crash-${crashAt}-${invariant}`
    if (taken.has(id)) continue
    taken.add(id)
    const file = join(directory, `${id}.ocinc`)
    const { pseudonymKey } = keyUnless(names)
    const parts = bundleExplored(sample, { ...making, id })
    writePrivate(file, writeBundle(redactBundle(parts, 'skeleton', pseudonymKey)))
    note(`wrote ${file}`)
  }
}
