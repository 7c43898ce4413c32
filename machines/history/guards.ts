/**
 * Guards: which conditions were asked in a step, what they said, and what they looked at.
 *
 * The machine is stepped once more with its named guards wrapped; each is handed copies that note
 * what is read of them, so that "refused" comes with the facts that refused it.
 */
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate'
import { getMicrosteps, getNextTransitions } from 'xstate'
import type { StreamId } from '../../protocol/ids.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { createStepper, saveSnapshot, type Stepper } from '../step.ts'
import { kindOf, type Kinds } from './source.ts'

/** One guard as it was asked. */
export interface GuardReading {
  readonly guard: string
  readonly passed: boolean
  /** What it read: `context.queue.length` -> 20. Lists and objects by what was read of them. */
  readonly inputs: Readonly<Record<string, unknown>>
}

/** One transition that a state could take. */
export interface Candidate {
  readonly event: string
  readonly guard: string | null
  readonly target: string | null // null: stays where it is
}

/** What is needed to step again. */
export interface Step {
  readonly stream: StreamId
  readonly snapshot: AnyMachineSnapshot // before
  readonly event: JournalEvent
  readonly at: number // ms since epoch
}

interface Tracer {
  readonly stepper: Stepper
  readings: GuardReading[]
}

type GuardArgs = { context: unknown; event: unknown }
type GuardFunction = (args: GuardArgs, params: unknown) => boolean

const tracers = new WeakMap<AnyStateMachine, Tracer>()

/** Asks the guards of a step again, in the order in which the machine asks them. */
export function readGuards(kinds: Kinds, { stream, snapshot, event, at }: Step): GuardReading[] {
  const { machine } = kindOf(kinds, stream).stepper
  const tracer = tracers.get(machine) ?? trace(machine)
  tracers.set(machine, tracer)
  tracer.readings = []
  tracer.stepper.step(tracer.stepper.restore(saveSnapshot(snapshot)), event, at)
  return tracer.readings
}

function trace(machine: AnyStateMachine): Tracer {
  const guards = Object.entries(machine.implementations.guards).map(([name, guard]) => [
    name,
    typeof guard === 'function' ? wrap(name, guard as GuardFunction) : guard,
  ])
  const traced = machine.provide({ guards: Object.fromEntries(guards) as never })
  const tracer: Tracer = { stepper: createStepper(traced), readings: [] }
  function wrap(name: string, guard: GuardFunction): GuardFunction {
    return (args, params) => {
      const inputs: Record<string, unknown> = {}
      // Copies: what is frozen may not be shown through a proxy as something else.
      const { context, event } = structuredClone({ context: args.context, event: args.event })
      const seen = {
        ...args,
        context: watch(context, 'context', inputs),
        event: watch(event, 'event', inputs),
      }
      const passed = guard(seen, params)
      tracer.readings.push({ guard: name, passed, inputs })
      return passed
    }
  }
  return tracer
}

function watch(value: unknown, path: string, inputs: Record<string, unknown>): unknown {
  if (typeof value !== 'object' || value === null) {
    inputs[path] = value
    return value
  }
  return new Proxy(value, {
    get: (target, key, receiver) => {
      const member: unknown = Reflect.get(target, key, receiver)
      if (typeof key === 'symbol' || typeof member === 'function') return member
      return watch(member, `${path}.${key}`, inputs)
    },
  })
}

/** Lists the transitions that a state knows, in the order in which they are asked. */
export function candidatesOf(snapshot: AnyMachineSnapshot): Candidate[] {
  return getNextTransitions(snapshot).map(({ eventType, guard, target }) => ({
    event: eventType,
    guard: guardName(guard),
    target: target?.map(({ key }) => key).join(', ') ?? null,
  }))
}

function guardName(guard: unknown): string | null {
  if (typeof guard === 'string') return guard
  if (typeof guard !== 'object' || guard === null) return null
  const type: unknown = Reflect.get(guard, 'type')
  return typeof type === 'string' ? type : null
}

/** Lists the types of event that a state takes in, each once. */
export function acceptedBy(snapshot: AnyMachineSnapshot): string[] {
  return [...new Set(candidatesOf(snapshot).map(({ event }) => event))]
}

/** Lists the states that one event leads through, the last one included. */
export function microstepsOf(kinds: Kinds, step: Step): AnyMachineSnapshot[] {
  const { machine } = kindOf(kinds, step.stream).stepper
  const event = { ...step.event, at: step.at }
  return getMicrosteps(machine, step.snapshot as never, event as never).map(([next]) => next)
}
