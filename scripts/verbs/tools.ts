/**
 * `openclaw tools list`: which tools there are, who offers them, and by which rule they may run.
 */
import { reachArgs } from '../arguments.ts'
import { askGateway, formatWord, rowsOf } from '../ask.ts'
import { columns, note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

const HEADINGS = ['TOOL', 'FROM', 'MAY RUN', 'BY']

export const toolsList = defineVerb({
  name: 'tools list',
  description: 'List the tools that a model may call, and why each may or may not run',
  args: {
    ...reachArgs,
    session: {
      type: 'string',
      valueHint: 'key',
      description: 'as it stands there (default: main)',
    },
  },
  async run(args) {
    const params = args.session === undefined ? {} : { sessionKey: args.session }
    const answer = await askGateway(args, 'tools.list', params)
    if (args.json) {
      showJson(answer)
      return 0
    }
    const cells = rowsOf(answer, 'tools').map(({ name, source, verdict, rule, reason }) => [
      String(name),
      String(source),
      reason === null ? (WORDS[String(verdict)] ?? String(verdict)) : 'no',
      reason === null ? String(rule) : formatWord(reason),
    ])
    for (const line of columns([HEADINGS, ...cells])) show(line)
    for (const { source, reason } of rowsOf(answer, 'sources')) {
      note(`${String(source)} offers nothing now: ${String(reason)}`)
    }
    return 0
  },
})

const WORDS: Readonly<Record<string, string>> = { allow: 'yes', ask: 'asks', deny: 'no' }
