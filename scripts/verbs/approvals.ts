/**
 * `openclaw approvals list | allow | deny | grants | revoke`: what waits for a person, and what a person
 * allowed from then on.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { escapeHidden } from '../../protocol/exact.ts'
import { isMeant, isShort, quote } from '../../protocol/ids.ts'
import { reachArgs } from '../arguments.ts'
import { askGateway, formatTime, formatWord, rowsOf } from '../ask.ts'
import { show, showJson, showRows } from '../output.ts'
import { defineVerb } from '../verb.ts'

const HEADINGS = ['APPROVAL', 'COMMAND', 'IN', 'ON', 'ASKED BY', 'UNTIL']

export const approvalsList = defineVerb({
  name: 'approvals list',
  description: 'List the commands that wait for you to allow them',
  args: reachArgs,
  async run(args) {
    const answer = await askGateway(args, 'approval.list', {})
    if (args.json) {
      showJson(answer)
      return 0
    }
    const rows = rowsOf(answer, 'approvals')
    const cells = rows.map(({ approvalId, command, cwd, host, requestedBy, expiresAt }) => [
      String(approvalId),
      exactly(command),
      formatWord(cwd),
      formatWord(host),
      String(requestedBy),
      formatTime(expiresAt),
    ])
    showRows(HEADINGS, cells, 'nothing waits for approval')
    return 0
  },
})

const idArgs = {
  ...reachArgs,
  id: {
    type: 'positional',
    valueHint: 'id',
    description: 'as `approvals list` shows it, or its beginning',
  },
} as const

export const approvalsAllow = defineVerb({
  name: 'approvals allow',
  description: 'Let a command run, once or from now on',
  args: {
    ...idArgs,
    always: { type: 'boolean', description: 'also the next time, without asking' },
  },
  async run(args) {
    const decision = args.always ? 'allow-always' : 'allow-once'
    return decide(args, args.id, decision)
  },
})

export const approvalsDeny = defineVerb({
  name: 'approvals deny',
  description: 'Keep a command from running',
  args: idArgs,
  run: (args) => decide(args, args.id, 'deny'),
})

const GRANT_HEADINGS = ['GRANT', 'CALL', 'OF', 'FOR', 'GIVEN BY', 'SINCE']

export const approvalsGrants = defineVerb({
  name: 'approvals grants',
  description: 'List the calls of tools that run without asking, since you allowed them always',
  args: reachArgs,
  async run(args) {
    const answer = await askGateway(args, 'approvals.grants', {})
    if (args.json) {
      showJson(answer)
      return 0
    }
    const rows = rowsOf(answer, 'grants')
    const cells = rows.map((row) => [
      String(row['grantId']),
      row['command'] === null ? '[erased]' : exactly(row['command']),
      `${String(row['tool'])} (${String(row['source'])})`,
      placeOf(row),
      String(row['givenBy']),
      `${formatTime(row['givenAt'])}${row['holds'] === true ? '' : ', without its key: not honoured'}`,
    ])
    showRows(GRANT_HEADINGS, cells, 'nothing is allowed always')
    return 0
  },
})

// All of it: what a terminal would obey, or show as nothing, is written out.
function exactly(command: unknown): string {
  return escapeHidden(JSON.stringify(command))
}

// Only what is asked for in the same place is the same.
function placeOf({ channel, room, sender }: Readonly<Record<string, unknown>>): string {
  if (typeof channel !== 'string') return 'clients'
  return [channel, room, sender].filter((part) => typeof part === 'string').join(':')
}

export const approvalsRevoke = defineVerb({
  name: 'approvals revoke',
  description: 'Ask again before a call that you allowed always',
  args: {
    ...reachArgs,
    id: { type: 'positional', valueHint: 'id', description: 'as `approvals grants` shows it' },
  },
  async run(args) {
    const answer = await askGateway(args, 'approvals.revoke', { grantId: args.id })
    if (args.json === true) showJson(answer)
    else show(`revoked ${String(args.id)}`)
    return 0
  },
})

type Args = Parameters<typeof askGateway>[0] & { readonly json?: boolean | undefined }

async function decide(args: Args, written: string | undefined, decision: string): Promise<number> {
  const approvalId = await meantBy(args, String(written))
  const answer = await askGateway(args, 'approval.resolve', { approvalId, decision })
  if (args.json === true) showJson(answer)
  else show(`${decision}: ${approvalId}`)
  return 0
}

// The question in a channel shows the beginning of an id, and that is what people have at hand.
async function meantBy(args: Args, written: string): Promise<string> {
  if (isShort(written)) return written
  const waiting = rowsOf(await askGateway(args, 'approval.list', {}), 'approvals')
  const meant = waiting
    .map(({ approvalId }) => String(approvalId))
    .filter((id) => isMeant(id, written))
  const [only, another] = meant
  if (only === undefined || meant.includes(written)) return written
  if (another === undefined) return only
  throw new GatewayError(
    'USAGE',
    `${quote(written)}: several that wait begin so: ${meant.join(', ')}`,
  )
}
