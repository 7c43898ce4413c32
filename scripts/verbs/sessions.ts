/**
 * `openclaw sessions`: the conversations that the gateway keeps, newest first.
 */
import { reachArgs } from '../arguments.ts'
import { connectGateway, type Payload } from '../client.ts'
import { showJson, showRows } from '../output.ts'
import { readSettings } from '../settings.ts'
import { defineVerb } from '../verb.ts'
import { memberOf } from '../../protocol/members.ts'

const COLUMNS = ['key', 'channel', 'peer', 'model', 'messageCount', 'lastMessageAt'] as const
const HEADINGS = ['KEY', 'CHANNEL', 'PEER', 'MODEL', 'MESSAGES', 'LAST MESSAGE']

export const sessions = defineVerb({
  name: 'sessions',
  description: 'List the sessions',
  args: reachArgs,
  async run(args) {
    const client = await connectGateway(await readSettings(args), { subscribe: [] })
    try {
      const answer = await client.request('sessions.list', {})
      if (args.json) showJson(answer)
      else showTable(answer)
      return 0
    } finally {
      client.close()
    }
  },
})

function showTable({ sessions: rows }: Payload): void {
  const list: unknown[] = Array.isArray(rows) ? rows : []
  const cells = list.map((row) => COLUMNS.map((name) => cellOf(row, name)))
  showRows(HEADINGS, cells, 'no sessions yet')
}

function cellOf(row: unknown, name: string): string {
  const value = memberOf(row, name)
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '-'
}
