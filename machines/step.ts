/**
 * One step of one machine: (snapshot, event) in, snapshot and outputs out. Step 5 of 8.
 *
 * Live actors, boot replay, time travel, forks and tests all step through here. The only file that
 * touches XState's internals: `machine.transition` with one scope that is used again for each
 * call, because the public `transition()` builds a whole actor every time. A differential test
 * (tests/machines/step.test.ts) holds the two equal; xstate is pinned exactly.
 *
 * Custom actions never run: they are collected, `stream.send` as sends, all others as effects.
 */
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type SnapshotStatus,
} from 'xstate'
import { canonical, stateHash } from '../protocol/codec.ts'
import type { Effect, Ignored, JournalEvent, Send } from '../protocol/record.ts'

/** What one event did to one snapshot. */
export interface Stepped {
  readonly snapshot: AnyMachineSnapshot
  readonly effects: readonly Effect[]
  readonly sends: readonly Send[]
  readonly ignored: Ignored | null
}

/** A snapshot as bytes can hold it. */
export interface SavedState {
  readonly value: unknown
  readonly status: SnapshotStatus
  readonly context: unknown
}

/** Steps one machine. Pure but for `stepTrap`; safe to share between actors of a kind. */
export interface Stepper {
  readonly machine: AnyStateMachine
  /** The state before the first event; it may produce no outputs. */
  readonly initial: AnyMachineSnapshot
  /** Takes one event in; `at` is its time, in ms since epoch. @throws what a guard or assign throws. */
  readonly step: (snapshot: AnyMachineSnapshot, event: JournalEvent, at: number) => Stepped
  readonly restore: (saved: SavedState) => AnyMachineSnapshot
}

/**
 * Called around every step. Tests and development put functions here that make the clock and the
 * random sources throw in between (K2); production leaves them empty.
 */
export const stepTrap = {
  enter: (_machine: string): void => {},
  leave: (): void => {},
  /** Looks at each new context (K1). */
  inspect: (_machine: string, _context: unknown): void => {},
  /** Hears which guard or action is in hand, empty behind it; null: nobody asks, nothing is wrapped. */
  inHand: null as ((what: string) => void) | null,
}

interface CollectedAction {
  readonly type: string
  readonly params: unknown
}

type StepScope = Parameters<AnyStateMachine['transition']>[2]

/** Builds the stepper of a machine. */
export function createStepper(machine: AnyStateMachine): Stepper {
  const collected: CollectedAction[] = []
  const scope = createScope(machine, collected)
  const initial = machine.getInitialSnapshot(scope, undefined) as AnyMachineSnapshot
  if (collected.length > 0) throw new Error(`machine ${machine.id}: outputs before the first event`)
  let named = false
  return {
    machine,
    initial,
    step: (snapshot, event, at) => {
      collected.length = 0
      if (!named && stepTrap.inHand !== null) {
        named = true
        nameImplementations(machine)
      }
      stepTrap.enter(machine.id)
      try {
        const next = machine.transition(snapshot, { ...event, at }, scope) as AnyMachineSnapshot
        if (next !== snapshot) stepTrap.inspect(machine.id, next.context)
        const unchanged = next === snapshot && collected.length === 0
        const ignored = unchanged ? whyIgnored(machine, snapshot, event) : null
        return { snapshot: next, ...sortOutputs(collected), ignored }
      } finally {
        stepTrap.leave()
      }
    },
    restore: ({ value, status, context }) =>
      machine.resolveState({ value, status, context } as Parameters<
        typeof machine.resolveState
      >[0]),
  }
}

type Implementation = ((...given: unknown[]) => unknown) & Record<string, unknown>

// Guards are called as they are; an `assign` keeps its function in `assignment`, `enqueueActions`
// in `collect`.
function nameImplementations(machine: AnyStateMachine): void {
  const { guards, actions } = machine.implementations as unknown as Record<
    'guards' | 'actions',
    Record<string, unknown>
  >
  for (const [name, guard] of Object.entries(guards)) {
    if (typeof guard === 'function') guards[name] = naming(`guard ${name}`, guard as Implementation)
  }
  for (const [name, action] of Object.entries(actions)) {
    if (typeof action !== 'function') continue
    for (const part of ['assignment', 'collect']) {
      const run: unknown = Reflect.get(action, part)
      if (typeof run !== 'function') continue
      Reflect.set(action, part, naming(`action ${name}`, run as Implementation))
    }
  }
}

function naming(what: string, run: Implementation): (...given: unknown[]) => unknown {
  return (...given) => {
    stepTrap.inHand?.(what)
    const result = run(...given)
    stepTrap.inHand?.('')
    return result
  }
}

function createScope(machine: AnyStateMachine, collected: CollectedAction[]): StepScope {
  const self = createActor(machine)
  const scope: unknown = {
    self,
    system: self.system,
    id: '',
    sessionId: '',
    logger: () => {},
    defer: () => {},
    emit: () => {},
    stopChild: () => {},
    actionExecutor: (action: CollectedAction) => {
      collected.push({ type: action.type, params: action.params })
    },
  }
  return scope as StepScope
}

function sortOutputs(collected: readonly CollectedAction[]): { effects: Effect[]; sends: Send[] } {
  const effects: Effect[] = []
  const sends: Send[] = []
  for (const { type, params } of collected) {
    if (type === 'stream.send') sends.push(params as Send)
    else effects.push({ name: type, params: params as Effect['params'] })
  }
  return { effects, sends }
}

// An event that changed nothing says why, so that its absence of effect proves something (K3).
function whyIgnored(
  machine: AnyStateMachine,
  snapshot: AnyMachineSnapshot,
  event: JournalEvent,
): Ignored {
  if (machine.getTransitionData(snapshot, event).length > 0) return 'unchanged'
  const nodes = snapshot._nodes as readonly { transitions: Map<string, unknown[]> }[]
  return nodes.some((node) => node.transitions.has(event.type)) ? 'refused' : 'unhandled'
}

/** Formats a state value: a plain name, or canonical JSON where regions or depth need it. */
export function formatValue(snapshot: AnyMachineSnapshot): string {
  return typeof snapshot.value === 'string' ? snapshot.value : canonical(snapshot.value)
}

/** Hashes a snapshot that is stepped on: 16 hex digits over value, status and context. */
export function hashSnapshot(snapshot: AnyMachineSnapshot): string {
  return stateHash(saveSnapshot(snapshot), true)
}

/** The same of a snapshot that is looked at once. */
export function hashSnapshotOnce(snapshot: AnyMachineSnapshot): string {
  return stateHash(saveSnapshot(snapshot))
}

/** Takes out of a snapshot what is worth keeping. */
export function saveSnapshot(snapshot: AnyMachineSnapshot): SavedState {
  return { value: snapshot.value, status: snapshot.status, context: snapshot.context as unknown }
}
