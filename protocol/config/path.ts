/**
 * Paths into a configuration: how they are written, followed, and which of them lead to secrets.
 *
 * `channels.irc.port` and `models.providers["my.home"].apiKey`: a segment that is no plain word
 * stands in brackets, so that a written path names one place only.
 */
import { SECRET_KEY, SECRET_PATHS } from './schema.ts'

export type Path = readonly (string | number)[]

/** Writes a path as people read it; the root is ''. */
export function formatPath(path: Path): string {
  return path
    .map((segment, index) => {
      if (typeof segment === 'number') return `[${segment}]`
      if (!/^[A-Za-z_][\w-]*$/.test(segment)) return `[${JSON.stringify(segment)}]`
      return index === 0 ? segment : `.${segment}`
    })
    .join('')
}

/** Reads the value at a path, or undefined where the path ends early. */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root
  for (const segment of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment))
      return undefined
    value = Reflect.get(value, segment)
  }
  return value
}

const PATTERNS: readonly (readonly string[])[] = SECRET_PATHS.map((path) => path.split('.'))

/** Tells whether a path leads to a secret: it is listed as one, or its last key is named like one. */
export function isSecretPath(path: Path): boolean {
  const last = path.findLast((segment) => typeof segment === 'string')
  if (typeof last === 'string' && SECRET_KEY.test(last)) return true
  return PATTERNS.some(
    (pattern) =>
      pattern.length === path.length &&
      pattern.every((word, index) => word === '*' || word === path[index]),
  )
}
