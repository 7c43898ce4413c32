/**
 * The gateway itself: its boots, its stops, and what it must not keep quiet about.
 *
 *   stopped ──gateway.booted──► running ──gateway.stopped──► stopped
 *                                 ▲  └─ gateway.booted (the last end was a crash) ─┐
 *                                 └────────────────────────────────────────────────┘
 *
 * `history.erased` is counted in either state: a verb may erase while no gateway runs. So are
 * `journal.restored`, which leaves the gateway stopped (a backup is made of one that runs), and
 * `keys.carried` and `history.pruned`.
 *
 * Crash loop: limits.crashLoopBoots crashes in limits.crashLoopMs hold the channels (`heldAt`), until
 * somebody releases them or limits.holdMs pass without another crash.
 */
import { produce } from 'immer'
import { assign, setup } from 'xstate'
import { limits } from '../protocol/limits.ts'
import { collected } from './effects.ts'
import type { Wait } from './waits.ts'

export type GatewayEvent =
  | GatewayBooted
  | { type: 'channels.released'; by: string; at: number }
  | { type: 'hold.due'; at: number }
  | { type: 'host.slept'; ms: number; at: number }
  | { type: 'tailscale.claimed'; mode: 'serve' | 'funnel'; at: number } // before it is tried
  | { type: 'tailscale.reset'; mode: 'serve' | 'funnel'; at: number }
  | { type: 'gateway.stopped'; reason: string; at: number }
  | { type: 'connections.refused'; address: string; count: number; code: string; at: number }
  | { type: 'stream.quarantined'; stream: string; code: string; at: number }
  | { type: 'bodies.read'; by: string; from: number; to: number; count: number; at: number }
  | HistoryErased
  | JournalRestored
  | KeysCarried
  | HistoryPruned

/** A retention policy let go of texts and of records; each run that removes anything is one. */
export type HistoryPruned = {
  type: 'history.pruned'
  policy: string // its preset, or `asked` where one actor was named
  textsMs: number // ages that counted; 0: none
  endedMs: number
  asOf: number // ms since epoch
  bodies: number
  records: number
  streams: number
  archives?: readonly string[] // names of the files that hold these records; absent: none does
  by: string
  at: number
}

/** This journal is a backup that took the place of another one; what follows is a new life. */
export type JournalRestored = {
  type: 'journal.restored'
  backupHead: number // position that the backup ended at
  backupHash: string // of that record, 64 hex digits
  replacedHead: number // of the journal that was moved aside; 0 where there was none
  by: string
  at: number
}

/** Keys and messages that the journal moved aside knew: they must not count as new. */
export type KeysCarried = {
  type: 'keys.carried'
  keys: [key: string, digest: string, at: number][]
  inbound: [channel: string, key: string][]
  at: number
}

export type GatewayBooted = {
  type: 'gateway.booted'
  epoch: number
  version: string
  watched?: true // crashes count towards a hold; absent from records before there was one
  at: number
}

/** Bodies of a subject or a session were erased; no record was changed. */
export type HistoryErased = {
  type: 'history.erased'
  scope: string // subject:CHANNEL:SENDER or session:KEY
  bodies: number
  reason: string
  by: string // device, or `operator` where no gateway ran
  at: number
}

export interface GatewayContext {
  epoch: number
  version: string
  bootedAt: number
  crashes: number // boots that followed no stop
  refused: number
  quarantined: string[]
  // Records whose texts `history.read` has shown; absent before the first, so that older journals
  // fold to the hashes that they recorded.
  bodiesRead?: number
  erasures?: number // absent until the first, so that older journals keep their state hashes
  crashedAt?: number[] // ms since epoch, oldest first: watched crashes of the last minutes
  tailscale?: 'off' | 'serve' | 'funnel' // what is claimed and not reset; absent: nothing ever
  sleeps?: number // how often the host slept while the gateway ran; absent until the first
  heldAt?: number // ms since epoch; 0 or absent: channels are not held
  restores?: number // the same
  // Positions behind the first and up to the second have been records of two lives; the same.
  twofold?: { after: number; through: number }
  carried?: number // keys and messages; the same
  pruned?: number // bodies and records; the same
}

