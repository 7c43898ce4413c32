/**
 * Text of `openclaw.json` -> a configuration, or everything that is wrong with it.
 *
 * A syntax error ends the reading and shows its line; all other faults are collected, each with
 * its path, so that one look repairs a file. `${NAME}` in a string is the environment's value.
 * Messages show what the file says, never what the environment holds, and never a secret.
 */
import { Buffer } from 'node:buffer'
import JSON5 from 'json5'
import { type ErrorDetails, GatewayError } from '../errors.ts'
import { quote } from '../ids.ts'
import { limits } from '../limits.ts'
import { checkMeaning } from './check.ts'
import { formatPath, isSecretPath, type Path, valueAt } from './path.ts'
import { configStruct, type GatewayConfig } from './schema.ts'

/** One thing wrong with a configuration. */
export interface ConfigIssue {
  readonly path: string // `channels.irc.port`; '' is the whole file
  readonly message: string // begins with the path
  readonly known?: string // the known key that was probably meant
}

/** Where a text comes from and what its `${NAME}` stand for. */
export interface ConfigSource {
  readonly file: string // only for messages
  readonly env: Readonly<Record<string, string | undefined>>
}

/** `config` is what the text says where there are no issues, else an empty configuration. */
export interface ParsedConfig {
  readonly config: GatewayConfig
  readonly issues: readonly ConfigIssue[]
}

/**
 * Parses and checks a configuration text.
 * @throws {GatewayError} CONFIG_INVALID, details {file, line, column}: not JSON5; {file, path}:
 * too large, too deep, no object, or a key that could reach an object's prototype.
 */
export function parseConfig(text: string, source: ConfigSource): ParsedConfig {
  const written = parseConfigText(text, source.file)
  const issues: ConfigIssue[] = []
  const value = substitute(written, [], source.env, issues)
  const [error, config] = configStruct.validate(value)
  for (const { path, type } of error?.failures() ?? []) issues.push(describe(path, type, written))
  if (config !== undefined) issues.push(...checkMeaning(config))
  return { config: issues.length === 0 && config !== undefined ? config : {}, issues }
}

/**
 * Parses a configuration text that has to be right.
 * @throws {GatewayError} CONFIG_INVALID: as `parseConfig`, or with `details.issues`.
 */
export function requireConfig(text: string, source: ConfigSource): GatewayConfig {
  const { config, issues } = parseConfig(text, source)
  if (issues.length > 0) throw configInvalid(issues, { file: source.file })
  return config
}

/** Makes one error of many issues: the message lists them, `details.path` is the first's. */
export function configInvalid(
  issues: readonly ConfigIssue[],
  details: ErrorDetails = {},
): GatewayError {
  const message = issues.map((issue) => issue.message).join('\n')
  return new GatewayError('CONFIG_INVALID', message, { ...details, path: issues[0]?.path, issues })
}

/**
 * Reads a text as JSON5 and as nothing more: `${NAME}` stay as written. For patches, which must
 * not bake the environment into the file.
 * @throws {GatewayError} CONFIG_INVALID: as `parseConfig`.
 */
export function parseConfigText(text: string, file: string): object {
  const bytes = Buffer.byteLength(text)
  if (bytes > limits.configBytesMax) {
    const message = `${file}: expected at most ${limits.configBytesMax} bytes, got ${bytes}`
    throw new GatewayError('CONFIG_INVALID', message, { file, path: '' })
  }
  const value = parseJson5(text, file)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const message = `${file}: expected an object, got ${kindOf(value)}`
    throw new GatewayError('CONFIG_INVALID', message, { file, path: '' })
  }
  checkTree(value, [], file)
  return value
}

function parseJson5(text: string, file: string): unknown {
  try {
    return JSON5.parse(text)
  } catch (thrown) {
    const { line, column } = placeOf(thrown)
    const reason =
      thrown instanceof Error ? thrown.message.replace(/^JSON5: | at \d+:\d+$/g, '') : ''
    const message = `${file}:${line}:${column}: ${reason}\n${showLine(text, line, column)}`
    // What was thrown is not passed on as a cause: parts of the text would reach a log with it.
    throw new GatewayError('CONFIG_INVALID', message, { file, line, column })
  }
}

function placeOf(thrown: unknown): { line: number; column: number } {
  if (typeof thrown !== 'object' || thrown === null) return { line: 1, column: 1 }
  const line = 'lineNumber' in thrown ? Number(thrown.lineNumber) : 1
  const column = 'columnNumber' in thrown ? Number(thrown.columnNumber) : 1
  return { line, column: Math.max(1, column) }
}

const SHOWN_CHARS = 80
const SHOWN_LINE_CHARS_MAX = 2_000

/** Shows the part of a line around a column, with a caret under it and what may be secret hidden. */
function showLine(text: string, line: number, column: number): string {
  const lines = text.split('\n')
  const own = (lines[line - 1] ?? '').replaceAll(/[\t\r]/g, ' ')
  if (own.length > SHOWN_LINE_CHARS_MAX) return '  (the line is too long to be shown)'
  // A line that goes on from the one before may begin inside a secret.
  const continued = /[\\:]\s*$/.test(lines[line - 2] ?? '')
  const start = Math.max(0, column - SHOWN_CHARS / 2)
  const shown = (continued ? stars(own) : hideSecrets(own)).slice(start, start + SHOWN_CHARS)
  return `  ${shown}\n  ${' '.repeat(column - 1 - start)}^`
}

