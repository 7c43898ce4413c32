/**
 * Who may run which tool: deny wins, then ask, then allow, over all places where rules stand.
 *
 * Each place narrows: what one of them does not allow is denied, whatever the others say. The rule
 * that decided is named, as the record and `tools.list` show it.
 */
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

// A star stands for anything; all else for itself. Without backtracking: a name is no attack.
function matches(pattern: string, name: string): boolean {
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

function ruleOf(list: string, pattern: string): string {
  return cutText(`${list}: ${pattern}`)
}
