/** Models that take no tools: what is said of them, and the switch that sends them none. */
import { LLMock } from '@copilotkit/aimock'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemory } from '../../store/memory.ts'
import type { Frame, TestClient } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'

interface Scene {
  mock: LLMock
  house: TestGateway
}

interface Asked {
  readonly body: {
    readonly messages: readonly { role: string; content: string }[]
    readonly tools?: readonly unknown[]
  }
}

const toolless = suite<Scene>('models without tools')

toolless.before.each(async (scene) => {
  scene.mock = new LLMock({ port: 0, host: '127.0.0.1' })
  await scene.mock.start()
})

toolless.after.each(async ({ mock, house }) => {
  await house.stop()
  await mock.stop()
})

async function open(scene: Scene, models: object[], store = openMemory()): Promise<TestClient> {
  const providers = { one: { baseUrl: `${scene.mock.url}/v1`, apiKey: 'k1', models } }
  const agents = { defaults: { model: 'one/small' } }
  scene.house = await startTestGateway({ config: { models: { providers }, agents }, store })
  const client = scene.house.client()
  await client.connect()
  return client
}

async function ask(client: TestClient, message = 'hi'): Promise<Frame['payload']> {
  const { payload } = await client.request('agent', { message })
  return (await client.event('agent.done', ({ runId }) => runId === payload['runId'])).payload
}

const bodyOf = ({ mock }: Scene) => (mock.getRequests() as unknown as Asked[]).at(-1)!.body

toolless(
  'TI29 a model that refuses tools is no riddle: the fault names the switch',
  async (scene) => {
    const error = { message: 'small does not support tools', type: 'invalid_request_error' }
    scene.mock.on({}, { error, status: 400 })
    const client = await open(scene, [{ id: 'small' }])

    const end = await ask(client)

    assert.is(end['status'], 'failed')
    assert.match(JSON.stringify(end['error']), /takes no tools .*compat\.supportsTools: false/)
    const failed = readRecords(scene.house.store).filter(
      ({ event }) => event.type === 'effect.failed',
    )
    assert.equal(
      failed.map(({ event }) => [event['class'], event['retryable']]),
      [['tools', false]],
    )
  },
)

toolless(
  'TI30 with the switch it is sent none, and reads in words what others called',
  async (scene) => {
    const store = openMemory()
    const shared = { ...store, close: () => Promise.resolve() }
    const first = await open(scene, [{ id: 'small' }], shared)
    const toolCalls = [{ id: 'theirs', name: 'sessions_list', arguments: '{"limit":1}' }]
    scene.mock.on({ userMessage: 'and now?' }, { content: 'again' })
    scene.mock.on({ hasToolResult: false }, { toolCalls })
    scene.mock.on({ hasToolResult: true }, { content: 'over' })
    await ask(first)
    assert.ok((bodyOf(scene).tools ?? []).length > 0)
    await scene.house.stop()

    const next = await open(scene, [{ id: 'small', compat: { supportsTools: false } }], shared)
    await ask(next, 'and now?')

    const { messages, tools } = bodyOf(scene)
    assert.is(tools, undefined)
    assert.equal(
      messages.map(({ role }) => role),
      ['system', 'user', 'assistant', 'user', 'assistant', 'user'],
    )
    assert.is(messages[2]?.content, '[Calls sessions_list {"limit":1}]')
    assert.match(messages[3]?.content ?? '', /^\[Result of the tool sessions_list\]\n\[/)
  },
)

toolless.run()
