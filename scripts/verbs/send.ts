/**
 * `openclaw send`: one message through a channel, and what became of it.
 *
 * Accepted means durable: from then on the gateway owns the delivery, and the verb only watches it
 * for a while. `uncertain` is the platform's silence: the message may or may not have arrived.
 */
import { randomUUID } from 'node:crypto'
import { limits } from '../../protocol/limits.ts'
import { reachArgs } from '../arguments.ts'
import { formatReason } from '../ask.ts'
import { type Client, connectGateway, listenFrom, type Payload } from '../client.ts'
import { programName } from '../exit.ts'
import { note, show, showJson } from '../output.ts'
import { readSettings } from '../settings.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: sent, or accepted and still under way; 1: failed or uncertain. */
export const send = defineVerb({
  name: 'send',
  description: 'Send a message through a channel',
  args: {
    ...reachArgs,
    channel: {
      type: 'string',
      required: true,
      valueHint: 'NAME',
      description: 'irc, telegram ...',
    },
    target: {
      type: 'string',
      required: true,
      valueHint: 'WHO',
      description: 'person or room there',
    },
    message: { type: 'string', required: true, valueHint: 'TEXT', description: 'what to say' },
    session: { type: 'string', valueHint: 'KEY', description: 'file it in this session' },
    key: {
      type: 'string',
      valueHint: 'KEY',
      description: 'idempotency key: the same key never sends twice',
    },
  },
  async run(args) {
    const settings = await readSettings(args)
    const subscribe = ['delivery']
    let client = await connectGateway(settings, { subscribe })
    try {
      const accepted = await client.request('send', {
        channel: args.channel,
        target: args.target,
        message: args.message,
        idempotencyKey: args.key ?? randomUUID(),
        ...(args.session === undefined ? {} : { sessionKey: args.session }),
      })
      let outcome: Payload
      try {
        client = await listenFrom(client, settings, subscribe, accepted)
        outcome = await awaitOutcome(client, accepted['deliveryId'])
      } catch (thrown) {
        noteAccepted(accepted)
        throw thrown
      }
      const result = { ...accepted, ...outcome }
      if (args.json) showJson(result)
      else showOutcome(result)
      return ['failed', 'uncertain'].includes(String(result['status'])) ? 1 : 0
    } finally {
      client.close()
    }
  },
})

// What is accepted stays so, whatever became of the connection: sending it again would be twice.
function noteAccepted({ deliveryId }: Payload): void {
  note(`accepted as ${String(deliveryId)}; what became of it: ${list()} --all`)
}

function list(): string {
  return `${programName()} deliveries list`
}

/** Watches one delivery to its end, or for as long as a person would wait. */
async function awaitOutcome(client: Client, deliveryId: unknown): Promise<Payload> {
  const deadline = performance.now() + limits.verbDeliveryMs
  let latest: Payload = {}
  for (;;) {
    const event = await client.next(deadline - performance.now())
    if (event === null) return latest
    if (event.event !== 'delivery' || event.payload['deliveryId'] !== deliveryId) continue
    latest = event.payload
    if (latest['status'] !== 'retrying') return latest
  }
}

function showOutcome({ status, channel, target, deliveryId, error }: Payload): void {
  const where = `${String(target)} on ${String(channel)}`
  const why = formatReason(error)
  switch (status) {
    case 'sent':
      return show(`sent to ${where}`)
    case 'failed':
      return note(`openclaw: not sent to ${where}${why}`)
    case 'uncertain':
      return note(`openclaw: ${where} may or may not have it${why}; say which: ${list()}`)
    default:
      return show(
        `accepted for ${where}, delivery ${String(deliveryId)} goes on (${String(status)}${why})`,
      )
  }
}
