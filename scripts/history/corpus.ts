/**
 * Incident files as a regression corpus: each is replayed, and a file that differs fails.
 */
import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { replayHistory } from '../../actors/other-code.ts'
import type { ReplayDiff, ReplayResult, TallyOptions } from '../../machines/history/replay.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { chooseCode, codeHouse } from './code.ts'
import { withSource } from './source.ts'

/** What became of one file. */
export interface FileResult {
  readonly file: string // its name
  readonly result: ReplayResult
}

export interface CorpusOptions extends TallyOptions {
  readonly code: string // as `--with` names it
  readonly runForeign: boolean
  readonly found: (file: string, diff: ReplayDiff) => void
}

/** Tells whether a word names an incident file, or a directory, and no range. */
export function isCorpus(word: string): boolean {
  const stats = statSync(word, { throwIfNoEntry: false })
  return stats !== undefined && (stats.isDirectory() || word.endsWith('.ocinc'))
}

/**
 * Replays every incident file that is named or lies in a directory that is.
 * @throws {GatewayError} NOT_FOUND: there is none; RECORD_FORMAT, STORE_CORRUPT with its name.
 */
export async function replayCorpus(
  words: readonly string[],
  options: CorpusOptions,
): Promise<FileResult[]> {
  const files = words.flatMap(filesOf)
  if (files.length === 0) {
    throw new GatewayError('NOT_FOUND', `no incident file (*.ocinc) is in ${words.join(', ')}`)
  }
  const results: FileResult[] = []
  for (const path of files) {
    const file = basename(path)
    const result = await withSource(path, async (source) => {
      const house = codeHouse(source, options.runForeign)
      const choice = await chooseCode(house, options.code)
      const { from = 1, to = 0 } = source.bundle?.segment ?? {}
      const diffed = (diff: ReplayDiff): void => options.found(file, diff)
      return replayHistory(house, source.history, { from, to, choice }, { ...options, diffed })
    })
    results.push({ file, result })
  }
  return results
}

function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path]
  const names = readdirSync(path).filter((name) => name.endsWith('.ocinc'))
  return names.sort().map((name) => join(path, name))
}
