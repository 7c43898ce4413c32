/**
 * A configuration without its secrets, and its way back.
 *
 * A secret is absent and its path is listed: no marker stands in its place that could be written
 * back as if it were the secret (decisions.md 28).
 */
import { formatPath, isSecretPath, type Path, valueAt } from './path.ts'
import { isObject } from '../members.ts'

export interface RedactedConfig {
  readonly config: unknown // the same shape, secrets left out
  readonly secretPaths: readonly string[] // concrete, as `formatPath` writes them, in file order
}

/** Leaves every secret out of a configuration, or of any value of that shape. */
export function redactConfig(config: unknown): RedactedConfig {
  const found = secretsOf(config)
  return { config: without(config, []), secretPaths: found.map((path) => formatPath(path)) }
}

/**
 * Puts back the secrets that a writer could not see: where `written` leaves out a secret that
 * `current` has, the secret stays; an explicit null removes it, and so does removing what it
 * belonged to. Neither value is changed.
 */
export function keepSecrets(written: object, current: object): object {
  let next: object = written
  for (const path of secretsOf(current)) {
    const parent = valueAt(written, path.slice(0, -1))
    const kept = isObject(parent)
    if (kept && valueAt(written, path) === undefined)
      next = withValue(next, path, valueAt(current, path))
    if (kept && valueAt(written, path) === null) next = withValue(next, path, undefined)
  }
  return next
}

/** Lists where the secrets of a value are. Lists and objects under a secret key are secret whole. */
function secretsOf(value: unknown, path: Path = []): Path[] {
  if (value === undefined) return []
  if (path.length > 0 && isHidden(value, path)) return [path]
  if (typeof value !== 'object' || value === null) return []
  return entriesOf(value).flatMap(([key, member]) => secretsOf(member, [...path, key]))
}

function without(value: unknown, path: Path): unknown {
  if (typeof value !== 'object' || value === null) return value
  const shown = entriesOf(value).filter(([key, member]) => !isHidden(member, [...path, key]))
  const members = shown.map(([key, member]) => [key, without(member, [...path, key])] as const)
  return Array.isArray(value) ? members.map(([, member]) => member) : Object.fromEntries(members)
}

function entriesOf(value: object): [string | number, unknown][] {
  return Array.isArray(value) ? [...value.entries()] : Object.entries(value)
}

/** Flags and numbers under a secret-sounding key (`reset: { token: true }`) say nothing secret. */
function isHidden(value: unknown, path: Path): boolean {
  if (typeof value === 'boolean' || value === null || value === undefined) return false
  return isSecretPath(path)
}

function withValue(root: unknown, path: Path, value: unknown): object {
  const [key, ...rest] = path
  const source = typeof root === 'object' && root !== null ? root : {}
  if (key === undefined) return source
  const member: unknown =
    rest.length === 0 ? value : withValue(Reflect.get(source, key), rest, value)
  if (Array.isArray(source))
    return source.map((item: unknown, index) => (index === key ? member : item))
  const others = Object.entries(source).filter(([name]) => name !== key)
  return Object.fromEntries(member === undefined ? others : [...others, [key, member]])
}
