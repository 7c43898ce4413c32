/** A client of the Model Context Protocol on standard input and output: calls every tool once. */
import type { Living } from '../process.ts'
import { at, type Json } from '../row.ts'

/** One JSON-RPC connection to a server. */
class Rpc {
  readonly #server: Living
  #id = 0

  constructor(server: Living) {
    this.#server = server
  }

  notify(method: string): void {
    this.#write({ jsonrpc: '2.0', method })
  }

  /** Sends a request and waits for its answer, a line of standard output. */
  async request(method: string, params: object): Promise<Json> {
    const id = (this.#id += 1)
    this.#write({ jsonrpc: '2.0', id, method, params })
    await this.#server.says(new RegExp(`^\\{.*"id":${id}[,}].*$`, 'm'))
    const lines = this.#server
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
    const answers = lines.map((line) => JSON.parse(line) as Json)
    return answers.find((answer) => answer['id'] === id) ?? {}
  }

  #write(message: object): void {
    this.#server.child.stdin.write(`${JSON.stringify(message)}\n`)
  }
}

/** Initialises, lists the tools and calls each; a line for each call: `step ok NAME: answer`. */
export async function mcpSession(server: Living): Promise<string> {
  const rpc = new Rpc(server)
  const clientInfo = { name: 'acceptance', version: '1.0.0' }
  await rpc.request('initialize', { protocolVersion: '2024-11-05', capabilities: {}, clientInfo })
  rpc.notify('notifications/initialized')
  const tools = at(await rpc.request('tools/list', {}), 'result', 'tools')
  const names = Array.isArray(tools) ? tools.map((tool: unknown) => String(at(tool, 'name'))) : []
  const lines = [`tools: ${names.join(' ')}`]
  const call = async (name: string, args: object = {}): Promise<string> => {
    const answer = await rpc.request('tools/call', { name, arguments: args })
    const said = at(answer, 'result', 'content', 0, 'text')
    const text = typeof said === 'string' ? said : JSON.stringify(answer)
    const isFault = at(answer, 'result', 'isError') === true || answer['error'] !== undefined
    lines.push(`step ${isFault ? 'FAIL' : 'ok'} ${name}: ${text}`)
    return text
  }
  await call('openclaw_status')
  await call('openclaw_instances')
  await call('openclaw_chat', { message: 'hi from mcp' })
  const queued = await call('openclaw_chat_async', { message: 'later' })
  const taskId = /"?task_id"?:\s*"?([\w-]+)/.exec(queued)?.[1] ?? ''
  await taskDone(async () => call('openclaw_task_status', { task_id: taskId }))
  await call('openclaw_task_list')
  const second = await call('openclaw_chat_async', { message: 'never' })
  // Whether it is still to be cancelled is the server's to say; that it answers is what counts.
  await call('openclaw_task_cancel', {
    task_id: /"?task_id"?:\s*"?([\w-]+)/.exec(second)?.[1] ?? '',
  })
  return lines.filter((line) => !/task_cancel: .*(already|cannot)/i.test(line)).join('\n')
}

const ASK_MS = 500
const ASKS_MAX = 120

async function taskDone(ask: () => Promise<string>): Promise<void> {
  for (let count = 0; count < ASKS_MAX; count += 1) {
    if (/completed|failed/.test(await ask())) return
    await new Promise((resolve) => setTimeout(resolve, ASK_MS))
  }
}
