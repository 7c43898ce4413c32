/**
 * Changes of a configuration: a merge patch laid over it, what differs, and whether that can take
 * effect while the gateway runs.
 */
import { formatPath, type Path } from './path.ts'
import { isObject } from '../members.ts'
import { WITH_TOOLS } from './tools.ts'

/** Parts that are read anew for each message; everything else takes a restart. */
const HOT: readonly string[] = [
  'agents.defaults.budget',
  'agents.defaults.model',
  'agents.defaults.systemPrompt',
  'agents.defaults.tools',
  'agents.defaults.workspace',
  'agents.entries',
  'agents.list',
  ...WITH_TOOLS.map((name) => `channels.${name}.tools`),
  'messages.queue',
  'messages.delivery',
  'tools',
  'models',
  'session.maxMessages',
  'session.reset',
  'session.resetByType',
  'session.resetByChannel',
  'session.compactThreshold',
  'session.prune',
  'store.maxBytes',
  'history.preset',
]

/** Lays a merge patch over a value (RFC 7396): null removes, objects merge, all else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], value)
  }
  return merged
}

/** Lists where two configurations differ, as deep as both are objects. */
export function changedPaths(before: unknown, after: unknown, path: Path = []): Path[] {
  const [from, to] = [membersOf(before), membersOf(after)]
  if (from !== null && to !== null) {
    const keys = new Set([...Object.keys(from), ...Object.keys(to)])
    if (keys.size === 0) return (before === undefined) === (after === undefined) ? [] : [path]
    return [...keys].flatMap((key) => changedPaths(from[key], to[key], [...path, key]))
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [path]
}

/** Tells whether changes take effect without a restart. */
export function isHot(paths: readonly Path[]): boolean {
  return paths
    .map(formatPath)
    .every((path) =>
      HOT.some(
        (part) => path === part || path.startsWith(`${part}.`) || path.startsWith(`${part}[`),
      ),
    )
}

// What is not there has no members yet.
function membersOf(value: unknown): Readonly<Record<string, unknown>> | null {
  if (value === undefined) return {}
  return isObject(value) ? value : null
}
