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
    if (keep && value.length >= KEPT_FROM) return `[${keptText(value)}]`
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
  readonly text: string // without its brackets
}

// Shorter lists are not worth the memory. A step adds or drops a member or two at the ends.
const KEPT_FROM = 16
const STEPS_BACK = 4

// By last member, oldest first. Strong and few: a weak map of so much burdens each collection.
const written = new Map<unknown, WrittenList>()

function keptText(list: readonly unknown[]): string {
  const grown = textOfGrown(list)
  const text = grown ?? list.map((member) => canonical(member)).join(',')
  const last = list.at(-1)
  if (typeof last !== 'object') return text
  if (grown === null && written.size >= limits.listTextsKept) {
    const [oldest] = written.keys()
    written.delete(oldest)
  }
  written.set(last, { members: list, text })
  return text
}

// A list that grew out of one written before, which is forgotten: known by the last member that
// both have, the same but for what fell off its front and what came behind.
function textOfGrown(list: readonly unknown[]): string | null {
  for (let place = list.length - 1; place >= list.length - STEPS_BACK; place -= 1) {
    const known = written.get(list[place])
    if (known === undefined) continue
    const dropped = known.members.length - 1 - place
    const isSame = dropped >= 0 && isPrefix(list, place, known.members, dropped)
    if (!isSame) return null
    written.delete(list[place])
    let cut = 0
    for (const member of known.members.slice(0, dropped)) cut += canonical(member).length + 1
    let text = cut === 0 ? known.text : known.text.slice(cut)
    for (const member of list.slice(place + 1)) text += `,${canonical(member)}`
    return text
  }
  return null
}

function isPrefix(
  list: readonly unknown[],
  last: number,
  known: readonly unknown[],
  dropped: number,
): boolean {
  for (let place = 0; place <= last; place += 1) {
    if (list[place] !== known[place + dropped]) return false
  }
  return true
}
