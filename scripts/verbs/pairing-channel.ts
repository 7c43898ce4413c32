/**
 * `openclaw pairing list|approve|reject CHANNEL [CODE]`: who may write to the bot of a channel.
 */
import { reachArgs } from '../arguments.ts'
import { connectGateway } from '../client.ts'
import { askSenders, type SendersAsk } from '../senders.ts'
import { readSettings } from '../settings.ts'
import { defineVerb } from '../verb.ts'

const channel = {
  type: 'positional',
  required: true,
  description: 'name of the channel',
} as const
const code = {
  type: 'positional',
  required: true,
  description: 'the code that the sender was told',
} as const

export const pairingList = defineVerb({
  name: 'pairing list',
  description: 'List who waits at a channel, and who was let in',
  args: { channel, ...reachArgs },
  run: (args) => ask(args, { word: 'list', channel: args.channel, json: args.json === true }),
})

export const pairingApprove = defineVerb({
  name: 'pairing approve',
  description: 'Let the sender in who was told a code',
  args: { channel, code, ...reachArgs },
  run: (args) =>
    ask(args, {
      word: 'approve',
      channel: args.channel,
      code: args.code,
      json: args.json === true,
    }),
})

export const pairingReject = defineVerb({
  name: 'pairing reject',
  description: 'Turn the sender away who was told a code',
  args: { channel, code, ...reachArgs },
  run: (args) =>
    ask(args, { word: 'reject', channel: args.channel, code: args.code, json: args.json === true }),
})

async function ask(reach: Parameters<typeof readSettings>[0], what: SendersAsk): Promise<number> {
  const client = await connectGateway(await readSettings(reach), { subscribe: [] })
  try {
    return await askSenders(client, what)
  } finally {
    client.close()
  }
}
