/**
 * `openclaw nodes list | approve | reject | remove | rename | invoke`: paired devices that offer what
 * they can do.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { memberOf } from '../../protocol/members.ts'
import { limits } from '../../protocol/limits.ts'
import { reachArgs, wholeNumber } from '../arguments.ts'
import { askGateway, formatTime, formatWord, rowsOf } from '../ask.ts'
import type { Payload } from '../client.ts'
import { note, show, showJson, showRows } from '../output.ts'
import { defineVerb } from '../verb.ts'

const HEADINGS = ['NODE', 'NAME', 'STATE', 'COMMANDS', 'ASKS FOR', 'REQUEST', 'LAST SEEN']

export const nodesList = defineVerb({
  name: 'nodes list',
  description: 'List the nodes, what they may be asked, and what they ask to be allowed',
  args: reachArgs,
  async run(args) {
    const answer = await askGateway(args, 'node.list', {})
    if (args.json) {
      showJson(answer)
      return 0
    }
    const rows = rowsOf(answer, 'nodes')
    const cells = rows.map(({ nodeId, name, state, commands, request, seenAt }) => [
      ...[nodeId, name, state].map(String),
      wordsOf(commands),
      wordsOf(memberOf(request, 'commands')),
      formatWord(memberOf(request, 'requestId')),
      formatTime(seenAt),
    ])
    showRows(HEADINGS, cells, 'no nodes yet')
    return 0
  },
})

function wordsOf(list: unknown): string {
  return Array.isArray(list) && list.length > 0 ? list.join(' ') : '-'
}

const requestArgs = {
  ...reachArgs,
  id: { type: 'positional', valueHint: 'request', description: 'as `nodes list` shows it' },
} as const

export const nodesApprove = defineVerb({
  name: 'nodes approve',
  description: 'Allow what a node asks for',
  args: requestArgs,
  async run(args) {
    const answer = await askGateway(args, 'node.approve', { requestId: args.id })
    if (args.json) showJson(answer)
    else show(`approved ${String(answer['nodeId'])}: ${wordsOf(answer['commands'])}`)
    return 0
  },
})

export const nodesReject = defineVerb({
  name: 'nodes reject',
  description: 'Refuse what a node asks for; what it was allowed before stays',
  args: requestArgs,
  async run(args) {
    const answer = await askGateway(args, 'node.reject', { requestId: args.id })
    if (args.json) showJson(answer)
    else show(`rejected ${String(answer['nodeId'])}`)
    return 0
  },
})

const nodeArgs = {
  ...reachArgs,
  node: { type: 'positional', valueHint: 'node', description: 'its id, or its name' },
} as const

export const nodesRemove = defineVerb({
  name: 'nodes remove',
  description: 'Forget a node and what it was allowed',
  args: nodeArgs,
  async run(args) {
    const nodeId = await findNode(args, args.node)
    const answer = await askGateway(args, 'node.remove', { nodeId })
    if (args.json) showJson(answer)
    else show(`removed ${nodeId}`)
    return 0
  },
})

export const nodesRename = defineVerb({
  name: 'nodes rename',
  description: 'Give a node a name',
  args: {
    ...nodeArgs,
    name: { type: 'positional', valueHint: 'name', description: 'at most 64 characters' },
  },
  async run(args) {
    const nodeId = await findNode(args, args.node)
    const answer = await askGateway(args, 'node.rename', { nodeId, name: args.name })
    if (args.json) showJson(answer)
    else show(`${nodeId} is ${String(answer['name'])}`)
    return 0
  },
})

export const nodesInvoke = defineVerb({
  name: 'nodes invoke',
  description: 'Ask a node to run a command, and print its answer',
  args: {
    ...nodeArgs,
    command: { type: 'positional', valueHint: 'command', description: 'one that it is allowed' },
    params: { type: 'string', valueHint: 'JSON', description: 'its parameters' },
    timeout: { type: 'string', valueHint: 'MS', description: 'how long it may take' },
  },
  async run(args) {
    const timeoutMs = timeoutOf(args.timeout)
    const params = paramsOf(args.params)
    const nodeId = await findNode(args, args.node)
    const asked = { nodeId, command: args.command, ...timeoutMs, ...params }
    const answer = await askGateway(args, 'node.invoke', asked)
    const isGood = answer['ok'] === true
    if (args.json) showJson(answer)
    else if (isGood) show(JSON.stringify(answer['payload'], null, 2))
    else note(`${args.command}: ${formatWord(memberOf(answer['error'], 'message'), 'it failed')}`)
    return isGood ? 0 : 1
  },
})

function timeoutOf(text: string | undefined): { timeoutMs?: number } {
  if (text === undefined) return {}
  return { timeoutMs: wholeNumber('--timeout', text, 1, limits.verbRequestMs) }
}

function paramsOf(text: string | undefined): { params?: unknown } {
  if (text === undefined) return {}
  try {
    return { params: JSON.parse(text) as unknown }
  } catch (error) {
    const message = `--params: expected JSON, got ${quote(text)}`
    throw new GatewayError('USAGE', message, { verb: 'nodes invoke' }, error)
  }
}

// People know names; where two nodes have the same one, only an id will do.
async function findNode(
  args: Parameters<typeof askGateway>[0],
  wanted: string | undefined,
): Promise<string> {
  const rows: Payload[] = rowsOf(await askGateway(args, 'node.list', {}), 'nodes')
  if (wanted !== undefined && rows.some(({ nodeId }) => nodeId === wanted)) return wanted
  const named = rows.filter(({ name }) => name === wanted)
  const [only] = named
  if (only !== undefined && named.length === 1) return String(only['nodeId'])
  const why = named.length > 1 ? `${named.length} nodes are called` : 'no node is called'
  throw new GatewayError('NOT_FOUND', `${why} ${quote(wanted)}`, { path: 'nodeId' })
}
