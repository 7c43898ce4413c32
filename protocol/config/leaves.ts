/**
 * The leaves of the configuration's shape: each is named by what it expects, in words that stand in
 * messages: `expected an integer between 1 and 64`.
 */
import { define, optional, record, string, Struct } from 'superstruct'

/** A leaf whose name is what its messages say they expected. */
export function leaf<T>(expected: string, accepts: (value: unknown) => boolean): Struct<T, null> {
  return define<T>(expected, accepts)
}

/** A whole number within bounds. */
export function integer(min: number, max: number): Struct<number, null> {
  return leaf(
    `an integer between ${min} and ${max}`,
    (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
  )
}

/** A number within bounds, whole or not. */
export function number(min: number, max: number): Struct<number, null> {
  return leaf(
    `a number between ${min} and ${max}`,
    (value) => typeof value === 'number' && value >= min && value <= max,
  )
}

/** A part of a whole. */
export function share(): Struct<number, null> {
  return number(0, 1)
}

/** Yes or no. */
export function flag(): Struct<boolean, null> {
  return leaf('true or false', (value) => typeof value === 'boolean')
}

/** A text within bounds. */
export function text(min: number, max: number): Struct<string, null> {
  return leaf(
    `a text of ${min} to ${max} characters`,
    (value) => typeof value === 'string' && value.length >= min && value.length <= max,
  )
}

/** One of some words. */
export function oneOf<const Word extends string>(...words: readonly Word[]): Struct<Word, null> {
  const expected = words.map((word) => JSON.stringify(word)).join(' or ')
  return leaf(expected, (value) => words.some((word) => word === value))
}

/** A map with free keys; unlike superstruct's `record` it remembers its values' struct. */
export function mapOf<T>(value: Struct<T>): Struct<Record<string, T>, Struct<T>> {
  const map = record(string(), value)
  return new Struct<Record<string, T>, Struct<T>>({
    type: map.type,
    schema: value,
    validator: (members, context) => map.validator(members, context),
    entries: (members, context) => map.entries(members, context),
  })
}

/** A name as people write one. */
export const name = () => text(1, 128)
/** What a key that this version does not read expects; no other leaf is named so. */
export const UNREAD = 'anything'
/** A key of upstream's that this version does not read. */
export const unread = () =>
  optional(leaf<object | string | number | boolean | null>(UNREAD, () => true))

/**
 * Upstream's several accounts of one platform: refused, since whoever writes rules for each believes
 * that they hold.
 */
export const accountsRefused = () =>
  optional(leaf<never>('no accounts: write the keys of one account beside it', () => false))

/** Several of them, as members of a shape. */
export function unreadAll<const Key extends string>(
  keys: readonly Key[],
): Record<Key, ReturnType<typeof unread>> {
  return Object.fromEntries(keys.map((key) => [key, unread()])) as Record<
    Key,
    ReturnType<typeof unread>
  >
}

/** Who may write directly. */
export const directPolicy = () => oneOf('pairing', 'allowlist', 'open', 'disabled')
/** In which rooms a channel takes part. */
export const groupPolicy = () => oneOf('allowlist', 'open', 'disabled')
