/**
 * The house's own shape: what no compiler and no linter checks, checked with the tests.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ERROR_CODES } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { type Lock, missingEntries } from '../scripts/complete-lock.ts'

const tidy = suite('tidy')

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const ROOMS = ['actors', 'machines', 'protocol', 'scripts', 'store', 'tests'] as const
const BESIDE = [
  'package.json',
  'tsconfig.json',
  'package-lock.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
]
const OUTPUT = ['node_modules', 'dist']

/** Codes that clients know and that nothing throws yet, each with the part that will. */
const CODES_TO_COME: Readonly<Record<string, string>> = {}

/** Bounds that no code reads yet, each with the part that will. */
const LIMITS_TO_COME: Readonly<Record<string, string>> = {}

interface Source {
  readonly path: string // from the root, with slashes
  readonly text: string
}

const sources: readonly Source[] = ROOMS.flatMap((room) =>
  readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${room}/${name.replaceAll('\\', '/')}`)
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') })),
)
const ours = sources.filter(({ path }) => path !== 'tests/tidy.test.ts')
const shipped = sources.filter(({ path }) => !path.startsWith('tests/'))

/** Lists `path:line: text` of the lines of some files that match. */
function linesWith(files: readonly Source[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .map((line, index) => ({ line, at: `${path}:${index + 1}` }))
      .filter(({ line }) => pattern.test(line))
      .map(({ line, at }) => `${at}: ${line.trim()}`),
  )
}

/** Blanks out comments; lines keep their numbers. Good enough for words that no string holds. */
function withoutComments({ path, text }: Source): Source {
  const blank = (comment: string): string => comment.replaceAll(/[^\n]/g, ' ')
  return { path, text: text.replaceAll(/\/\*[^]*?\*\/|(?<=^|\s)\/\/.*/g, blank) }
}

/** Lists what a file imports, as written. */
function importsOf({ text }: Source): string[] {
  const found = text.matchAll(
    /^\s*(?:import|export)\b[^'"]*?from\s+'([^']+)'|\bimport\('([^']+)'\)/gm,
  )
  return [...found].map(([, named = '', called = '']) => named || called)
}

function room(name: string): Source[] {
  return sources.filter(({ path }) => path.startsWith(`${name}/`))
}

/** Lists the imports of files that none of the patterns allows. */
function strays(files: readonly Source[], allowed: readonly RegExp[]): string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => !allowed.some((pattern) => pattern.test(specifier)))
      .map((specifier) => `${file.path} imports ${specifier}`),
  )
}

tidy('TI1 the top level is what layout.md allows, and has all that the user fixed', () => {
  const found = readdirSync(ROOT).filter((name) => !name.startsWith('.') && !name.endsWith('.log'))

  const allowed: readonly string[] = [...ROOMS, ...BESIDE, ...OUTPUT]
  assert.equal(
    found.filter((name) => !allowed.includes(name)),
    [],
  )
  for (const name of [...ROOMS, 'package.json', 'tsconfig.json'])
    assert.ok(found.includes(name), name)
})

tidy('TI2 each room says what it is for', () => {
  assert.equal(
    ROOMS.filter((name) => !existsSync(join(ROOT, name, 'README.md'))),
    [],
  )
})

tidy('TI3 no file is longer than 400 lines, and each begins with what it is for', () => {
  const long = sources.filter(({ text }) => text.split('\n').length > 401).map(({ path }) => path)
  const bare = sources
    .filter(({ text }) => !/^(?:#!.*\n)?\/\*\*/.test(text))
    .map(({ path }) => path)

  assert.equal(long, [])
  assert.equal(bare, [])
})

tidy('TI4 nothing was left behind', () => {
  assert.equal(linesWith(ours, /\b(?:TODO|FIXME|XXX)\b/), [])
  assert.equal(linesWith(ours.map(withoutComments), /(?::|\bas|<) *any\b/), [])
  assert.equal(linesWith(ours, /\.only\(|\bdebugger\b/), [])
  const talkative = ours.filter(({ path }) => !path.startsWith('scripts/bench/'))
  assert.equal(linesWith(talkative, /\bconsole\.(?:log|debug|trace)\(/), [])
  assert.equal(linesWith(ours, /\bexport default\b|^\s*(?:const )?enum\b/), [])
})

tidy('K2 machines import protocol, xstate and immer, and know neither clock nor chance', () => {
  const machines = room('machines')

  assert.equal(
    strays(machines, [
      /^\.\/|^\.\.\/(?!\.)/,
      /^\.\.\/\.\.\/(?:protocol|machines)\//,
      /^xstate$|^immer$/,
    ]),
    [],
  )
  assert.equal(
    machines.flatMap(importsOf).filter((name) => /\/(?:actors|store|scripts|tests)\//.test(name)),
    [],
  )
  assert.equal(
    linesWith(machines, /\bDate\.now\b|\bMath\.random\b|\bnew Date\(\)|\bperformance\./),
    [],
  )
})

tidy('TI5 rooms import only what layout.md lets them', () => {
  const packages = /^(?:superstruct|msgpackr|json5|node:crypto|node:buffer)$/
  const outward = /(?:^|\/)(?:actors|machines|scripts|tests)\//

  assert.equal(strays(room('protocol'), [/^\.{1,2}\//, packages]), [])
  assert.equal(
    room('protocol')
      .flatMap(importsOf)
      .filter((name) => /(?:^|\/)(?:store)\//.test(name) || outward.test(name)),
    [],
  )
  assert.equal(
    room('store')
      .flatMap(importsOf)
      .filter((name) => outward.test(name)),
    [],
  )
  assert.equal(
    room('actors')
      .flatMap(importsOf)
      .filter((name) => /(?:^|\/)(?:scripts|tests)\/|^lmdb$/.test(name)),
    [],
  )
  const writers = sources.filter((file) => importsOf(file).includes('lmdb')).map(({ path }) => path)
  assert.equal(
    writers.filter((path) => !/^(?:store\/lmdb|scripts\/bench|tests\/store)\//.test(path)),
    [],
  )
})

const STATIC_IMPORT = /^(?:import|export)\s(?:[^'"();]*?\sfrom\s)?\s*['"]([^'"]+)['"]/gm

/** Follows the static imports of a compiled file: what is loaded with it, and whose packages. */
function loadedWith(entry: string): Set<string> {
  const loaded = new Set<string>()
  const waiting = [entry]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (loaded.has(path)) continue
    loaded.add(path)
    if (!path.endsWith('.js')) continue
    const text = readFileSync(join(ROOT, 'dist', path), 'utf8')
    for (const [, specifier = ''] of text.matchAll(STATIC_IMPORT)) {
      waiting.push(
        specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier,
      )
    }
  }
  return loaded
}

tidy('TI6 a verb that talks to the gateway loads nothing of it', () => {
  const verbs =
    'agent config devices health logs pairing pairing-qr send sessions status stop'.split(' ')
  const allowed = /^(?:scripts|protocol)\/|^actors\/(?:lock|services)\.js$|^node:|^(?:citty|ws)$/
  for (const verb of verbs) {
    const loaded = [...loadedWith('scripts/openclaw.js'), ...loadedWith(`scripts/verbs/${verb}.js`)]

    assert.equal(
      loaded.filter((path) => !allowed.test(path)),
      [],
      verb,
    )
    assert.ok(
      loaded.includes('scripts/verbs.js') && loaded.includes('citty'),
      'imports are followed',
    )
  }
})

interface Package {
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

tidy('TI7 every dependency is pinned exactly, and there are at most eight scripts', () => {
  const parsed = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Package

  const all = Object.entries({ ...parsed.dependencies, ...parsed.devDependencies })
  const loose = all.filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
  assert.equal(loose, [])
  assert.ok(Object.keys(parsed.scripts).length <= 8)
})

tidy('TI8 every error code is thrown somewhere, and none that is not listed', () => {
  const known: ReadonlySet<string> = new Set(ERROR_CODES)
  const rest = shipped.filter(
    ({ path }) => path !== 'protocol/errors.ts' && path !== 'scripts/exit.ts',
  )
  const text = rest.map((file) => file.text).join('\n')
  const thrown = [...text.matchAll(/new GatewayError\(\s*'([A-Z_]+)'/g)].map(
    ([, code = '']) => code,
  )

  assert.equal(
    thrown.filter((code) => !known.has(code)),
    [],
  )
  const unused = ERROR_CODES.filter(
    (code) => !text.includes(`'${code}'`) && !(code in CODES_TO_COME),
  )
  assert.equal(unused, [])
})

tidy('TI9 every bound is read somewhere', () => {
  const rest = shipped.filter(({ path }) => !path.startsWith('protocol/limits'))
  const text = rest.map((file) => file.text).join('\n')

  const unused = Object.keys(limits).filter(
    (name) => !new RegExp(`\\b(?:limits\\.)?${name}\\b`).test(text) && !(name in LIMITS_TO_COME),
  )
  assert.equal(unused, [])
})

tidy('TI10 time and chance stand in one file', () => {
  const rest = shipped.filter(
    ({ path }) => path !== 'actors/services.ts' && !path.startsWith('scripts/bench/'),
  )

  assert.equal(linesWith(rest, /\bDate\.now\(|\bMath\.random\(/), [])
})

tidy('TI12 the lock file has every optional dependency, also those of other platforms', () => {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock

  assert.equal(Object.keys(missingEntries(lock)), [])
})

tidy.run()
