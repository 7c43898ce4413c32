/** JSON pointers (RFC 6901): a path into a state, such as `/queue/0/runId`. */
import { GatewayError } from '../errors.ts'
import { quote } from '../ids.ts'

/** Marks a place where there is no value; `undefined` never stands in a state. */
export const NOTHING: unique symbol = Symbol('nothing')

/**
 * Reads a pointer into its keys; the empty text is the whole value.
 * @throws {GatewayError} USAGE: it does not begin with a slash.
 */
export function parsePointer(text: string): readonly string[] {
  if (text === '') return []
  if (!text.startsWith('/')) {
    throw new GatewayError('USAGE', `path: expected a pointer such as /queue/0, got ${quote(text)}`)
  }
  return text
    .slice(1)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** Writes keys as a pointer. */
export function formatPointer(keys: readonly (string | number)[]): string {
  return keys.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** Reads what a pointer leads to, by own members only; NOTHING where it leads nowhere. */
export function followPointer(value: unknown, keys: readonly string[]): unknown {
  let found = value
  for (const key of keys) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return NOTHING
    found = (found as Readonly<Record<string, unknown>>)[key]
  }
  return found
}
