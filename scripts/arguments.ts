/**
 * Arguments of verbs, read strictly: what is not known is named, with the nearest that is.
 *
 * citty reads flags but lets unknown ones pass; here they are refused first, and every value is
 * joined to its flag so that a text that begins with a dash stays a text.
 */
import type { ArgDef, ArgsDef } from 'citty'
import { GatewayError } from '../protocol/errors.ts'
import { quote } from '../protocol/ids.ts'

/** Every verb's: one JSON document instead of lines for people. */
export const jsonArgs = {
  json: { type: 'boolean', description: 'print JSON instead of text' },
} as const satisfies ArgsDef

/** Those of verbs that talk to the gateway. */
export const reachArgs = {
  ...jsonArgs,
  port: { type: 'string', valueHint: 'N', description: 'port of the gateway' },
  token: { type: 'string', valueHint: 'TOKEN', description: 'token of the gateway' },
} as const satisfies ArgsDef

/**
 * Checks raw arguments against a verb's flags and rewrites them for citty: `--name` or
 * `--name=value`, each by its main name; then, behind `--`, the words that are no flags. A word
 * such as `-5m` is an address and no flag. A verb takes as many words as it has positionals; any
 * number where the last is called `words`.
 * @throws {GatewayError} USAGE: an unknown flag, a missing or forbidden value, a stray word.
 */
export function checkArguments(verb: string, raw: readonly string[], args: ArgsDef): string[] {
  const flags = flagsOf(args)
  const checked: string[] = []
  const words: string[] = []
  for (let index = 0; index < raw.length; index += 1) {
    const word = raw[index] ?? ''
    const [written, inline] = splitFlag(word)
    if (!word.startsWith('-') || /^-\d/.test(word)) {
      if (words.length >= wordsMax(args)) throw usage(verb, `unexpected ${quote(word)}`)
      words.push(word)
      continue
    }
    const flag = flags.get(written)
    if (flag === undefined)
      throw usage(verb, `unknown flag ${written}${didYouMean(written, [...flags.keys()])}`)
    if (flag.def.type === 'boolean') {
      if (inline !== undefined) throw usage(verb, `${written} takes no value, got ${quote(inline)}`)
      checked.push(`--${flag.name}`)
      continue
    }
    const next = raw[index + 1]
    const value = inline ?? (next !== undefined && !isFlag(next, flags) ? next : undefined)
    if (value === undefined) throw usage(verb, `${written} needs a value`)
    if (inline === undefined) index += 1
    checkChoice(verb, written, value, flag.def)
    checked.push(`--${flag.name}=${value}`)
  }
  checkRequired(verb, checked, args)
  checkWords(verb, words, args)
  return words.length === 0 ? checked : [...checked, '--', ...words]
}

/** Lists every value of a flag among checked arguments, in order. */
export function valuesOf(checked: readonly string[], flag: string): string[] {
  const end = checked.indexOf('--')
  const start = `--${flag}=`
  return checked
    .slice(0, end === -1 ? checked.length : end)
    .filter((word) => word.startsWith(start))
    .map((word) => word.slice(start.length))
}

function positionalsOf(args: ArgsDef): [string, ArgDef][] {
  return Object.entries(args).filter(([, def]) => def.type === 'positional')
}

function wordsMax(args: ArgsDef): number {
  return 'words' in args ? Number.POSITIVE_INFINITY : positionalsOf(args).length
}

function checkWords(verb: string, words: readonly string[], args: ArgsDef): void {
  const [missing] = positionalsOf(args)
    .filter(([, def]) => def.required !== false)
    .slice(words.length)
  if (missing === undefined) return
  throw usage(verb, `${(missing[1].valueHint ?? missing[0]).toUpperCase()} is missing`)
}

/**
 * Reads a whole number in a range.
 * @throws {GatewayError} USAGE: it is none; `name` is the flag as written.
 */
export function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  const message = `${name}: expected a whole number from ${min} to ${max}, got ${quote(text)}`
  throw new GatewayError('USAGE', message)
}

function usage(verb: string, message: string): GatewayError {
  return new GatewayError('USAGE', message, { verb })
}

interface Flag {
  readonly name: string
  readonly def: ArgDef
}

function flagsOf(args: ArgsDef): Map<string, Flag> {
  const flags = new Map<string, Flag>()
  for (const [name, def] of Object.entries(args)) {
    if (def.type === 'positional') continue
    const alias = 'alias' in def ? (def.alias ?? []) : []
    for (const spelling of [name, ...(Array.isArray(alias) ? alias : [alias])]) {
      flags.set(spelling.length === 1 ? `-${spelling}` : `--${spelling}`, { name, def })
    }
  }
  return flags
}

function splitFlag(word: string): [string, string?] {
  const at = word.indexOf('=')
  return at === -1 ? [word] : [word.slice(0, at), word.slice(at + 1)]
}

function isFlag(word: string, flags: ReadonlyMap<string, Flag>): boolean {
  return flags.has(splitFlag(word)[0])
}

function checkChoice(verb: string, written: string, value: string, def: ArgDef): void {
  const options = def.type === 'enum' && 'options' in def ? (def.options ?? []) : []
  if (options.length === 0 || options.includes(value)) return
  const message = `${written}: expected ${options.join(' | ')}, got ${quote(value)}`
  throw usage(verb, message + didYouMean(value, options))
}

function checkRequired(verb: string, checked: readonly string[], args: ArgsDef): void {
  for (const [name, def] of Object.entries(args)) {
    if (def.required !== true || def.type === 'positional') continue
    if (!checked.some((word) => word.startsWith(`--${name}=`))) {
      throw usage(verb, `--${name} is missing`)
    }
  }
}

/** Writes the end of a sentence that names the nearest candidate, where there is one. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const near = nearest(word, candidates)
  return near === null ? '' : `, did you mean ${near}?`
}

/** Finds the candidate that differs in the fewest letters; null where none is near. */
function nearest(word: string, candidates: readonly string[]): string | null {
  let best: { candidate: string; distance: number } | null = null
  for (const candidate of candidates) {
    const distance = candidate.startsWith(word) ? 1 : editDistance(word, candidate)
    if (best === null || distance < best.distance) best = { candidate, distance }
  }
  if (best === null) return null
  return best.distance <= Math.max(2, Math.floor(word.length / 3)) ? best.candidate : null
}

/** Counts the letters to insert, remove or replace (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
