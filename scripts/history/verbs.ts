/**
 * The verbs of history: what was, why, what if, and the proof that it is true.
 */
import type { VerbEntry } from '../verb.ts'

/** Every history verb by its words, in the order in which `--help` lists them. */
export const HISTORY_VERBS: Readonly<Record<string, VerbEntry>> = {
  timeline: {
    summary: 'show the records of a stretch: [A..B] [FILTER...]',
    load: async () => (await import('../verbs/timeline.ts')).timeline,
  },
  state: {
    summary: 'show what an actor was at a moment (--session K --at T)',
    load: async () => (await import('../verbs/state.ts')).state,
  },
  diff: {
    summary: 'compare an actor at two moments',
    load: async () => (await import('../verbs/diff.ts')).diff,
  },
  why: {
    summary: 'tell why something happened, or --not, why it did not',
    load: async () => (await import('../verbs/why.ts')).why,
  },
  find: {
    summary: 'find records, and what is stuck, lost, ignored, slow, doubled, missing',
    load: async () => (await import('../verbs/find.ts')).find,
  },
  bisect: {
    summary: 'find the first record behind which something holds',
    load: async () => (await import('../verbs/bisect.ts')).bisect,
  },
  replay: {
    summary: 'recompute recorded history and compare, also under other code',
    load: async () => (await import('../verbs/replay.ts')).replay,
  },
  fork: {
    summary: 'run history again from a place, dry, under edits or other code',
    load: async () => (await import('../verbs/fork.ts')).fork,
  },
  'fork ls': {
    summary: 'list the forks',
    load: async () => (await import('../verbs/forks.ts')).forkLs,
  },
  'fork show': {
    summary: 'show what a fork came to',
    load: async () => (await import('../verbs/forks.ts')).forkShow,
  },
  'fork diff': {
    summary: 'show what a fork has that was recorded otherwise',
    load: async () => (await import('../verbs/forks.ts')).forkDiff,
  },
  'fork drop': {
    summary: 'remove a fork',
    load: async () => (await import('../verbs/forks.ts')).forkDrop,
  },
  'fork promote': {
    summary: 'refused: a fork cannot be made live yet',
    load: async () => (await import('../verbs/forks.ts')).forkPromote,
  },
  'history head': {
    summary: 'the head of the journal: size, root, signed head, key',
    load: async () => (await import('../verbs/history-head.ts')).historyHead,
  },
  'history verify': {
    summary: 'check every record and every signed head, also of a copy',
    load: async () => (await import('../verbs/history-verify.ts')).historyVerify,
  },
  'history stats': {
    summary: 'count what is in the journal',
    load: async () => (await import('../verbs/history-stats.ts')).historyStats,
  },
  'history witness': {
    summary: 'remember the signed head; does it extend the last one?',
    load: async () => (await import('../verbs/history-witness.ts')).historyWitness,
  },
  'history erase': {
    summary: 'erase what somebody wrote and was answered, or a session',
    load: async () => (await import('../verbs/history-erase.ts')).historyErase,
  },
}
