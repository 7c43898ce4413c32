/**
 * Upstream's groups of tools, as rules may name them: `deny: ["group:fs"]`.
 *
 * A group stands for those of our tools that do what upstream's tools of that group do. One that is
 * empty here stands for nothing that there is. What is no group at all is refused with its path,
 * for a `deny` that matches nothing denies nothing in silence.
 */
import type { ResolvedTools } from './tools.ts'

const FILES = ['read', 'write'] as const
const SESSIONS = ['sessions_list', 'sessions_history'] as const

/** Each group with names of tools as rules have them; those of nodes all begin alike. */
export const TOOL_GROUPS: Readonly<Record<string, readonly string[]>> = {
  'group:agents': [],
  'group:automation': [],
  'group:fs': FILES,
  'group:media': [],
  'group:memory': [],
  'group:messaging': ['message'],
  'group:nodes': ['node__*'],
  'group:openclaw': [...FILES, ...SESSIONS, 'exec', 'message', 'web_fetch'],
  'group:runtime': ['exec'],
  'group:sessions': SESSIONS,
  'group:ui': [],
  'group:web': ['web_fetch'],
}

/** The names that an entry of a rule stands for: those of a group, or itself. */
export function namesMeant(entry: string): readonly string[] {
  return Object.hasOwn(TOOL_GROUPS, entry) ? (TOOL_GROUPS[entry] ?? []) : [entry]
}

/** Tells whether an entry of a rule is written as a group's name and none is called so. */
export function isUnknownGroup(entry: string): boolean {
  return /^\s*group:/i.test(entry) && !Object.hasOwn(TOOL_GROUPS, entry)
}

/** An entry of a rule that matches nothing that this gateway or a server of its has. */
export interface IdleEntry {
  readonly path: string // of its list
  readonly entry: string
}

/** Lists entries of rules that no tool of ours, of a node or of a configured server can match. */
export function idleEntries({ rules, byAgent, byChannel, servers }: ResolvedTools): IdleEntry[] {
  const prefixes = ['node', ...Object.keys(servers)].map((name) => `${name}__`)
  const own = TOOL_GROUPS['group:openclaw'] ?? []
  const isIdle = (entry: string): boolean =>
    !namesMeant(entry).some(
      (name) =>
        own.some((tool) => matchesName(name, tool)) ||
        prefixes.some((prefix) => mayBegin(name, prefix)),
    )
  return [...rules, ...byAgent, ...Object.values(byChannel)].flatMap((place) =>
    (['allow', 'deny', 'ask'] as const).flatMap((list) =>
      (place[list] ?? [])
        .filter(isIdle)
        .map((entry) => ({ path: `${place.where}.${list}`, entry })),
    ),
  )
}

/** Tells whether a name in a rule stands for a tool: a star for anything, all else for itself. */
export function matchesName(pattern: string, name: string): boolean {
  // Without backtracking: a name is no attack.
  const [head = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return pattern === name
  if (!name.startsWith(head)) return false
  const tail = rest.pop() ?? ''
  let at = head.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return name.length - tail.length >= at && name.endsWith(tail)
}

// Whether what a pattern matches may begin so.
function mayBegin(pattern: string, prefix: string): boolean {
  const [head = '', ...rest] = pattern.split('*')
  return head.startsWith(prefix) || (rest.length > 0 && prefix.startsWith(head))
}
