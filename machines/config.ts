/**
 * The configuration: every change of it, judged before it counts.
 *
 *   idle ──config.proposed──► checking ──effect.done (valid)──► writing ──effect.done (hot)──► idle
 *    ▲                          │                                  └─────effect.done───► restarting
 *    │                          └── not valid, failed, lost ─► idle                         │
 *    └──────────── config.booted: as proposed, or rolled back to the last good ─────────────┘
 *
 * `restarting` waits for its delay, then wishes for the restart. A session that asked is woken with
 * its note, or with the reason why not. Texts of configurations are never here: `before` and `after`
 * name bodies without secrets, hashes stand for the rest.
 */
import { produce } from 'immer'
import { assign, enqueueActions, setup } from 'xstate'
import { streamId } from '../protocol/ids.ts'
import {
  collected,
  type EffectDone,
  type EffectFailed,
  type EffectLost,
  type SendParams,
} from './effects.ts'
import { planFact, type RunPlan } from './rules/plan.ts'
import type { Wait } from './waits.ts'

/** Whom to wake when a change has come to its end, and with what. */
export interface ConfigWake {
  sessionKey: string
  runId: string
  ref: string // body of the note
  model: string
  messagesMax: number
  plan?: RunPlan // absent: in journals of before
}

export type ConfigProposed = {
  type: 'config.proposed'
  change: string // id of this change
  via: 'apply' | 'patch' | 'file' | 'verb'
  by: string // device, or `owner` for a change of the file
  base: string // hash of the configuration that it replaces
  hash: string // of the proposed one
  before: string // refs of bodies, secrets left out
  after: string
  paths: number // how many differ
  hot: boolean // takes effect without a restart
  delayMs: number // before the restart
  wake: ConfigWake | null
  at: number
}

/** What a boot found: which configuration it runs with, and why not the written one. */
export type ConfigBooted = {
  type: 'config.booted'
  hash: string
  reason: string // ref of a body; empty where it is the written one
  at: number
}

type Checked = EffectDone<{ valid: boolean; reason: string }>

export type ConfigEvent =
  | ConfigProposed
  | ConfigBooted
  | Checked
  | EffectFailed
  | EffectLost
  | { type: 'restart.due'; at: number }

export interface ConfigContext {
  hash: string // of what runs
  change: string // in hand, or empty
  candidate: string // hash
  hot: boolean
  delayMs: number
  restartAt: number // ms since epoch; 0 unless waiting
  wake: ConfigWake | null
  applied: number
  rejected: number
  fault: string // of the last rejected change
}

const machine = setup({
  types: { context: {} as ConfigContext, events: {} as ConfigEvent },
  actions: {
    'proposal.keep': assign(({ context, event }) =>
      event.type !== 'config.proposed'
        ? context
        : produce(context, (draft) => {
            draft.change = event.change
            draft.candidate = event.hash
            draft.hot = event.hot
            draft.delayMs = event.delayMs
            draft.wake = event.wake
            draft.fault = ''
          }),
    ),
    'change.apply': assign(({ context }) => ({
      ...context,
      hash: context.candidate,
      change: '',
      restartAt: 0,
      applied: context.applied + 1,
    })),
    'change.reject': assign(({ context, event }) => ({
      ...context,
      change: '',
      candidate: '',
      restartAt: 0,
      rejected: context.rejected + 1,
      fault: faultOf(event),
    })),
    'restart.plan': assign(({ context, event }) => ({
      ...context,
      restartAt: event.at + context.delayMs,
    })),
    'restart.begin': assign(({ context }) => ({ ...context, restartAt: 0 })),
    'boot.keep': assign(({ context, event }) =>
      event.type === 'config.booted' ? { ...context, hash: event.hash } : context,
    ),
    'session.wake': enqueueActions(({ context, event, enqueue }) => {
      const { wake } = context
      if (wake === null) return
      const reason = reasonOf(event)
      const ref = reason === '' ? wake.ref : reason
      const accepted = {
        type: 'message.accepted',
        sessionKey: wake.sessionKey,
        messageId: wake.runId,
        runId: wake.runId,
        ref,
        channel: null,
        peer: null,
        sender: null,
        route: null,
        model: wake.model,
        thinking: 'off',
        messagesMax: wake.messagesMax,
        ...planFact(wake.plan),
      }
      enqueue({
        type: 'stream.send',
        params: { to: streamId('session', wake.sessionKey), event: accepted },
      })
    }),
    'config.check': collected<{ change: string; hash: string }>,
    'config.write': collected<{ change: string; hash: string; hot: boolean }>,
    'gateway.restart': collected<{ change: string }>,
    'stream.send': collected<SendParams>,
  },
  guards: {
    'check.valid': ({ event }) =>
      event.type === 'effect.done' && event.name === 'config.check' && event.valid,
    'check.ended': ({ event }) => 'name' in event && event.name === 'config.check',
    'write.hot': ({ context, event }) =>
      'name' in event && event.name === 'config.write' && context.hot,
    'write.ended': ({ event }) => 'name' in event && event.name === 'config.write',
    'restart.begun': ({ context, event }) =>
      'name' in event && event.name === 'gateway.restart' && context.restartAt > 0,
    'boot.asProposed': ({ context, event }) =>
      event.type === 'config.booted' && event.hash === context.candidate && event.reason === '',
  },
})