const machine = setup({
  types: { context: {} as GatewayContext, events: {} as GatewayEvent },
  actions: {
    'boot.keep': assign(({ context, event }) =>
      event.type !== 'gateway.booted'
        ? context
        : produce(context, (draft) => {
            draft.epoch = event.epoch
            draft.version = event.version
            draft.bootedAt = event.at
            draft.quarantined = []
          }),
    ),
    'crash.count': assign(({ context }) => ({ ...context, crashes: context.crashes + 1 })),
    'crash.watch': assign(({ context, event }) =>
      event.type === 'gateway.booted' && event.watched === true
        ? watchCrash(context, event.at)
        : context,
    ),
    'hold.end': assign({ heldAt: 0, crashedAt: [] }),
    'channels.start': collected<Record<string, never>>,
    'tailscale.keep': assign(({ context, event }) => {
      if (event.type === 'tailscale.reset') return { ...context, tailscale: 'off' as const }
      return event.type === 'tailscale.claimed' ? { ...context, tailscale: event.mode } : context
    }),
    'sleep.count': assign(({ context }) => ({ ...context, sleeps: (context.sleeps ?? 0) + 1 })),
    'refusal.count': assign(({ context, event }) =>
      event.type === 'connections.refused'
        ? { ...context, refused: context.refused + event.count }
        : context,
    ),
    'reading.count': assign(({ context, event }) =>
      event.type === 'bodies.read'
        ? { ...context, bodiesRead: (context.bodiesRead ?? 0) + event.count }
        : context,
    ),
    'quarantine.keep': assign(({ context, event }) =>
      event.type === 'stream.quarantined' && !context.quarantined.includes(event.stream)
        ? { ...context, quarantined: [...context.quarantined, event.stream] }
        : context,
    ),
    'restore.keep': assign(({ context, event }) => {
      if (event.type !== 'journal.restored') return context
      const { backupHead, replacedHead } = event
      const known = context.twofold ?? { after: backupHead, through: backupHead }
      const twofold = {
        after: Math.min(known.after, backupHead),
        through: Math.max(known.through, backupHead, replacedHead),
      }
      return { ...context, restores: (context.restores ?? 0) + 1, twofold }
    }),
    'carried.count': assign(({ context, event }) =>
      event.type === 'keys.carried'
        ? {
            ...context,
            carried: (context.carried ?? 0) + event.keys.length + event.inbound.length,
          }
        : context,
    ),
    'pruning.count': assign(({ context, event }) =>
      event.type === 'history.pruned'
        ? { ...context, pruned: (context.pruned ?? 0) + event.bodies + event.records }
        : context,
    ),
    'erasure.count': assign(({ context }) => ({
      ...context,
      erasures: (context.erasures ?? 0) + 1,
    })),
  },
  guards: { 'channels.held': ({ context }) => isHeld(context) },
})

function watchCrash(context: GatewayContext, at: number): GatewayContext {
  const recent = (context.crashedAt ?? []).filter((earlier) => earlier > at - limits.crashLoopMs)
  const crashedAt = [...recent, at].slice(-limits.crashLoopBoots)
  const isLoop = crashedAt.length >= limits.crashLoopBoots
  if (!isLoop && !isHeld(context)) return { ...context, crashedAt }
  return { ...context, crashedAt, heldAt: at }
}

function isHeld({ heldAt = 0 }: GatewayContext): boolean {
  return heldAt > 0
}

const released = {
  guard: 'channels.held',
  actions: ['hold.end', { type: 'channels.start', params: {} }],
} as const

export const gatewayMachine = machine.createMachine({
  id: 'gateway',
  context: { epoch: 0, version: '', bootedAt: 0, crashes: 0, refused: 0, quarantined: [] },
  initial: 'stopped',
  on: {
    'history.erased': { actions: 'erasure.count' },
    'journal.restored': { target: '.stopped', actions: 'restore.keep' },
    'keys.carried': { actions: 'carried.count' },
    'history.pruned': { actions: 'pruning.count' },
  },
  states: {
    stopped: { on: { 'gateway.booted': { target: 'running', actions: 'boot.keep' } } },
    running: {
      on: {
        'gateway.booted': { actions: ['crash.count', 'boot.keep', 'crash.watch'] },
        'channels.released': released,
        'hold.due': released,
        'tailscale.claimed': { actions: 'tailscale.keep' },
        'tailscale.reset': { actions: 'tailscale.keep' },
        'host.slept': { actions: 'sleep.count' },
        'gateway.stopped': 'stopped',
        'connections.refused': { actions: 'refusal.count' },
        'bodies.read': { actions: 'reading.count' },
        'stream.quarantined': { actions: 'quarantine.keep' },
      },
    },
  },
})

/** Lists what the gateway waits for: while it runs and channels are held, the end of that. */
export function gatewayWaits(value: unknown, { heldAt = 0 }: GatewayContext): Wait[] {
  if (value !== 'running' || heldAt === 0) return []
  return [{ id: 'hold', dueAt: heldAt + limits.holdMs, event: { type: 'hold.due' } }]
}
