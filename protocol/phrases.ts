/**
 * Phrases: what the gateway itself says to people in a channel, by name and facts.
 *
 * A record holds the name and the facts (K1: machines hold no text); it is put into words when it is
 * sent, so that the words can change and the record cannot.
 */
import { limits } from './limits.ts'
import { quote, shortApprovalId } from './ids.ts'
import { QUEUE_MODES, THINKING_LEVELS } from './methods/params.ts'

/** Something to say; facts are names and numbers. */
export interface Phrase {
  readonly id: string
  readonly facts: Readonly<Record<string, string | number>>
}

type Facts = Phrase['facts']

const WORDS: Readonly<Record<string, (facts: Facts) => string>> = {
  'session.new': () => 'A new session has begun; I remember nothing of the last one.',
  'runs.stopped': ({ runs }) =>
    runs === 0 ? 'Nothing was running.' : `Stopped, with ${count(runs, 'message')} unanswered.`,
  'setting.changed': ({ setting, value }) => `${name(setting)} is ${text(value)} now.`,
  'setting.now': ({ setting, value }) => `${name(setting)} is ${text(value)}.`,
  'setting.unknown': ({ setting, value }) =>
    `${quote(text(value))} is no ${text(setting)} that I know. ${KNOWN[text(setting)] ?? ''}`,
  status: ({ model, thinking, queue, running, waiting, messages }) =>
    [
      running === 0 ? 'I am idle.' : 'I am working on an answer.',
      `${count(waiting, 'message')} waiting, ${count(messages, 'message')} in this session.`,
      `Model ${text(model)}, thinking ${text(thinking)}, queue ${text(queue)}.`,
    ].join(' '),
  'queue.dropped': ({ cap }) =>
    `Too many messages are waiting (${text(cap)}), so an earlier one of yours was left out unanswered.`,
  // Generic on purpose: a room may be full of strangers. Its owner is told more.
  'run.failed': () => 'Sorry, I could not answer that. Please try again later.',
  'run.budget': () => 'Sorry, I have used up what I may spend for now. Please try again later.',
  'approval.allowed': ({ id }) => `Allowed this once (${short(id)}).`,
  'approval.always': ({ id }) =>
    `Allowed, and from now on without asking (${short(id)}). To take that back: openclaw approvals grants.`,
  'approval.denied': ({ id }) => `Denied (${short(id)}).`,
  'approval.wasAllowed': ({ id }) => `It was allowed already (${short(id)}).`,
  'approval.wasDenied': ({ id }) => `It was denied already (${short(id)}).`,
  'approval.expired': ({ id }) => `Its time is over, and it was not done (${short(id)}).`,
  'approval.withdrawn': ({ id }) => `Nobody waits for that any more (${short(id)}).`,
  'approval.onceOnly': ({ id }) =>
    `That cannot be allowed for always: write /approve ${short(id)} once, or deny.`,
  // Says nothing of what waits: whoever asks may not know.
  'approval.forbidden': () => 'Sorry, that is not for you to decide here.',
  'approval.usage': () => 'Write /approve ID once, always or deny; the ID is in the question.',
  'approval.short': () =>
    `Please write at least ${limits.approvalPrefixCharsMin} characters of the ID.`,
  'approval.unknown': ({ id }) => `Nothing waits for a decision as ${quote(text(id))}.`,
  'approval.ambiguous': ({ id }) =>
    `More than one waits whose ID begins with ${quote(text(id))}: please write more of it.`,
  'queue.full': ({ cap }) =>
    `Too many messages are waiting (${text(cap)}); I did not take in your last one. Please send it again later.`,
}

const KNOWN: Readonly<Record<string, string>> = {
  queue: `It is one of ${QUEUE_MODES.join(', ')}.`,
  thinking: `It is one of ${THINKING_LEVELS.join(', ')}.`,
  model: 'Write provider/model, as the configuration names it.',
}

/** Puts a phrase into words; one that this version does not know is said by its name. */
export function wordPhrase({ id, facts }: Phrase): string {
  return (WORDS[id]?.(facts) ?? id).slice(0, limits.phraseCharsMax)
}

function text(fact: string | number | undefined): string {
  return String(fact ?? '')
}

function short(id: string | number | undefined): string {
  return shortApprovalId(text(id))
}

function name(fact: string | number | undefined): string {
  const word = text(fact)
  return `The ${word === 'queue' ? 'queue mode' : word === 'thinking' ? 'thinking level' : word}`
}

function count(fact: string | number | undefined, what: string): string {
  return `${text(fact)} ${what}${fact === 1 ? '' : 's'}`
}
