/**
 * The verbs: their names, what each is for, and where it is.
 */
import { GatewayError } from '../protocol/errors.ts'
import { quote } from '../protocol/ids.ts'
import { didYouMean } from './arguments.ts'
import { EXIT_CODES } from './exit.ts'
import { columns } from './output.ts'
import type { VerbEntry } from './verb.ts'
import { HISTORY_VERBS } from './history/verbs.ts'

const status: VerbEntry = {
  summary: 'is it running, where, and if not, why',
  load: async () => (await import('./verbs/status.ts')).status,
}

const sessions: VerbEntry = {
  summary: 'list the sessions',
  load: async () => (await import('./verbs/sessions.ts')).sessions,
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
  'pairing list': {
    summary: 'list who waits at a channel, and who was let in',
    load: async () => (await import('./verbs/pairing-channel.ts')).pairingList,
  },
  'pairing approve': {
    summary: 'let the sender in who was told a code',
    load: async () => (await import('./verbs/pairing-channel.ts')).pairingApprove,
  },
  'pairing reject': {
    summary: 'turn the sender away who was told a code',
    load: async () => (await import('./verbs/pairing-channel.ts')).pairingReject,
  },
  ...HISTORY_VERBS,
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
  const group = names.filter((name) => name.startsWith(`${first} `)) // `openclaw history`
  if (group.length > 0 && !Object.hasOwn(VERBS, first)) {
    throw new GatewayError('USAGE', `${first}: expected one of ${group.join(', ')}`)
  }
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
