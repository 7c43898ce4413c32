/**
 * `openclaw gateway`: runs the gateway, here until Ctrl-C, or with --daemon behind.
 */
import { toGatewayError } from '../../protocol/errors.ts'
import { reachArgs } from '../arguments.ts'
import { CHILD_MARK, startBehind, tellParent } from '../daemon.ts'
import { note, showJson } from '../output.ts'
import { type ReadyReport, showReady } from '../ready.ts'
import { runGateway, type RunOptions } from '../run-gateway.ts'
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
        const { report, remarks } = await startBehind(settings, flags.verbose)
        if (flags.json) showJson(report)
        else showReady(report, true)
        for (const line of remarks) process.stderr.write(line)
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
      if (flags.json) showJson(report)
      else showReady(report, false)
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
  // Behind it nobody looks: what comes before it is ready is told by the parent.
  const remarks: string[] = []
  let isReady = false
  const people = (line: string): void => void (isReady || remarks.push(line))
  const ready = (report: ReadyReport): void => {
    isReady = true
    tellParent({ type: 'ready', report, remarks })
  }
  try {
    const env = process.env
    return await runGateway({ settings, verbose, env, start, people, ready, failing })
  } catch (thrown) {
    failing(thrown)
    throw thrown
  }
}
