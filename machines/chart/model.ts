/**
 * A machine as a chart: its states and transitions as plain data, read from the machine itself.
 *
 * Actions and guards have names (K5), so a chart says what the code does, and cannot fall behind
 * it.
 */
import type { AnyStateMachine, AnyStateNode } from 'xstate'
import { memberOf } from '../../protocol/members.ts'

export interface ChartState {
  readonly id: string // path below the machine: `running.waiting`; '' is any state
  readonly key: string
  readonly depth: number // 0: the machine itself, which stands for any state
  readonly isInitial: boolean
  readonly isFinal: boolean
  readonly entry: readonly string[]
  readonly exit: readonly string[]
}

export interface ChartEdge {
  readonly from: string // state id
  readonly to: string | null // null: the state stays
  readonly event: string
  readonly guard: string | null
  readonly actions: readonly string[]
}

export interface Chart {
  readonly name: string
  /** In the order of the machine; the first stands for any state where that has transitions. */
  readonly states: readonly ChartState[]
  readonly edges: readonly ChartEdge[] // in the order of their states
}

/** Where an actor is, to be marked in its chart. */
export interface ChartMark {
  readonly active: ReadonlySet<string> // state ids
}

/** Nobody is anywhere: the bare machine. */
export const NO_MARK: ChartMark = { active: new Set() }

/** Reads a machine. */
export function chartOf(machine: AnyStateMachine): Chart {
  const states: ChartState[] = []
  const edges: ChartEdge[] = []
  const walk = (node: AnyStateNode, depth: number, isInitial: boolean): void => {
    const own = edgesOf(node)
    if (depth > 0 || own.length > 0) states.push(toState(node, depth, isInitial))
    edges.push(...own)
    const initial: ReadonlySet<string> = new Set(node.initial?.target?.map(({ key }) => key) ?? [])
    for (const child of Object.values(node.states)) {
      walk(child, depth + 1, node.type === 'parallel' || initial.has(child.key))
    }
  }
  walk(machine.root, 0, false)
  return { name: machine.id, states, edges }
}

function toState(node: AnyStateNode, depth: number, isInitial: boolean): ChartState {
  return {
    id: idOf(node),
    key: depth === 0 ? 'any state' : node.key,
    depth,
    isInitial,
    isFinal: node.type === 'final',
    entry: node.entry.map(nameOf),
    exit: node.exit.map(nameOf),
  }
}

function idOf(node: AnyStateNode): string {
  return node.path.join('.')
}

function edgesOf(node: AnyStateNode): ChartEdge[] {
  return [...node.transitions].flatMap(([event, transitions]) =>
    transitions.map(({ target, guard, actions }) => ({
      from: idOf(node),
      to: target?.[0] === undefined ? null : idOf(target[0]),
      event,
      guard: guard === undefined ? null : nameOf(guard),
      actions: actions.map(nameOf),
    })),
  )
}

// Ours are all named; of a machine that is not, a chart says so.
function nameOf(named: unknown): string {
  if (typeof named === 'string') return named
  const type = memberOf(named, 'type')
  return typeof type === 'string' ? type : 'inline'
}

/** Lists the states that a value names: `{a: 'b'}` is in `a` and in `a.b`. */
export function markOf(value: unknown): ChartMark {
  const active = new Set<string>()
  const walk = (part: unknown, path: readonly string[]): void => {
    if (typeof part === 'string') active.add([...path, part].join('.'))
    else if (typeof part === 'object' && part !== null) {
      for (const [key, below] of Object.entries(part)) {
        active.add([...path, key].join('.'))
        walk(below, [...path, key])
      }
    }
  }
  walk(value, [])
  return { active }
}

/** Tells whether a transition starts where the actor is; its guard has not been asked. */
export function isEnabled({ from }: ChartEdge, { active }: ChartMark): boolean {
  return active.size > 0 && (from === '' || active.has(from))
}

/** Writes a transition: `event [guard] / action, action`. */
export function edgeLabel({ event, guard, actions }: ChartEdge): string {
  const when = guard === null ? '' : ` [${guard}]`
  return `${event}${when}${actions.length === 0 ? '' : ` / ${actions.join(', ')}`}`
}

/** Says what a state does when it is entered and left: up to two texts, to stand beside it. */
export function besideOf({ entry, exit }: ChartState): string[] {
  return [
    ...(entry.length === 0 ? [] : [`entry / ${entry.join(', ')}`]),
    ...(exit.length === 0 ? [] : [`exit / ${exit.join(', ')}`]),
  ]
}
