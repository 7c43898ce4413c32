/** What a model of Anthropic's thought before it called tools: kept for its next call, over restarts. */
import type { ServerResponse } from 'node:http'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemory } from '../../store/memory.ts'
import type { TestClient } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type ModelServer, startModelServer, writeEvents } from '../support/model-server.ts'

interface Scene {
  server: ModelServer
  house: TestGateway
}

interface Body {
  readonly thinking?: { readonly type: string }
  readonly messages: readonly { readonly role: string; readonly content: readonly Block[] }[]
}
type Block = Readonly<Record<string, unknown>>

const thoughts = suite<Scene>('thoughts')

const start = (index: number, block: object) => ({
  type: 'content_block_start',
  index,
  content_block: block,
})
const piece = (index: number, delta: object) => ({ type: 'content_block_delta', index, delta })
const stop = (index: number) => ({ type: 'content_block_stop', index })

/** An answer of Anthropic's: some blocks, and why it ended. */
function answer(response: ServerResponse, blocks: readonly object[], reason: string): void {
  const usage = { input_tokens: 5, output_tokens: 3 }
  const message = { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage }
  writeEvents(
    response,
    { type: 'message_start', message },
    ...blocks,
    { type: 'message_delta', delta: { stop_reason: reason }, usage },
    { type: 'message_stop' },
  )
  response.end()
}

const THINKS = [
  start(0, { type: 'thinking', thinking: '', signature: '' }),
  piece(0, { type: 'thinking_delta', thinking: 'I should ' }),
  piece(0, { type: 'thinking_delta', thinking: 'look.' }),
  piece(0, { type: 'signature_delta', signature: 'signed==' }),
  stop(0),
  start(1, { type: 'redacted_thinking', data: 'hidden==' }),
  stop(1),
]
const CALLS = [
  start(2, { type: 'tool_use', id: 'theirs', name: 'sessions_list', input: {} }),
  piece(2, { type: 'input_json_delta', partial_json: '{}' }),
  stop(2),
]
const SAYS = [
  start(0, { type: 'text', text: '' }),
  piece(0, { type: 'text_delta', text: 'over' }),
  stop(0),
]

thoughts.before.each(async (scene) => {
  scene.server = await startModelServer((response) => {
    const { messages } = JSON.parse(scene.server.requests.at(-1)!) as Body
    const isResult = messages.at(-1)!.content.some(({ type }) => type === 'tool_result')
    if (isResult) answer(response, SAYS, 'end_turn')
    else answer(response, [...THINKS, ...CALLS], 'tool_use')
  })
})

thoughts.after.each(async ({ house, server }) => {
  await house.stop()
  await server.close()
})

async function open(scene: Scene, tools: object, store = openMemory()): Promise<TestClient> {
  const { baseUrl } = scene.server
  const providers = { one: { baseUrl, apiKey: 'k', api: 'anthropic-messages' } }
  const agents = { defaults: { model: 'one/claude-opus-4-5' } }
  scene.house = await startTestGateway({ config: { models: { providers }, agents, tools }, store })
  const client = scene.house.client()
  await client.connect()
  return client
}

const ask = async (client: TestClient, message: string): Promise<unknown> =>
  (await client.request('agent', { message, thinking: 'high' })).payload['runId']
const end = (client: TestClient, runId: unknown) =>
  client.event('agent.done', (payload) => payload['runId'] === runId)
const bodyOf = ({ server }: Scene) => JSON.parse(server.requests.at(-1)!) as Body
const typesIn = ({ messages }: Body) =>
  messages.map(({ content }) => content.map(({ type }) => type).join(' '))

thoughts(
  'TI31 signed thoughts go back in front of their calls, also after a restart',
  async (scene) => {
    const store = openMemory()
    const shared = { ...store, close: () => Promise.resolve() }
    const rules = { ask: ['sessions_list'] }
    const first = await open(scene, rules, shared)
    const runId = await ask(first, 'look')
    const { payload } = await first.event('approval', ({ status }) => status === 'requested')
    await scene.house.stop()
    const next = await open(scene, rules, shared)
    const { approvalId } = payload
    await next.request('approval.resolve', { approvalId, decision: 'allow-once' })
    await end(next, runId)

    const body = bodyOf(scene)
    assert.is(body.thinking?.type, 'enabled')
    const [thinking, hidden, call] = body.messages[1]!.content
    assert.equal(thinking, { type: 'thinking', thinking: 'I should look.', signature: 'signed==' })
    assert.equal(hidden, { type: 'redacted_thinking', data: 'hidden==' })
    assert.is(call?.['type'], 'tool_use')
  },
)

thoughts(
  'TI32 a later run and another model are shown the calls without what was thought',
  async (scene) => {
    const client = await open(scene, {})
    await end(client, await ask(client, 'look'))
    await end(client, await ask(client, 'again'))

    assert.equal(typesIn(bodyOf(scene)), [
      'text',
      'tool_use',
      'tool_result',
      'text',
      'text',
      'thinking redacted_thinking tool_use',
      'tool_result',
    ])
  },
)

thoughts.run()
