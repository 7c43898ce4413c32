/** Lists of cases that a design wants tested, held against the names of the tests there are. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** Reads a source file of ours, by its path from the root. */
export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** The ids that names of tests begin with: any number of them, then what holds. */
export function namedIn(texts: readonly string[]): Set<string> {
  const names = /['"`]((?:[A-Z][A-Z0-9.-]*\d+ )+)(?=[^\s'"`])/g
  const all = texts.flatMap((text) => [...text.matchAll(names)].map(([, ids = '']) => ids))
  return new Set(all.flatMap((ids) => ids.trim().split(' ')))
}

/** The ids of rows of a README that say why no test holds them, in these words and a reason. */
export function excusedIn(text: string, letters: string, words = 'does not apply'): Set<string> {
  const rows = text.matchAll(
    new RegExp(`^\\| ([${letters}]\\d[^|]*) \\| ${words}: (?=\\S)[^|]+\\|$`, 'gm'),
  )
  return new Set([...rows].flatMap(([, ids = '']) => ids.split(/[, ]+/)))
}

/** The ids of all tests but those of a file that walks a list. */
export function namedElsewhere(walker: string): Set<string> {
  const paths = readdirSync(join(ROOT, 'tests'), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path !== walker)
    // The last two make suites of tables.
    .filter((path) => /\.test\.ts$|^support\/attacks\.ts$|^store\/contract\.ts$/.test(path))
  return namedIn(paths.map((path) => read(`tests/${path}`)))
}
