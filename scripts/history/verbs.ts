/**
 * The verbs of history: what was, why, what if, and the proof that it is true.
 */
import type { VerbEntry } from '../verb.ts'

const incidents: VerbEntry = {
  summary: 'list the incidents',
  load: async () => (await import('../verbs/incident/read.ts')).incidentList,
}

const machines: VerbEntry = {
  summary: 'list the machines of this version',
  load: async () => (await import('../verbs/machines.ts')).machinesList,
}

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
  'history prompt': {
    summary: 'show what a model was asked, word for word: RUN or #N',
    load: async () => (await import('../verbs/history-prompt.ts')).historyPrompt,
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
  'history policy': {
    summary: 'what is let go of history, and when (--dry-run, --at +90d)',
    load: async () => (await import('../verbs/history-policy.ts')).historyPolicy,
  },
  'history prune': {
    summary: 'let it go now',
    load: async () => (await import('../verbs/history-policy.ts')).historyPrune,
  },
  'history compact': {
    summary: 'shorten the records of one actor that is at rest: KIND:ID',
    load: async () => (await import('../verbs/history-policy.ts')).historyCompact,
  },
  incident: incidents,
  'incident ls': { ...incidents, summary: 'the same' },
  'incident new': {
    summary: 'open an incident about a range of records',
    load: async () => (await import('../verbs/incident/write.ts')).incidentNew,
  },
  'incident note': {
    summary: 'remark something about a position',
    load: async () => (await import('../verbs/incident/write.ts')).incidentNote,
  },
  'incident add': {
    summary: 'add records to an incident',
    load: async () => (await import('../verbs/incident/write.ts')).incidentAdd,
  },
  'incident show': {
    summary: 'show an incident with its notes',
    load: async () => (await import('../verbs/incident/read.ts')).incidentShow,
  },
  'incident timeline': {
    summary: 'tell what happened, line by line',
    load: async () => (await import('../verbs/incident/read.ts')).incidentTimeline,
  },
  'incident report': {
    summary: 'write a report in Markdown',
    load: async () => (await import('../verbs/incident/read.ts')).incidentReport,
  },
  'incident export': {
    summary: 'write an incident into one file',
    load: async () => (await import('../verbs/incident/file.ts')).incidentExport,
  },
  'incident redact': {
    summary: 'take texts out of an incident file',
    load: async () => (await import('../verbs/incident/file.ts')).incidentRedact,
  },
  'incident verify': {
    summary: 'check an incident file',
    load: async () => (await import('../verbs/incident/file.ts')).incidentVerify,
  },
  'incident open': {
    summary: 'look into an incident file',
    load: async () => (await import('../verbs/incident/open.ts')).incidentOpen,
  },
  'incident import': {
    summary: 'keep an incident file of somebody else',
    load: async () => (await import('../verbs/incident/open.ts')).incidentImport,
  },
  'incident drop': {
    summary: 'remove an incident',
    load: async () => (await import('../verbs/incident/write.ts')).incidentDrop,
  },
  machines,
  'machines ls': { ...machines, summary: 'the same' },
  'machines chart': {
    summary: 'draw a machine, and where an actor stands in it',
    load: async () => (await import('../verbs/machines.ts')).machinesChart,
  },
}
