/** Drives `openclaw-node`, another author's client: connects, chats, reads, and asks for the rest. */
import { join } from 'node:path'
import { load, step, tell, token, url } from './driver.ts'

interface Chunk {
  readonly type: string
  readonly text?: string
  readonly runId?: string
}

interface Client {
  connect: () => Promise<{ readonly type: string }>
  disconnect: () => Promise<void>
  chat: (message: string, options?: object) => AsyncIterable<Chunk>
  chatSync: (message: string, options?: object) => Promise<string>
  health: () => Promise<unknown>
  agentWait: (runId: string, options: object) => Promise<{ readonly status: string }>
  readonly availableMethods: readonly string[]
  readonly sessions: {
    list: (options: object) => Promise<{ readonly sessions?: readonly unknown[] }>
    history: (key: string) => Promise<{ readonly messages?: readonly unknown[] }>
    describe: (key: string) => Promise<unknown>
    subscribeMessages: (
      key: string,
      handler: (event: unknown) => void,
    ) => Promise<{ unsubscribe: () => Promise<void> }>
  }
  readonly agents: { list: () => Promise<{ readonly defaultId: string }> }
  readonly channels: { status: () => Promise<unknown> }
  readonly config: { get: () => Promise<unknown> }
}

interface Library {
  readonly OpenClawClient?: new (options: object) => Client
  readonly default?: { readonly OpenClawClient: new (options: object) => Client }
}

const library = await load<Library>('openclaw-node')
const OpenClawClient = library.OpenClawClient ?? library.default?.OpenClawClient
if (OpenClawClient === undefined) throw new Error('openclaw-node exports no OpenClawClient')
const deviceIdentityPath = join(process.env['HOME'] ?? '.', 'device-identity.json')
const client = new OpenClawClient({ url, token, deviceIdentityPath, autoReconnect: false })

let runId = ''
await step('connect', async () => {
  return (await client.connect()).type === 'hello-ok'
})
await step('methods', async () => client.availableMethods.includes('agent'))
await step('health', () => client.health())
await step('agents.list', async () => (await client.agents.list()).defaultId === 'main')
await step('chat streams', async () => {
  const chunks: Chunk[] = []
  for await (const chunk of client.chat('one two three four', { sessionKey: 'agent:main:main' })) {
    chunks.push(chunk)
  }
  runId = chunks.at(-1)?.runId ?? ''
  const text = chunks.filter(({ type }) => type === 'text').map((chunk) => chunk.text)
  tell(`chunks: ${chunks.map(({ type }) => type).join(' ')}`)
  return text.length > 1 && /echo: [^]*one two three four/.test(text.join('')) && runId !== ''
})
await step('chatSync', async () => /echo: [^]*once more/.test(await client.chatSync('once more')))
await step('agent.wait', async () => {
  return (await client.agentWait(runId, { timeoutMs: 5_000 })).status === 'ok'
})
await step('sessions.list', async () => {
  return ((await client.sessions.list({ limit: 10 })).sessions?.length ?? 0) > 0
})
await step('chat.history', async () => {
  return ((await client.sessions.history('main')).messages?.length ?? 0) > 1
})
await step('sessions.describe', () => client.sessions.describe('main'))
await step('sessions.messages.subscribe', async () => {
  const { unsubscribe } = await client.sessions.subscribeMessages('main', () => {})
  await unsubscribe()
})
await step('channels.status', () => client.channels.status())
await step('config.get', () => client.config.get())
await step('disconnect', () => client.disconnect())
tell('done')
process.exit(0)
