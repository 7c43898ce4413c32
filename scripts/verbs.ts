/**
 * The verbs: their names, what each is for, and where it is.
 */
import { GatewayError } from '../protocol/errors.ts'
import { quote } from '../protocol/ids.ts'
import { didYouMean } from './arguments.ts'
import { EXIT_CODES } from './exit.ts'
import { columns } from './output.ts'
import type { Verb } from './verb.ts'

export interface VerbEntry {
  readonly summary: string
  readonly load: () => Promise<Verb>
  /** Goes on when nobody reads what it prints. */
  readonly stays?: true
}

const status: VerbEntry = {
  summary: 'is it running, where, and if not, why',
  load: async () => (await import('./verbs/status.ts')).status,
}

const sessions: VerbEntry = {
  summary: 'list the sessions',
  load: async () => (await import('./verbs/sessions.ts')).sessions,
}

const incidents: VerbEntry = {
  summary: 'list the incidents',
  load: async () => (await import('./verbs/incident/read.ts')).incidentList,
}

const machines: VerbEntry = {
  summary: 'list the machines of this version',
  load: async () => (await import('./verbs/machines.ts')).machinesList,
}

/** Every verb by its words, in the order in which `--help` lists them. */
export const VERBS: Readonly<Record<string, VerbEntry>> = {
  gateway: {
    summary: 'run the gateway, here or with --daemon behind',
    load: async () => (await import('./verbs/gateway.ts')).gateway,
    stays: true,
  },
  'gateway stop': {
    summary: 'stop the running gateway',
    load: async () => (await import('./verbs/stop.ts')).stop,
  },
  'gateway status': status,
  status: { ...status, summary: 'the same' },
  health: {
    summary: 'ask the gateway how it is',
    load: async () => (await import('./verbs/health.ts')).health,
  },
  logs: {
    summary: 'show the log, also of a gateway that is dead',
    load: async () => (await import('./verbs/logs.ts')).logs,
  },
  doctor: {
    summary: 'check installation, configuration and journal',
    load: async () => (await import('./verbs/doctor.ts')).doctor,
  },
  sessions,
  'sessions list': { ...sessions, summary: 'the same' },
  send: {
    summary: 'send a message through a channel',
    load: async () => (await import('./verbs/send.ts')).send,
  },
  agent: {
    summary: 'ask the agent and print its answer',
    load: async () => (await import('./verbs/agent.ts')).agent,
  },
  incident: incidents,
  'incident ls': { ...incidents, summary: 'the same' },
  'incident new': {
    summary: 'open an incident about a range of records',
    load: async () => (await import('./verbs/incident/write.ts')).incidentNew,
  },
  'incident note': {
    summary: 'remark something about a position',
    load: async () => (await import('./verbs/incident/write.ts')).incidentNote,
  },
  'incident add': {
    summary: 'add records to an incident',
    load: async () => (await import('./verbs/incident/write.ts')).incidentAdd,
  },
  'incident show': {
    summary: 'show an incident with its notes',
    load: async () => (await import('./verbs/incident/read.ts')).incidentShow,
  },
  'incident timeline': {
    summary: 'tell what happened, line by line',
    load: async () => (await import('./verbs/incident/read.ts')).incidentTimeline,
  },
  'incident report': {
    summary: 'write a report in Markdown',
    load: async () => (await import('./verbs/incident/read.ts')).incidentReport,
  },
  'incident export': {
    summary: 'write an incident into one file',
    load: async () => (await import('./verbs/incident/file.ts')).incidentExport,
  },
  'incident redact': {
    summary: 'take texts out of an incident file',
    load: async () => (await import('./verbs/incident/file.ts')).incidentRedact,
  },
  'incident verify': {
    summary: 'check an incident file',
    load: async () => (await import('./verbs/incident/file.ts')).incidentVerify,
  },
  'incident open': {
    summary: 'look into an incident file',
    load: async () => (await import('./verbs/incident/open.ts')).incidentOpen,
  },
  'incident import': {
    summary: 'keep an incident file of somebody else',
    load: async () => (await import('./verbs/incident/open.ts')).incidentImport,
  },
  'incident drop': {
    summary: 'remove an incident',
    load: async () => (await import('./verbs/incident/write.ts')).incidentDrop,
  },
  machines,
  'machines ls': { ...machines, summary: 'the same' },
  'machines chart': {
    summary: 'draw a machine, and where an actor stands in it',
    load: async () => (await import('./verbs/machines.ts')).machinesChart,
  },
}

/** A verb as found at the beginning of the arguments. */
export interface FoundVerb {
  readonly name: string
  readonly entry: VerbEntry
  readonly rest: readonly string[] // what is left for it to read
}

/**
 * Finds the verb: the longest that the first words name. Flags may stand before it.
 * @throws {GatewayError} USAGE: none, or one that is not known.
 */
export function findVerb(raw: readonly string[]): FoundVerb {
  const at = raw.findIndex((word) => !word.startsWith('-'))
  if (at === -1) throw new GatewayError('USAGE', 'a verb is missing')
  const before = raw.slice(0, at)
  const [first = '', second = ''] = raw.slice(at)
  for (const words of [2, 1]) {
    const name = [first, second].slice(0, words).join(' ')
    const entry = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
    if (entry !== undefined) return { name, entry, rest: [...before, ...raw.slice(at + words)] }
  }
  const names = Object.keys(VERBS)
  const whole = names.find((name) => name.endsWith(` ${first}`)) // `openclaw stop`
  const single = names.filter((name) => !name.includes(' '))
  const hint = whole === undefined ? didYouMean(first, single) : `, did you mean ${whole}?`
  throw new GatewayError('USAGE', `unknown verb ${quote(first)}${hint}`)
}

/** Writes the help of the command itself. */
export function rootHelp(): string {
  const verbs = Object.entries(VERBS).map(([name, { summary }]) => [`  ${name}`, summary])
  const codes = EXIT_CODES.map(([code, meaning]) => [`  ${String(code).padStart(2)}`, meaning])
  return [
    'A gateway for personal agents that remembers.',
    '',
    'Usage: openclaw VERB [FLAGS]',
    '',
    ...columns(verbs),
    '',
    'Every verb takes --json and --help; those that talk to the gateway take --port and --token.',
    '',
    'Environment:',
    ...columns([
      ['  OPENCLAW_STATE_DIR', 'journal, logs and identity (default ~/.openclaw)'],
      ['  OPENCLAW_CONFIG_PATH', 'configuration (default openclaw.json in the state directory)'],
      ['  OPENCLAW_GATEWAY_PORT', 'port (after --port, before gateway.port; default 18789)'],
      ['  OPENCLAW_GATEWAY_TOKEN', 'token (after --token, before gateway.auth.token)'],
    ]),
    '',
    'Exit codes:',
    ...columns(codes),
  ].join('\n')
}
