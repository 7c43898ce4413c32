/**
 * Canonical JSON: one text for one value, so that equal values have equal digests.
 *
 * Keys stand in the order of their UTF-16 units and `undefined` members are left out. What already
 * stands so is written by the engine itself, which is several times faster. A long list that grew
 * out of one written before keeps the texts of its members: a conversation of some hundred
 * entries is hashed at each step, and each step adds one.
 */

/**
 * Writes a value as canonical JSON.
 * The value must not be changed afterwards: texts of members of long lists are remembered.
 */
export function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${listTexts(value).join(',')}]`
  if (isInOrder(value)) return JSON.stringify(value)
  let members = ''
  for (const key of Object.keys(value).sort()) {
    const member = (value as Readonly<Record<string, unknown>>)[key]
    if (member === undefined) continue
    members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${canonical(member)}`
  }
  return `{${members}}`
}

// Whether JSON.stringify writes this value as we would. Lists inside may be long: not looked at.
function isInOrder(value: object): boolean {
  if ('toJSON' in value) return false
  let before = ''
  for (const key in value) {
    if (key < before || !isPlain((value as Readonly<Record<string, unknown>>)[key])) return false
    before = key
  }
  return true
}

function isPlain(value: unknown): boolean {
  if (typeof value === 'object') {
    return value === null || (!Array.isArray(value) && isInOrder(value))
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

interface WrittenList {
  readonly members: readonly unknown[]
  readonly texts: readonly string[]
  readonly before: object | null // key of the list that this one grew out of
}

// Shorter lists are not worth the memory. A step adds or drops a member or two at the ends.
const KEPT_FROM = 16
const STEPS_BACK = 4

// By the last member: a list that has grown is found by the members before its last.
const written = new WeakMap<object, WrittenList>()

function listTexts(list: readonly unknown[]): readonly string[] {
  const last = list.at(-1)
  if (list.length < KEPT_FROM || typeof last !== 'object' || last === null) {
    return list.map((member) => canonical(member))
  }
  const ancestor = findAncestor(list)
  const texts = ancestor === null ? list.map((member) => canonical(member)) : grown(list, ancestor)
  // Two lists of a line are kept: the one before may be hashed once more, older ones are not.
  if (ancestor !== null && ancestor.key !== last && ancestor.list.before !== null) {
    written.delete(ancestor.list.before)
  }
  const before = ancestor === null || ancestor.key === last ? null : ancestor.key
  written.set(last, { members: list, texts, before: before ?? ancestor?.list.before ?? null })
  return texts
}

interface Ancestor {
  readonly list: WrittenList
  readonly key: object // its last member
  readonly offset: number // of the member's place in the new list against its place there
}

function findAncestor(list: readonly unknown[]): Ancestor | null {
  for (let back = 1; back <= STEPS_BACK; back += 1) {
    const key = list.at(-back)
    if (typeof key !== 'object' || key === null) return null
    const known = written.get(key)
    if (known === undefined) continue
    return { list: known, key, offset: list.length - back - (known.members.length - 1) }
  }
  return null
}

function grown(list: readonly unknown[], { list: known, offset }: Ancestor): string[] {
  return list.map((member, index) => {
    const text = known.members[index - offset] === member ? known.texts[index - offset] : undefined
    return text ?? canonical(member)
  })
}
