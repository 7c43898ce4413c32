/**
 * Who may run which tool: deny wins, then ask, then allow, over all places where rules stand. An entry
 * is a tool's name, with `*` for anything, or a group of upstream's.
 *
 * Each place narrows: what one of them does not allow is denied, whatever the others say. The rule
 * that decided is named, as the record and `tools.list` show it.
 */
import { matchesName, namesMeant } from '../../protocol/config/tool-groups.ts'
import type { ToolRules } from '../../protocol/config/tools.ts'
import { cutText } from '../../protocol/ids.ts'

export interface ToolVerdict {
  readonly verdict: 'allow' | 'ask' | 'deny'
  readonly rule: string // path of the list, and what in it matched
}

/** Judges a tool by the rules of every place that is meant, the widest first. */
export function judgeTool(name: string, places: readonly ToolRules[]): ToolVerdict {
  for (const { where, deny = [] } of places) {
    const found = deny.find((pattern) => matches(pattern, name))
    if (found !== undefined) return { verdict: 'deny', rule: ruleOf(`${where}.deny`, found) }
  }
  for (const { where, allow } of places) {
    const isAllowed = allow === undefined || allow.some((pattern) => matches(pattern, name))
    if (!isAllowed) return { verdict: 'deny', rule: cutText(`${where}.allow: not in it`) }
  }
  for (const { where, ask = [] } of places) {
    const found = ask.find((pattern) => matches(pattern, name))
    if (found !== undefined) return { verdict: 'ask', rule: ruleOf(`${where}.ask`, found) }
  }
  const last = places.findLast(({ allow }) => allow !== undefined)
  const found = last?.allow?.find((pattern) => matches(pattern, name)) ?? '*'
  return { verdict: 'allow', rule: ruleOf(`${last?.where ?? 'tools'}.allow`, found) }
}

function matches(entry: string, name: string): boolean {
  return namesMeant(entry).some((pattern) => matchesName(pattern, name))
}

function ruleOf(list: string, pattern: string): string {
  return cutText(`${list}: ${pattern}`)
}
