/**
 * `openclaw deliveries list | resubmit | resolve | dismiss`: messages that could not be sent, or may
 * have been.
 */
import { reachArgs } from '../arguments.ts'
import { askGateway, formatTime, formatWord, rowsOf } from '../ask.ts'
import { show, showJson, showRows } from '../output.ts'
import { defineVerb } from '../verb.ts'

// Faults that are ours, and not in a platform's words.
const WHY: Readonly<Record<string, string>> = {
  erased: 'its text was erased',
  expired: 'it was too old',
  internal: 'a fault of the gateway: its log has it',
  lost: 'the gateway ended meanwhile',
  unconfigured: 'its channel is not configured',
}

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
    const cells = rows.map(({ deliveryId, state, channel, target, changedAt, fault, text }) => [
      String(deliveryId),
      String(state),
      `${String(target)} on ${String(channel)}`,
      formatTime(changedAt),
      whyOf(fault),
      JSON.stringify(text), // As it is, whatever it does to a terminal.
    ])
    showRows(HEADINGS, cells, 'no delivery waits for you')
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
  run: (args) => say(args, 'resubmit', { deliveryId: args.id }),
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
  run: (args) => say(args, 'resolve', { deliveryId: args.id, sent: args.as === 'sent' }),
})

export const deliveriesDismiss = defineVerb({
  name: 'deliveries dismiss',
  description: 'Let a message go unsent',
  args: idArgs,
  run: (args) => say(args, 'dismiss', { deliveryId: args.id }),
})

function whyOf(fault: unknown): string {
  const word = formatWord(fault)
  return WHY[word] ?? word
}

type Args = Parameters<typeof askGateway>[0] & { readonly json?: boolean | undefined }

interface Said {
  readonly deliveryId: string | undefined
  readonly sent?: boolean
}

async function say(args: Args, word: Word, params: Said): Promise<number> {
  const answer = await askGateway(args, `deliveries.${word}`, params)
  if (args.json === true) showJson(answer)
  else show(`${String(params.deliveryId)} ${becomes(word, params.sent === true)}`)
  return 0
}

type Word = 'resubmit' | 'resolve' | 'dismiss'

function becomes(word: Word, sent: boolean): string {
  if (word === 'resubmit') return 'goes out again'
  if (word === 'dismiss') return 'is let go, unsent'
  return sent ? 'was sent: that is noted' : 'was not sent: resubmit it, or dismiss it'
}
