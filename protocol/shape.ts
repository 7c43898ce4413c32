/**
 * One value against one struct, whatever the value is.
 *
 * superstruct writes what it saw into its message, and a map from outside may have a `toString` of
 * its own: then the check itself throws. Here that is a failure like any other (S25).
 */
import { type Failure, type Struct, validate } from 'superstruct'

/** What came of a check; `failure` is the first. */
export type Shape<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Pick<Failure, 'path' | 'type' | 'value' | 'message'> }

/** Checks a value; never throws. */
export function shapeOf<T>(struct: Struct<T>, value: unknown): Shape<T> {
  try {
    const [error, checked] = validate(value, struct)
    return error === undefined ? { ok: true, value: checked } : { ok: false, failure: error }
  } catch {
    const path = findUnprintable(value) ?? []
    const failure = {
      path,
      type: 'shape',
      value: 'something else',
      message: 'Expected a plain value',
    }
    return { ok: false, failure }
  }
}

// Where the member is that keeps a value from being written down; values are finite: they were JSON
// or msgpack.
function findUnprintable(value: unknown): string[] | null {
  if (typeof value !== 'object' || value === null) return null
  if (Object.hasOwn(value, 'toString') || Object.hasOwn(value, 'valueOf')) return []
  for (const [name, member] of Object.entries(value)) {
    const below = findUnprintable(member)
    if (below !== null) return [name, ...below]
  }
  return null
}
