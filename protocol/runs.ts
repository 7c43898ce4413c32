/**
 * Which runs a record of a session ends, and how: by their answer, or because the session let them
 * go. One reading for notices, projections and whoever waits for an end.
 */
import { isObject, memberOf } from './members.ts'
import type { JournalEvent, JournalRecord } from './record.ts'

/** The end of a run as its session heard it, or made it. */
export interface EndedRun {
  readonly runId: string
  readonly runKey?: string // the client's own name of the run, where it has one
  readonly status: 'done' | 'failed' | 'aborted'
  readonly fault: string
  readonly ref: string // of the answer, also of a merged one; empty unless done
  readonly inputTokens: number
  readonly outputTokens: number
  readonly model?: string // that answered, where it is not the one that was asked first
  readonly tried?: readonly Tried[] // models that gave no answer; absent: none, or of before
  readonly into?: string // the run whose answer it is, where the message was merged into another's
}

/** A model that gave no answer, and how its last call failed. */
export interface Tried {
  readonly model: string
  readonly class: string
  readonly calls: number
}

const NONE: readonly EndedRun[] = []
const LETTING_GO: ReadonlySet<string> = new Set([
  'message.accepted', // It may interrupt, or make others give room.
  'session.aborted',
  'session.reset',
  'session.deleted',
])

/** Lists the runs that a record ends, in their order; most records end none. */
export function endedRuns(record: JournalRecord): readonly EndedRun[] {
  if (record.kind !== 'event' || record.ignored !== null) return NONE
  const { event, sends } = record
  if (event.type === 'run.finished') return [answeredRun(event), ...mergedRuns(event)]
  if (!LETTING_GO.has(event.type)) return NONE
  return sends.filter((send) => send.event.type === 'run.aborted').map((send) => letGo(send.event))
}

function answeredRun(event: JournalEvent): EndedRun {
  const { runId, status, fault, ref, inputTokens, outputTokens, runKey } = event
  return {
    runId: String(runId),
    status: status === 'done' || status === 'failed' ? status : 'aborted',
    fault: typeof fault === 'string' ? fault : '',
    ref: typeof ref === 'string' ? ref : '',
    inputTokens: Number(inputTokens),
    outputTokens: Number(outputTokens),
    ...named(runKey),
    ...modelsIn(event),
  }
}

// Answered, or not, by the same run; the tokens are that run's own.
function mergedRuns(event: JournalEvent): EndedRun[] {
  const { merged } = event
  if (!Array.isArray(merged)) return []
  const { runId: into, status, fault, ref } = answeredRun(event)
  return merged.map((run: unknown) => {
    const runId = String(memberOf(run, 'runId'))
    const own = { runId, ...named(memberOf(run, 'runKey')), into }
    return { ...own, status, fault, ref, inputTokens: 0, outputTokens: 0, ...modelsIn(event) }
  })
}

function letGo({ runId, runKey }: JournalEvent): EndedRun {
  const nothing = { fault: '', ref: '', inputTokens: 0, outputTokens: 0 }
  return { runId: String(runId), status: 'aborted', ...nothing, ...named(runKey) }
}

/** Reads which models an event `run.finished` names. */
export function modelsIn({ model, tried }: JournalEvent): Pick<EndedRun, 'model' | 'tried'> {
  return {
    ...(typeof model === 'string' ? { model } : {}),
    ...(Array.isArray(tried) ? { tried: tried.filter(isTried) } : {}),
  }
}

function isTried(value: unknown): value is Tried {
  return isObject(value) && typeof value['model'] === 'string' && typeof value['class'] === 'string'
}

const CLASS_WORDS: Readonly<Record<string, string>> = {
  rate: 'asked to wait',
  network: 'could not be reached or was cut off',
  server: 'its server is in trouble',
  auth: 'refused the key',
  request: 'refused the request',
  tools: 'takes no tools (its compat.supportsTools: false sends it none)',
  budget: 'the budget is used up',
  prompt: 'the message is no longer in the history',
  lost: 'the gateway ended meanwhile',
}

/** Says to its owner why a run has no answer: which models failed, and how. */
export function sayFailure({ fault, tried = [] }: Pick<EndedRun, 'fault' | 'tried'>): string {
  if (tried.length === 0) return `the model gave no answer (${fault})`
  const told = tried.map((each) => `${each.model} ${wordsOf(each.class)}, ${countOf(each.calls)}`)
  const ended = fault === 'budget' && tried.at(-1)?.class !== 'budget' ? [wordsOf(fault)] : []
  const who = tried.length === 1 ? 'the model gave no answer' : 'no model gave an answer'
  return `${who} (${[...told, ...ended].join('; ')})`
}

function wordsOf(faultClass: string): string {
  return Object.hasOwn(CLASS_WORDS, faultClass) ? (CLASS_WORDS[faultClass] ?? '') : faultClass
}

function countOf(calls: number): string {
  return calls === 1 ? '1 call' : `${calls} calls`
}

function named(runKey: unknown): { runKey?: string } {
  return typeof runKey === 'string' ? { runKey } : {}
}
