/**
 * `openclaw pairing list | approve | reject`: devices that ask to come in, and the owner's word;
 * behind the name of a channel, its senders instead.
 */
import { limits } from '../../protocol/limits.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { reachArgs } from '../arguments.ts'
import { askGateway, formatScopes, formatTime, rowsOf } from '../ask.ts'
import type { Payload } from '../client.ts'
import { programName } from '../exit.ts'
import { columns, note, show, showJson } from '../output.ts'
import { askSenders, showJudged } from '../senders.ts'
import { defineVerb } from '../verb.ts'

const HEADINGS = ['REQUEST', 'DEVICE', 'ROLE', 'SCOPES', 'FROM', 'EXPIRES']

export const pairingList = defineVerb({
  name: 'pairing list',
  description: 'List the devices that wait for approval, or the senders of a channel',
  args: { ...reachArgs, channel: { type: 'positional', required: false, description: 'its name' } },
  async run(args) {
    const { channel } = args
    if (channel !== undefined) return askSenders(args, { word: 'list', channel })
    const answer = await askGateway(args, 'pairing.list', {})
    if (args.json) showJson(answer)
    else showRequests(rowsOf(answer, 'pending'))
    return 0
  },
})

const codeArg = {
  words: { type: 'positional', description: '[CHANNEL] CODE', valueHint: 'code' },
} as const

const scopesArg = {
  scopes: {
    type: 'string',
    valueHint: 'A,B',
    description: 'what it may do, instead of what it asked for (operator.read,operator.write)',
  },
} as const

export const pairingApprove = defineVerb({
  name: 'pairing approve',
  description: 'Let a device in by its code or request id, or a sender of a channel by their code',
  args: { ...reachArgs, ...scopesArg, ...codeArg },
  async run(args) {
    const { channel, code } = readWords(args._, 'pairing approve')
    if (channel !== undefined) {
      if (args.scopes !== undefined) throw new GatewayError('USAGE', '--scopes: a sender has none')
      return askSenders(args, { word: 'approve', channel, code })
    }
    const scopes = args.scopes === undefined ? {} : { scopes: args.scopes.split(',') }
    const params = { ...requestOf(code), ...scopes }
    const answer = await askGateway(args, 'pairing.approve', params)
    if (args.json) showJson(answer)
    else if (answer['senderId'] !== undefined) showJudged(answer, 'approve')
    else show(`approved ${String(answer['deviceId'])}: ${formatScopes(answer['scopes'])}`)
    return 0
  },
})

export const pairingReject = defineVerb({
  name: 'pairing reject',
  description: 'Turn a device or a sender away; they may ask again after an hour',
  args: {
    ...reachArgs,
    ...codeArg,
    sender: { type: 'string', valueHint: 'ID', description: 'of a CHANNEL, who was let in' },
  },
  async run(args) {
    const { channel, code } = readWords(args._, 'pairing reject')
    const { sender: senderId } = args
    if (senderId !== undefined) {
      if (channel === undefined)
        return askSenders(args, { word: 'reject', channel: code, senderId })
      throw new GatewayError('USAGE', 'expected CHANNEL --sender ID', { verb: 'pairing reject' })
    }
    if (channel !== undefined) return askSenders(args, { word: 'reject', channel, code })
    const answer = await askGateway(args, 'pairing.reject', requestOf(code))
    if (args.json) showJson(answer)
    else if (answer['senderId'] !== undefined) showJudged(answer, 'reject')
    else show(`rejected ${String(answer['deviceId'])}`)
    return 0
  },
})

function readWords(words: readonly string[], verb: string): { channel?: string; code: string } {
  const [first = '', second] = words
  if (words.length > 2) throw new GatewayError('USAGE', 'expected [CHANNEL] CODE', { verb })
  return second === undefined ? { code: first } : { channel: first, code: second }
}

// A request id is longer than any code.
function requestOf(code: string): object {
  return code.length > limits.pairingCodeCharsMax ? { requestId: code } : { code }
}

function showRequests(rows: readonly Payload[]): void {
  if (rows.length === 0) {
    note('no device waits for approval')
    return note(`Senders who wait: ${programName()} pairing list CHANNEL`)
  }
  const cells = rows.map(({ requestId, deviceId, role, scopes, address, expiresAt }) => [
    String(requestId),
    String(deviceId).slice(0, limits.deviceIdShownChars),
    String(role),
    formatScopes(scopes),
    String(address),
    formatTime(expiresAt),
  ])
  for (const line of columns([HEADINGS, ...cells])) show(line)
}
