/**
 * One invocation: a command that a node is asked to run, until its fate is known.
 *
 *   new ──invocation.requested──► calling ──effect.done──────────────────► done
 *                                   ├──effect.failed────────────────────► failed
 *                                   └──effect.lost (never started)──────► failed
 *                                      effect.lost (started)────────────► uncertain
 *
 * A command is run once: what may have run is never run again by itself (K6).
 */
import { assign, setup } from 'xstate'
import {
  collected,
  type EffectCancelled,
  type EffectDone,
  type EffectFailed,
  type EffectLost,
  type NodeCallParams,
} from './effects.ts'
import type { IdempotencyMark } from './session-events.ts'

export type InvocationRequested = {
  type: 'invocation.requested'
  invocationId: string
  nodeId: string
  command: string
  ref: string // of its parameters, as JSON
  timeoutMs: number
  idempotency?: IdempotencyMark
  at: number
}

export type InvocationEvent =
  | InvocationRequested
  | EffectDone<{ ref: string }>
  | EffectFailed
  | EffectCancelled
  | EffectLost

export interface InvocationContext {
  invocationId: string
  nodeId: string
  command: string
  ref: string
  timeoutMs: number
  resultRef: string // of what the node answered; '' unless done
  fault: string
}

const machine = setup({
  types: { context: {} as InvocationContext, events: {} as InvocationEvent },
  actions: {
    'request.keep': assign(({ context, event }) => {
      if (event.type !== 'invocation.requested') return context
      const { invocationId, nodeId, command, ref, timeoutMs } = event
      return { ...context, invocationId, nodeId, command, ref, timeoutMs }
    }),
    'result.keep': assign(({ context, event }) =>
      event.type === 'effect.done' ? { ...context, resultRef: event.ref } : context,
    ),
    'fault.keep': assign(({ context, event }) => ({
      ...context,
      fault: event.type === 'effect.failed' ? event.class : 'lost',
    })),
    'node.call': collected<NodeCallParams>,
  },
  guards: {
    'call.mayHaveRun': ({ event }) =>
      (event.type === 'effect.lost' && event.started) ||
      (event.type === 'effect.failed' && event.sent === 'maybe'),
  },
})

const ends = [
  { guard: 'call.mayHaveRun', target: 'uncertain', actions: 'fault.keep' },
  { target: 'failed', actions: 'fault.keep' },
] as const

export const invocationMachine = machine.createMachine({
  id: 'invocation',
  context: {
    invocationId: '',
    nodeId: '',
    command: '',
    ref: '',
    timeoutMs: 0,
    resultRef: '',
    fault: '',
  },
  initial: 'new',
  states: {
    new: { on: { 'invocation.requested': { target: 'calling', actions: 'request.keep' } } },
    calling: {
      entry: {
        type: 'node.call',
        params: ({ context: { invocationId, nodeId, command, ref, timeoutMs } }) => ({
          invocationId,
          nodeId,
          command,
          ref,
          timeoutMs,
        }),
      },
      on: {
        'effect.done': { target: 'done', actions: 'result.keep' },
        'effect.failed': [...ends],
        'effect.cancelled': { target: 'failed', actions: 'fault.keep' },
        'effect.lost': [...ends],
      },
    },
    done: { type: 'final' },
    failed: { type: 'final' },
    uncertain: { type: 'final' },
  },
})

/** The states in which an invocation has ended. */
export const INVOCATION_ENDS: ReadonlySet<string> = new Set(['done', 'failed', 'uncertain'])
