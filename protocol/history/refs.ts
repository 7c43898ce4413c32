/**
 * Refs: the bodies that a value names, however deep.
 *
 * Whatever looks like a ref counts as one: erasing, exporting and following bodies must miss none.
 */

/** `b:` and the salted digest (`protocol/codec.ts` bodyRef). */
const REF = /^b:[\w-]{1,64}$/

/** Tells whether a text looks like a ref. */
export function isRef(text: string): boolean {
  return REF.test(text)
}

/** Lists the refs in a value, each once, in their order. */
export function refsIn(value: unknown, refs: Set<string> = new Set()): Set<string> {
  if (typeof value === 'string') {
    if (isRef(value)) refs.add(value)
  } else if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) refsIn(member, refs)
  }
  return refs
}
