/**
 * `openclaw pairing list | approve | reject`: devices that ask to come in, and the owner's word.
 */
import { limits } from '../../protocol/limits.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { reachArgs } from '../arguments.ts'
import { askGateway, formatScopes, formatTime, rowsOf } from '../ask.ts'
import type { Payload } from '../client.ts'
import { columns, note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

const HEADINGS = ['REQUEST', 'DEVICE', 'ROLE', 'SCOPES', 'FROM', 'EXPIRES']

export const pairingList = defineVerb({
  name: 'pairing list',
  description: 'List the devices that wait for approval',
  args: reachArgs,
  async run(args) {
    const answer = await askGateway(args, 'pairing.list', {})
    if (args.json) showJson(answer)
    else showRequests(rowsOf(answer, 'pending'))
    return 0
  },
})

const scopesArg = {
  scopes: {
    type: 'string',
    valueHint: 'A,B',
    description: 'what it may do, instead of what it asked for (operator.read,operator.write)',
  },
} as const

export const pairingApprove = defineVerb({
  name: 'pairing approve',
  description: 'Let a device in, by the code that it shows or by its request id',
  args: {
    ...reachArgs,
    ...scopesArg,
    words: { type: 'positional', description: '[CHANNEL] CODE', valueHint: 'code' },
  },
  async run(args) {
    const scopes = args.scopes === undefined ? {} : { scopes: args.scopes.split(',') }
    const params = { ...requestOf(args._, 'pairing approve'), ...scopes }
    const answer = await askGateway(args, 'pairing.approve', params)
    if (args.json) showJson(answer)
    else show(`approved ${String(answer['deviceId'])}: ${formatScopes(answer['scopes'])}`)
    return 0
  },
})

export const pairingReject = defineVerb({
  name: 'pairing reject',
  description: 'Turn a device away; it may ask again after an hour',
  args: {
    ...reachArgs,
    words: { type: 'positional', description: '[CHANNEL] CODE', valueHint: 'code' },
  },
  async run(args) {
    const answer = await askGateway(args, 'pairing.reject', requestOf(args._, 'pairing reject'))
    if (args.json) showJson(answer)
    else show(`rejected ${String(answer['deviceId'])}`)
    return 0
  },
})

/** Reads `[CHANNEL] CODE`; a request id is longer than any code. */
function requestOf(words: readonly string[], verb: string): object {
  const [first = '', second] = words
  if (words.length > 2) throw new GatewayError('USAGE', 'expected [CHANNEL] CODE', { verb })
  const code = second ?? first
  const channel = second === undefined ? {} : { channel: first }
  return code.length > limits.pairingCodeCharsMax
    ? { ...channel, requestId: code }
    : { ...channel, code }
}

function showRequests(rows: readonly Payload[]): void {
  if (rows.length === 0) return note('no device waits for approval')
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
