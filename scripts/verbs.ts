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

const devices: VerbEntry = {
  summary: 'list the devices that may come in',
  load: async () => (await import('./verbs/devices.ts')).devicesList,
}

const pairing = {
  'pairing list': {
    summary: 'list the devices that wait for approval; of a CHANNEL: its senders',
    load: async () => (await import('./verbs/pairing.ts')).pairingList,
  },
  'pairing approve': {
    summary: 'let a device or a sender in: [CHANNEL] CODE, or a request id',
    load: async () => (await import('./verbs/pairing.ts')).pairingApprove,
  },
  'pairing reject': {
    summary: 'turn a device or a sender away: [CHANNEL] CODE, or a request id',
    load: async () => (await import('./verbs/pairing.ts')).pairingReject,
  },
  'pairing qr': {
    summary: 'show a QR code that lets one phone in',
    load: async () => (await import('./verbs/pairing-qr.ts')).pairingQr,
  },
  'pairing hash-password': {
    summary: 'hash a password for gateway.auth.password',
    load: async () => (await import('./verbs/hash-password.ts')).hashPasswordVerb,
  },
  'devices list': devices,
  devices: { ...devices, summary: 'the same' },
  'devices revoke': {
    summary: 'throw a device out, for good: ID',
    load: async () => (await import('./verbs/devices.ts')).devicesRevoke,
  },
  'devices rotate': {
    summary: 'give a device a new token: ID',
    load: async () => (await import('./verbs/devices.ts')).devicesRotate,
  },
} satisfies Readonly<Record<string, VerbEntry>>

const channels = {
  'channels login': {
    summary: 'link an account by a code that its phone scans: CHANNEL',
    load: async () => (await import('./verbs/channels-login.ts')).channelsLogin,
  },
  'channels logout': {
    summary: 'unlink and forget that account: CHANNEL',
    load: async () => (await import('./verbs/channels-login.ts')).channelsLogout,
  },
} satisfies Readonly<Record<string, VerbEntry>>

const nodes: VerbEntry = {
  summary: 'list the nodes and what they may be asked',
  load: async () => (await import('./verbs/nodes.ts')).nodesList,
}

const cron: VerbEntry = {
  summary: 'list the jobs and when they are due',
  load: async () => (await import('./verbs/cron.ts')).cronList,
}

const errands = {
  'nodes list': nodes,
  nodes: { ...nodes, summary: 'the same' },
  'nodes approve': {
    summary: 'allow what a node asks for: REQUEST',
    load: async () => (await import('./verbs/nodes.ts')).nodesApprove,
  },
  'nodes reject': {
    summary: 'refuse it: REQUEST',
    load: async () => (await import('./verbs/nodes.ts')).nodesReject,
  },
  'nodes remove': {
    summary: 'forget a node: NODE',
    load: async () => (await import('./verbs/nodes.ts')).nodesRemove,
  },
  'nodes rename': {
    summary: 'give a node a name: NODE NAME',
    load: async () => (await import('./verbs/nodes.ts')).nodesRename,
  },
  'nodes invoke': {
    summary: 'ask a node to run a command: NODE COMMAND',
    load: async () => (await import('./verbs/nodes.ts')).nodesInvoke,
  },
  'approvals list': {
    summary: 'list the commands that wait for you',
    load: async () => (await import('./verbs/approvals.ts')).approvalsList,
  },
  'approvals allow': {
    summary: 'let a command run: ID [--always]',
    load: async () => (await import('./verbs/approvals.ts')).approvalsAllow,
  },
  'approvals deny': {
    summary: 'keep a command from running: ID',
    load: async () => (await import('./verbs/approvals.ts')).approvalsDeny,
  },
  'approvals grants': {
    summary: 'list what runs without asking, since you allowed it always',
    load: async () => (await import('./verbs/approvals.ts')).approvalsGrants,
  },
  'approvals revoke': {
    summary: 'ask again before a call that you allowed always: ID',
    load: async () => (await import('./verbs/approvals.ts')).approvalsRevoke,
  },
  'tools list': {
    summary: 'list the tools that a model may call: [--session KEY]',
    load: async () => (await import('./verbs/tools.ts')).toolsList,
  },
  'deliveries list': {
    summary: 'list messages that were not sent, or perhaps',
    load: async () => (await import('./verbs/deliveries.ts')).deliveriesList,
  },
  'deliveries resubmit': {
    summary: 'send a message again: ID',
    load: async () => (await import('./verbs/deliveries.ts')).deliveriesResubmit,
  },
  'deliveries resolve': {
    summary: 'say what became of an uncertain message: ID --as sent|not-sent',
    load: async () => (await import('./verbs/deliveries.ts')).deliveriesResolve,
  },
  'deliveries dismiss': {
    summary: 'let a message go unsent: ID',
    load: async () => (await import('./verbs/deliveries.ts')).deliveriesDismiss,
  },
  'cron list': cron,
  cron: { ...cron, summary: 'the same' },
  'cron add': {
    summary: 'add a job: --name, --every | --at | --cron, --message | --event',
    load: async () => (await import('./verbs/cron.ts')).cronAdd,
  },
  'cron remove': {
    summary: 'remove a job: JOB',
    load: async () => (await import('./verbs/cron.ts')).cronRemove,
  },
  'cron run': {
    summary: 'run a job now: JOB',
    load: async () => (await import('./verbs/cron.ts')).cronRun,
  },
} satisfies Readonly<Record<string, VerbEntry>>

