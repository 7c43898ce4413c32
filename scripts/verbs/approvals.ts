/**
 * `openclaw approvals list | allow | deny`: commands that wait for a person.
 */
import { reachArgs } from '../arguments.ts'
import { askGateway, formatTime, formatWord, rowsOf } from '../ask.ts'
import { columns, note, show, showJson } from '../output.ts'
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
    if (rows.length === 0) note('nothing waits for approval')
    const cells = rows.map(({ approvalId, command, cwd, host, requestedBy, expiresAt }) => [
      String(approvalId),
      JSON.stringify(command), // As it is, whatever it does to a terminal.
      formatWord(cwd),
      formatWord(host),
      String(requestedBy),
      formatTime(expiresAt),
    ])
    if (rows.length > 0) for (const line of columns([HEADINGS, ...cells])) show(line)
    return 0
  },
})

const idArgs = {
  ...reachArgs,
  id: { type: 'positional', valueHint: 'id', description: 'as `approvals list` shows it' },
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

type Args = Parameters<typeof askGateway>[0] & { readonly json?: boolean | undefined }

async function decide(
  args: Args,
  approvalId: string | undefined,
  decision: string,
): Promise<number> {
  const answer = await askGateway(args, 'approval.resolve', { approvalId, decision })
  if (args.json === true) showJson(answer)
  else show(`${decision}: ${String(approvalId)}`)
  return 0
}
