/**
 * Canonical JSON: one text for one value, so that equal values have equal digests.
 *
 * Keys stand in the order of their UTF-16 units and `undefined` members are left out. What already
 * stands so is written by the engine itself, which is several times faster. Who hashes a long list
 * at each step of its growth may have its members' texts kept from one step to the next.
 */
import { limits } from './limits.ts'

/**
 * Writes a value as canonical JSON. With `keep` the texts of members of long lists are remembered,
 * and the value must not be changed afterwards.
 */
export function canonical(value: unknown, keep = false): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) {
    if (keep && value.length >= KEPT_FROM) return `[${keptTexts(value).join(',')}]`
    if (value.every(isPlain)) return JSON.stringify(value)
    return `[${value.map((member) => canonical(member)).join(',')}]`
  }
  if (isInOrder(value)) return JSON.stringify(value)
  let members = ''
  for (const key of Object.keys(value).sort()) {
    const member = (value as Readonly<Record<string, unknown>>)[key]
    if (member === undefined) continue
    members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${canonical(member, keep)}`
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
}

// Shorter lists are not worth the memory. A step adds or drops a member or two at the ends.
const KEPT_FROM = 16
const STEPS_BACK = 4

const written: WrittenList[] = [] // newest first; strong and few, since weak maps burden the collector

function keptTexts(list: readonly unknown[]): readonly string[] {
  const ancestor = findAncestor(list)
  const texts = list.map((member, index) => {
    const known = ancestor?.list.members[index - ancestor.offset] === member ? ancestor : null
    return known?.list.texts[index - known.offset] ?? canonical(member)
  })
  if (ancestor !== null) written.splice(written.indexOf(ancestor.list), 1)
  else if (written.length >= limits.listTextsKept) written.pop()
  written.unshift({ members: list, texts })
  return texts
}

interface Ancestor {
  readonly list: WrittenList
  readonly offset: number // of a member's place in the new list against its place there
}

// A list that has grown is known by the last member that both have.
function findAncestor(list: readonly unknown[]): Ancestor | null {
  const ends = list.slice(-STEPS_BACK)
  for (const known of written) {
    const last = known.members.at(-1)
    const at = typeof last === 'object' ? ends.lastIndexOf(last) : -1
    if (at === -1) continue
    const place = list.length - ends.length + at
    return { list: known, offset: place - (known.members.length - 1) }
  }
  return null
}