const backups = {
  'backup create': {
    summary: 'copy the journal and the configuration, and verify the copy',
    load: async () => (await import('./verbs/backup.ts')).backupCreate,
  },
  'backup verify': {
    summary: 'check a backup: PATH',
    load: async () => (await import('./verbs/backup.ts')).backupVerify,
  },
  'backup list': {
    summary: 'list the backups',
    load: async () => (await import('./verbs/backup.ts')).backupList,
  },
  'backup restore': {
    summary: 'put a backup in the place of the journal: PATH',
    load: async () => (await import('./verbs/backup.ts')).backupRestore,
  },
} satisfies Readonly<Record<string, VerbEntry>>

const upgrade: VerbEntry = {
  summary: 'what another version would make of this journal (--dry-run)',
  load: async () => (await import('./verbs/upgrade.ts')).upgrade,
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
  'gateway start': {
    summary: 'start the gateway behind, by systemd where it is installed',
    load: async () => (await import('./verbs/restart.ts')).start,
  },
  'gateway restart': {
    summary: 'stop and start it; tells what was recovered',
    load: async () => (await import('./verbs/restart.ts')).restart,
  },
  'gateway release': {
    summary: 'let channels start that a crash loop holds',
    load: async () => (await import('./verbs/release.ts')).release,
  },
  'gateway install': {
    summary: 'make it a systemd service of this user',
    load: async () => (await import('./verbs/service.ts')).install,
  },
  'gateway uninstall': {
    summary: 'remove that service; the state stays',
    load: async () => (await import('./verbs/service.ts')).uninstall,
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
  'config get': {
    summary: 'show the configuration, without its secrets',
    load: async () => (await import('./verbs/config.ts')).configGet,
  },
  'config set': {
    summary: 'change one part: PATH VALUE',
    load: async () => (await import('./verbs/config.ts')).configSet,
  },
  'config unset': {
    summary: 'remove one part, so that its default counts',
    load: async () => (await import('./verbs/config.ts')).configUnset,
  },
  'config validate': {
    summary: 'judge a configuration file as a start would',
    load: async () => (await import('./verbs/config.ts')).configValidate,
  },
  'config schema': {
    summary: 'list every key and what it holds',
    load: async () => (await import('./verbs/config.ts')).configSchema,
  },
  'config edit': {
    summary: 'open the configuration in $EDITOR',
    load: async () => (await import('./verbs/config.ts')).configEdit,
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
  ...backups,
  upgrade,
  ...HISTORY_VERBS,
  ...pairing,
  ...channels,
  ...errands,
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

/** Writes the help of a word that only begins verbs, `openclaw pairing --help`; null: it is none. */
export function groupHelp(raw: readonly string[]): string | null {
  const first = raw.find((word) => !word.startsWith('-')) ?? ''
  const group = Object.entries(VERBS).filter(([name]) => name.startsWith(`${first} `))
  if (first === '' || Object.hasOwn(VERBS, first) || group.length === 0) return null
  const verbs = group.map(([name, { summary }]) => [`  ${name}`, summary])
  return [`Usage: openclaw ${first} VERB [FLAGS]`, '', ...columns(verbs)].join('\n')
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
      ['  OPENCLAW_GATEWAY_PASSWORD', 'password (before gateway.auth.password)'],
      ['  OPENCLAW_GATEWAY_TLS_FINGERPRINT', 'certificate (before gateway.remote.tlsFingerprint)'],
    ]),
    '',
    'Exit codes:',
    ...columns(codes),
  ].join('\n')
}
