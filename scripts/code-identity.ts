/**
 * Names the code that folds records: `dist/code.json`, written behind the compiler (K8).
 *
 *   id     16 hex digits over everything below
 *   files  sha256 of each compiled machine, rule and projection, and of all that they import;
 *          machines/history/ and machines/chart/ only read, so new tools leave the name as it is
 *   xstate, immer   exact versions
 *
 * Every record carries the id; the same sources, libraries and compiler give the same one.
 */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { codeId, type CodeParts, importsOf } from '../protocol/code.ts'
import { memberOf } from '../protocol/members.ts'
import { show } from './output.ts'

/** What `dist/code.json` holds. */
export interface CodeIdentity extends CodeParts {
  readonly id: string // files by path below dist/, sorted
}

const ROOM = 'machines'
const READERS = ['history', 'chart']

/**
 * Computes the identity of a compiled tree.
 * `versionOf` tells the version of a package; it is asked for xstate and immer.
 */
export function identify(dist: string, versionOf: (name: string) => string): CodeIdentity {
  const files: Record<string, string> = {}
  for (const path of closure(dist)) {
    const name = relative(dist, path).replaceAll('\\', '/')
    files[name] = createHash('sha256').update(readFileSync(path)).digest('hex')
  }
  const sorted = Object.fromEntries(Object.entries(files).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  const parts = { files: sorted, xstate: versionOf('xstate'), immer: versionOf('immer') }
  return { id: codeId(parts), ...parts }
}

/** Lists the compiled files that fold records and all that they import, each once. */
function closure(dist: string): Set<string> {
  const found = new Set<string>()
  const readers = READERS.map((folder) => join(dist, ROOM, folder))
  const waiting = compiledFiles(join(dist, ROOM)).filter(
    (path) => !readers.some((folder) => path.startsWith(folder)),
  )
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path)) continue
    found.add(path)
    for (const specifier of importsOf(readFileSync(path, 'utf8'))) {
      const target = resolve(dirname(path), specifier)
      if (existsSync(target)) waiting.push(target)
    }
  }
  return found
}

function compiledFiles(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js'))
    .map((path) => join(directory, path))
}

/** Finds a package's version by its files, since not every package exports its package.json. */
function installedVersion(name: string): string {
  const paths = createRequire(import.meta.url).resolve.paths(name) ?? []
  for (const path of paths) {
    const file = join(path, name, 'package.json')
    if (!existsSync(file)) continue
    const version = memberOf(JSON.parse(readFileSync(file, 'utf8')), 'version')
    if (typeof version === 'string') return version
  }
  throw new Error(`${name} is not installed`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = fileURLToPath(new URL('../', import.meta.url))
  const identity = identify(dist, installedVersion)
  writeFileSync(join(dist, 'code.json'), `${JSON.stringify(identity, null, 2)}\n`)
  // The compiler writes plain files, and npx wants to run this one.
  chmodSync(join(dist, 'scripts', 'openclaw.js'), 0o755)
  show(`code ${identity.id}: ${Object.keys(identity.files).length} files`)
}