function faultOf(event: ConfigEvent): string {
  if (event.type === 'effect.failed') return event.class
  if (event.type === 'effect.lost') return 'lost'
  return event.type === 'config.booted' ? 'rolledBack' : 'invalid'
}

// What a session is told in place of its note.
function reasonOf(event: ConfigEvent): string {
  return 'reason' in event ? event.reason : ''
}

const rejected = { target: 'idle', actions: ['change.reject', 'session.wake'] } as const

export const configMachine = machine.createMachine({
  id: 'config',
  context: {
    hash: '',
    change: '',
    candidate: '',
    hot: false,
    delayMs: 0,
    restartAt: 0,
    wake: null,
    applied: 0,
    rejected: 0,
    fault: '',
  },
  initial: 'idle',
  states: {
    idle: {
      on: {
        'config.proposed': { target: 'checking', actions: 'proposal.keep' },
        'config.booted': { actions: 'boot.keep' },
      },
    },
    checking: {
      entry: {
        type: 'config.check',
        params: ({ context }) => ({ change: context.change, hash: context.candidate }),
      },
      on: {
        'effect.done': [
          { guard: 'check.valid', target: 'writing' },
          { guard: 'check.ended', ...rejected },
        ],
        'effect.failed': { guard: 'check.ended', ...rejected },
        'effect.lost': { guard: 'check.ended', ...rejected },
        'config.booted': { actions: 'boot.keep' },
      },
    },
    writing: {
      entry: {
        type: 'config.write',
        params: ({ context: { change, candidate, hot } }) => ({ change, hash: candidate, hot }),
      },
      on: {
        'effect.done': [
          { guard: 'write.hot', target: 'idle', actions: ['change.apply', 'session.wake'] },
          { guard: 'write.ended', target: 'restarting', actions: 'restart.plan' },
        ],
        'effect.failed': { guard: 'write.ended', ...rejected },
        // It may have been written: the boot that tells of the loss tells what runs, too.
        'effect.lost': { guard: 'write.ended', target: 'restarting' },
        'config.booted': [
          { guard: 'boot.asProposed', target: 'idle', actions: ['change.apply', 'session.wake'] },
          { actions: 'boot.keep' },
        ],
      },
    },
    restarting: {
      on: {
        'restart.due': {
          actions: {
            type: 'gateway.restart',
            params: ({ context }) => ({ change: context.change }),
          },
        },
        'effect.done': { guard: 'restart.begun', actions: 'restart.begin' },
        'config.booted': [
          {
            guard: 'boot.asProposed',
            target: 'idle',
            actions: ['change.apply', 'session.wake'],
          },
          { target: 'idle', actions: ['boot.keep', 'change.reject', 'session.wake'] },
        ],
      },
    },
  },
})

/** Lists what the configuration waits for: before a restart, its time. */
export function configWaits(value: unknown, { restartAt }: ConfigContext): Wait[] {
  if (value !== 'restarting' || restartAt === 0) return []
  return [{ id: 'restart', dueAt: restartAt, event: { type: 'restart.due' } }]
}
