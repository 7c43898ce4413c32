/** Tools of MCP servers: real ones, made with the official SDK, started as children and over HTTP. */
import { fileURLToPath } from 'node:url'
import { LLMock } from '@copilotkit/aimock'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { TestClient } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { answerEndlessly, serveMcp } from '../support/mcp-server.ts'
import { until } from '../support/wait.ts'

interface Scene {
  mock: LLMock
  house: TestGateway | null
}

type Row = Readonly<Record<string, unknown>>

const mcp = suite<Scene>('MCP servers')

mcp.before.each(async (scene) => {
  scene.house = null
  scene.mock = new LLMock({ port: 0, host: '127.0.0.1' })
  await scene.mock.start()
})

mcp.after.each(async ({ house, mock }) => {
  await house?.stop()
  await mock.stop()
})

const CHILD = {
  command: process.execPath,
  args: [fileURLToPath(import.meta.resolve('../support/mcp-server.js')), 'stdio'],
}

async function open(scene: Scene, servers: object): Promise<TestClient> {
  const providers = { one: { baseUrl: `${scene.mock.url}/v1`, apiKey: 'k1' } }
  const agents = { defaults: { model: 'one/small' } }
  scene.house = await startTestGateway({
    config: { models: { providers }, agents, mcp: { servers } },
  })
  const client = scene.house.client()
  await client.connect()
  return client
}

async function listed(client: TestClient): Promise<{ names: unknown[]; sources: Row[] }> {
  const { payload } = await client.request('tools.list', {})
  const names = (payload['tools'] as Row[]).map(({ name }) => name)
  return { names, sources: payload['sources'] as Row[] }
}

function appears(client: TestClient, name: string): Promise<boolean> {
  return until(async () => (await listed(client)).names.includes(name), name)
}

/** Has the model call a tool; resolves with what the tool said. */
async function call(scene: Scene, client: TestClient, name: string, args: object): Promise<string> {
  scene.mock.on(
    { userMessage: name, hasToolResult: false },
    {
      toolCalls: [{ name, arguments: JSON.stringify(args) }],
    },
  )
  scene.mock.on({ hasToolResult: true }, { content: 'over' })
  await client.request('agent', { message: name })
  const { payload } = await client.event(
    'tool',
    (said) => said['name'] === name && said['status'] !== 'started',
  )
  return String(payload['text'])
}

mcp(
  'TO50 a server that is started here offers its tools, and new ones as they come',
  async (scene) => {
    const client = await open(scene, { home: CHILD })
    await appears(client, 'home__add')

    assert.is(await call(scene, client, 'home__add', { a: 2, b: 3 }), '5')
    assert.is(await call(scene, client, 'home__grow', {}), 'one more')
    await appears(client, 'home__grown')
  },
)

mcp('TO51 a server over HTTP offers its tools', async (scene) => {
  const server = await serveMcp()
  const client = await open(scene, { far: { url: server.url, headers: { 'x-key': 'k' } } })
  await appears(client, 'far__add')

  assert.is(await call(scene, client, 'far__add', { a: 4, b: 5 }), '9')
  await scene.house!.stop()
  scene.house = null
  await server.close()
})

mcp(
  'TO52 a server that is not there is told with its reason, and costs nothing else',
  async (scene) => {
    const client = await open(scene, { gone: { command: '/nowhere/at-all' } })
    const source = await until(async () => {
      const { sources } = await listed(client)
      return sources.find(({ reason }) => /ENOENT/.test(String(reason))) ?? null
    }, 'reason')

    assert.is(source['source'], 'mcp:gone')
    assert.ok((await listed(client)).names.includes('web_fetch'))
  },
)

mcp(
  'TO53 a server that falls during a call fails the call, and is started again',
  async (scene) => {
    const client = await open(scene, { home: CHILD })
    await appears(client, 'home__fall')

    assert.match(await call(scene, client, 'home__fall', {}), /closed/i)
    await appears(client, 'home__add')
    assert.is(await call(scene, client, 'home__add', { a: 1, b: 1 }), '2')
  },
)

mcp('TO54 a server whose list never ends is read so far, and no further', async (scene) => {
  const server = await serveMcp(answerEndlessly)
  const client = await open(scene, { far: { url: server.url } })

  await until(async () => (await listed(client)).sources.length === 0, 'end of the list')
  await scene.house!.stop()
  scene.house = null
  await server.close()
})

mcp.run()