/** Hides string values, and whatever follows a key that sounds secret; keeps every column. */
function hideSecrets(line: string): string {
  const key = /(?:token|password|secret|key)\w*["']?\s*:/i.exec(line)
  const end = key === null ? line.length : key.index + key[0].length
  const open = line
    .slice(0, end)
    .replace(/(["'])(?:\\.|(?!\1).)*(?:\1|$)/g, (found, _, at: number) =>
      /^\s*:/.test(line.slice(at + found.length)) ? found : stars(found),
    )
  return open + stars(line.slice(end))
}

function stars(text: string): string {
  return text.replace(/\S/g, '*')
}

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set([
  '__proto__',
  'constructor',
  'prototype',
  'toString', // What superstruct calls where it shows what it saw.
  'valueOf',
])

function checkTree(value: unknown, path: Path, file: string): void {
  if (typeof value !== 'object' || value === null) return
  const at = formatPath(path)
  if (path.length > limits.configDepthMax) {
    const message = `${at}: expected at most ${limits.configDepthMax} levels`
    throw new GatewayError('CONFIG_INVALID', message, { file, path: at })
  }
  for (const [key, member] of Object.entries(value)) {
    if (FORBIDDEN_KEYS.has(key)) {
      const bad = formatPath([...path, key])
      throw new GatewayError('CONFIG_INVALID', `${bad}: this key is not allowed`, {
        file,
        path: bad,
      })
    }
    checkTree(member, [...path, key], file)
  }
}

const REFERENCE = /\$?\$\{([A-Za-z_]\w*)\}/g

/** Puts the environment's values in place of `${NAME}`; `$${NAME}` means the text `${NAME}`. */
function substitute(
  value: unknown,
  path: Path,
  env: ConfigSource['env'],
  issues: ConfigIssue[],
): unknown {
  if (typeof value === 'string') {
    return value.replace(REFERENCE, (reference, name: string) => {
      if (reference.startsWith('$$')) return reference.slice(1)
      const found = Object.hasOwn(env, name) ? env[name] : undefined
      if (found === undefined) issues.push(missingVariable(path, name))
      return found ?? reference
    })
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value))
    return value.map((item, index) => substitute(item, [...path, index], env, issues))
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      substitute(member, [...path, key], env, issues),
    ]),
  )
}

function missingVariable(path: Path, name: string): ConfigIssue {
  const at = formatPath(path)
  return { path: at, message: `${at}: the environment variable ${name} is not set` }
}

function describe(path: Path, type: string, written: object): ConfigIssue {
  if (type === 'never') return unknownKey(path)
  const at = formatPath(path)
  const value = valueAt(written, path)
  if (value === undefined)
    return { path: at, message: `${at}: required, expected ${expected(type)}` }
  const got = isSecretPath(path) || typeof value === 'object' ? kindOf(value) : quote(value)
  return { path: at, message: `${at}: expected ${expected(type)}, got ${got}` }
}

function expected(type: string): string {
  return type === 'object' || type === 'record' ? 'an object' : type === 'array' ? 'a list' : type
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function unknownKey(path: Path): ConfigIssue {
  const at = formatPath(path)
  const key = String(path.at(-1))
  const known = knownKeys(path.slice(0, -1))
  const nearest = nearestOf(key, known)
  if (nearest === null) {
    return { path: at, message: `${at}: unknown key; known here: ${known.join(', ')}` }
  }
  return { path: at, message: `${at}: unknown key, did you mean ${nearest}?`, known: nearest }
}

/** Lists the keys that the schema has at a path. */
function knownKeys(path: Path): string[] {
  let schema: unknown = configStruct.schema
  for (const segment of path) schema = childSchema(schema, segment)
  return typeof schema === 'object' && schema !== null ? Object.keys(schema) : []
}

function childSchema(schema: unknown, segment: string | number): unknown {
  if (typeof schema !== 'object' || schema === null) return null
  // Of a list or a map the schema is its members' struct; of an object, a table of structs.
  const child: unknown = 'validator' in schema ? schema : Reflect.get(schema, segment)
  if (typeof child !== 'object' || child === null || !('schema' in child)) return null
  return child.schema
}

function nearestOf(key: string, known: readonly string[]): string | null {
  const far = Math.max(2, Math.floor(key.length / 3))
  let best: { key: string; distance: number } | null = null
  for (const candidate of known) {
    const distance = editDistance(key.toLowerCase().slice(0, 64), candidate.toLowerCase())
    if (distance <= far && (best === null || distance < best.distance))
      best = { key: candidate, distance }
  }
  return best?.key ?? null
}

/** Counts the insertions, deletions and replacements between two words (Levenshtein). */
function editDistance(one: string, two: string): number {
  let row = Array.from({ length: two.length + 1 }, (_, index) => index)
  for (let i = 0; i < one.length; i += 1) {
    const next = [i + 1]
    for (let j = 0; j < two.length; j += 1) {
      const replaced = (row[j] ?? 0) + (one[i] === two[j] ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
