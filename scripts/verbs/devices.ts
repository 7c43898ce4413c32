/**
 * `openclaw devices list | revoke | rotate`: the devices that were let in.
 */
import { reachArgs } from '../arguments.ts'
import { askGateway, formatScopes, formatTime, rowsOf } from '../ask.ts'
import { note, show, showJson, showRows } from '../output.ts'
import { defineVerb } from '../verb.ts'

const HEADINGS = ['DEVICE', 'STATE', 'ROLE', 'SCOPES', 'APPROVED BY', 'LAST SEEN']

export const devicesList = defineVerb({
  name: 'devices list',
  description: 'List the devices that may come in, and those that were thrown out',
  args: reachArgs,
  async run(args) {
    const answer = await askGateway(args, 'device.list', {})
    if (args.json) {
      showJson(answer)
      return 0
    }
    const rows = rowsOf(answer, 'devices')
    const cells = rows.map(({ deviceId, state, role, scopes, rule, seenAt }) => [
      ...[deviceId, state, role].map(String),
      formatScopes(scopes),
      String(rule),
      formatTime(seenAt),
    ])
    showRows(HEADINGS, cells, 'no devices yet')
    return 0
  },
})

const idArgs = {
  ...reachArgs,
  id: { type: 'positional', valueHint: 'id', description: 'its id, as `devices list` shows it' },
} as const

export const devicesRevoke = defineVerb({
  name: 'devices revoke',
  description: 'Throw a device out, for good: its connections close at once',
  args: idArgs,
  async run(args) {
    const answer = await askGateway(args, 'device.revoke', { deviceId: args.id })
    if (args.json) showJson(answer)
    else show(`revoked ${String(answer['deviceId'])}`)
    return 0
  },
})

export const devicesRotate = defineVerb({
  name: 'devices rotate',
  description: 'Give a device a new token; the old one is dead, its connections close at once',
  args: idArgs,
  async run(args) {
    const answer = await askGateway(args, 'device.rotate', { deviceId: args.id })
    if (args.json) showJson(answer)
    else show(String(answer['deviceToken']))
    if (!args.json) note('this is its new token; it is shown this once')
    return 0
  },
})
