/**
 * `openclaw deliveries list | resubmit | resolve | dismiss`: messages that could not be sent, or may
 * have been.
 */
import { reachArgs } from '../arguments.ts'
import { askGateway, formatTime, formatWord, rowsOf } from '../ask.ts'
import { columns, note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

const HEADINGS = ['DELIVERY', 'STATE', 'TO', 'SINCE', 'WHY', 'TEXT']

export const deliveriesList = defineVerb({
  name: 'deliveries list',
  description: 'List messages that wait for you: not sent (dead), or perhaps sent (uncertain)',
  args: {
    ...reachArgs,
    all: { type: 'boolean', description: 'also those that are on their way' },
  },
  async run(args) {
    const answer = await askGateway(args, 'deliveries.list', {})
    const rows = rowsOf(answer, 'deliveries').filter(({ state }) => {
      return args.all === true || state === 'dead' || state === 'uncertain'
    })
    if (args.json) {
      showJson({ deliveries: rows })
      return 0
    }
    if (rows.length === 0) note('no delivery waits for you')
    const cells = rows.map(({ deliveryId, state, channel, target, changedAt, fault, text }) => [
      String(deliveryId),
      String(state),
      `${String(target)} on ${String(channel)}`,
      formatTime(changedAt),
      formatWord(fault),
      JSON.stringify(text), // As it is, whatever it does to a terminal.
    ])
    if (rows.length > 0) for (const line of columns([HEADINGS, ...cells])) show(line)
    return 0
  },
})

const idArgs = {
  ...reachArgs,
  id: { type: 'positional', valueHint: 'id', description: 'as `deliveries list` shows it' },
} as const

export const deliveriesResubmit = defineVerb({
  name: 'deliveries resubmit',
  description: 'Send a message again, also one that may have been sent',
  args: idArgs,
  run: (args) => say(args, 'deliveries.resubmit', { deliveryId: args.id }),
})

export const deliveriesResolve = defineVerb({
  name: 'deliveries resolve',
  description: 'Say whether an uncertain message was sent',
  args: {
    ...idArgs,
    as: {
      type: 'enum',
      options: ['sent', 'not-sent'],
      required: true,
      description: 'what you saw',
    },
  },
  run: (args) => say(args, 'deliveries.resolve', { deliveryId: args.id, sent: args.as === 'sent' }),
})

export const deliveriesDismiss = defineVerb({
  name: 'deliveries dismiss',
  description: 'Let a message go unsent',
  args: idArgs,
  run: (args) => say(args, 'deliveries.dismiss', { deliveryId: args.id }),
})

type Args = Parameters<typeof askGateway>[0] & { readonly json?: boolean | undefined }

interface Said {
  readonly deliveryId: string | undefined
  readonly sent?: boolean
}

async function say(args: Args, method: string, params: Said): Promise<number> {
  const answer = await askGateway(args, method, params)
  if (args.json === true) showJson(answer)
  else show(`${method.slice('deliveries.'.length)}: ${String(params.deliveryId)}`)
  return 0
}
