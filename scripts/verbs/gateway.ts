/**
 * `openclaw gateway`: runs the gateway, here until Ctrl-C, or with --daemon behind.
 */
import type { RunningGateway } from '../../actors/gateway.ts'
import { toGatewayError } from '../../protocol/errors.ts'
import { reachArgs } from '../arguments.ts'
import { CHILD_MARK, startDaemon, tellParent } from '../daemon.ts'
import { programName } from '../exit.ts'
import { note, show, showJson } from '../output.ts'
import { type ReadyReport, runGateway, type RunOptions } from '../run-gateway.ts'
import { readSettings, type Settings } from '../settings.ts'
import { defineVerb, type Verb } from '../verb.ts'

const { json, port } = reachArgs

type Start = RunOptions['start']

interface Flags {
  readonly verbose: boolean
  readonly json: boolean
}

/** Exit code 0: stopped, or with --daemon started; 1, 12, 78: it cannot start. */
export const gateway: Verb = gatewayVerb(async () => (await import('../start.ts')).startVerified)

/** Makes the verb from what starts a gateway; loaded only where one is to run. */
export function gatewayVerb(load: () => Promise<Start>): Verb {
  return defineVerb({
    name: 'gateway',
    description: 'Run the gateway; see also: gateway stop, gateway status',
    args: {
      json,
      port: { ...port, description: 'port to listen on; 0 takes a free one' },
      verbose: { type: 'boolean', description: 'log everything, here too' },
      daemon: { type: 'boolean', description: 'run behind; returns when it is ready' },
    },
    async run(args) {
      const settings = await readSettings({ port: args.port })
      const flags = { verbose: args.verbose === true, json: args.json === true }
      if (args.daemon) {
        showReady(await startBehind(settings, flags), flags.json, true)
        return 0
      }
      const start = await load()
      const isChild = process.env[CHILD_MARK] !== undefined
      const code = await (isChild
        ? runBehind(settings, flags, start)
        : runHere(settings, flags, start))
      // The store is closed: nothing is in doubt, and no forgotten handle keeps the process.
      return process.exit(code)
    },
  })
}

function startBehind(settings: Settings, { verbose }: Flags): Promise<ReadyReport> {
  const { stateDir, port, portSource } = settings
  const flags = [
    ...(portSource === '--port' ? [`--port=${port}`] : []),
    ...(verbose ? ['--verbose'] : []),
  ]
  const command = [process.argv[1] ?? '', 'gateway', ...flags]
  return startDaemon({ command, stateDir, env: process.env })
}

function runHere(settings: Settings, flags: Flags, start: Start): Promise<number> {
  const print = (line: string): void => void process.stderr.write(line)
  // Remarks wait for the start: one that fails is told once, as the verb's error.
  const early: string[] = []
  let isReady = flags.verbose
  return runGateway({
    settings,
    verbose: flags.verbose,
    env: process.env,
    start,
    people: (line) => void (isReady ? print(line) : early.push(line)),
    ready: (report) => {
      isReady = true
      showReady(report, flags.json, false)
      for (const line of early) print(line)
    },
    failing: ({ message }) => {
      if (!isReady) note(`openclaw: ${message}`)
    },
  })
}

async function runBehind(settings: Settings, { verbose }: Flags, start: Start): Promise<number> {
  delete process.env[CHILD_MARK]
  const failing = (thrown: unknown): void => {
    const { code, message, details } = toGatewayError(thrown)
    tellParent({ type: 'failed', code, message, details })
  }
  const ready = (report: ReadyReport): void => tellParent({ type: 'ready', report })
  try {
    const env = process.env
    return await runGateway({ settings, verbose, env, start, people: null, ready, failing })
  } catch (thrown) {
    failing(thrown)
    throw thrown
  }
}

function showReady(report: ReadyReport, asJson: boolean, behind: boolean): void {
  if (asJson) return showJson(report)
  const { url, pid, stateDir, log, model, version, recovered } = report
  const program = programName()
  show(`openclaw ${version} ready at ${url} · pid ${pid} · state ${stateDir} · log ${log}`)
  const found = recoveredText(recovered)
  if (found !== '') show(`recovered: ${found}`)
  note(`model: ${model}`)
  note(`next${behind ? '' : ', in another terminal'}: ${program} agent --message "hello"`)
  note(behind ? `stop it: ${program} gateway stop` : 'stop it: Ctrl-C')
}

function recoveredText({
  sessions,
  effectsLost,
  sends,
  waits,
}: RunningGateway['recovered']): string {
  const counts = [
    [sessions, 'sessions'],
    [effectsLost, 'effects with unknown outcome'],
    [sends, 'messages between actors'],
    [waits, 'timers'],
  ] as const
  return counts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}`)
    .join(', ')
}
