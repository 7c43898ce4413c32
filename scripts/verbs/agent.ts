/**
 * `openclaw agent`: one message to the agent; its answer is printed as it streams.
 *
 * When the model breaks off and is asked again, what was streamed so far is void; the text that
 * counts is the last attempt's, and `--json` says it whole in its last line.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { reachArgs } from '../arguments.ts'
import { formatReason } from '../ask.ts'
import {
  type Client,
  type ClientEvent,
  connectGateway,
  listenFrom,
  type Payload,
} from '../client.ts'
import { note, showJson, showText, stream } from '../output.ts'
import { readSettings } from '../settings.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: answered; 1: the run failed or was aborted. */
export const agent = defineVerb({
  name: 'agent',
  description: 'Ask the agent and print its answer',
  args: {
    ...reachArgs,
    message: { type: 'string', required: true, valueHint: 'TEXT', description: 'what to ask' },
    session: { type: 'string', valueHint: 'KEY', description: 'session key (default main)' },
    thinking: {
      type: 'enum',
      options: ['off', 'minimal', 'low', 'medium', 'high', 'xhigh'],
      description: 'how long to think',
    },
    key: {
      type: 'string',
      valueHint: 'KEY',
      description: 'idempotency key: the same key asks once',
    },
    verbose: { type: 'boolean', description: 'tell of every step on stderr' },
  },
  async run(args) {
    const subscribe = ['agent', 'agent.delta', 'agent.done', 'tool']
    const settings = await readSettings(args)
    let client = await connectGateway(settings, { subscribe })
    try {
      const accepted = await client.request('agent', {
        message: args.message,
        ...(args.session === undefined ? {} : { sessionKey: args.session }),
        ...(args.thinking === undefined ? {} : { thinking: args.thinking }),
        ...(args.key === undefined ? {} : { idempotencyKey: args.key }),
        ...(args.verbose ? { verbose: true } : {}),
      })
      client = await listenFrom(client, settings, subscribe, accepted)
      const printer = args.json ? jsonPrinter() : textPrinter(args.verbose === true)
      const done = await followRun(client, accepted, printer)
      return done['status'] === 'done' ? 0 : 1
    } finally {
      client.close()
    }
  },
})

/** What becomes visible of a run. */
interface Printer {
  readonly event: (event: ClientEvent) => void
  readonly done: (result: Payload) => void
}

async function followRun(client: Client, accepted: Payload, printer: Printer): Promise<Payload> {
  const { runId } = accepted
  for (;;) {
    const event = await client.next(limits.modelIdleMs * limits.runAttemptsMax)
    if (event === null) {
      throw new GatewayError('TIMEOUT', `run ${String(runId)}: nothing was heard of it any more`)
    }
    if (event.payload['runId'] !== runId) continue
    printer.event(event)
    if (event.event !== 'agent.done') continue
    printer.done({ ...accepted, ...event.payload })
    return event.payload
  }
}

/** One JSON object a line: each event, then the result. */
function jsonPrinter(): Printer {
  return {
    event: ({ event, payload }) => showJson({ type: 'event', event, payload }),
    done: (result) => showJson({ type: 'result', ok: result['status'] === 'done', ...result }),
  }
}

function textPrinter(verbose: boolean): Printer {
  let streamed = ''
  const event = ({ event, payload }: ClientEvent): void => {
    const { text, status } = payload
    if (event === 'agent.delta' && typeof text === 'string') {
      streamed += text
      stream(text)
      return
    }
    if (event === 'agent' && status === 'retrying') {
      if (streamed !== '') stream('\n')
      if (streamed !== '') note('[the model broke off: what stands above is void, it begins anew]')
      streamed = ''
    }
    if (verbose && event !== 'agent.done') note(`[${event} ${JSON.stringify(payload)}]`)
  }
  return { event, done: (result) => finish(result, streamed) }
}

/** Prints what the stream left out, so that the whole answer has been printed in any case. */
function finish({ status, text, error }: Payload, streamed: string): void {
  const whole = typeof text === 'string' ? text : ''
  if (status === 'done' && whole.startsWith(streamed)) {
    showText(whole.slice(streamed.length))
    return
  }
  if (streamed !== '') stream('\n')
  if (status === 'done') showText(whole)
  else
    note(
      `openclaw: the run ${status === 'aborted' ? 'was aborted' : 'failed'}${formatReason(error)}`,
    )
}
