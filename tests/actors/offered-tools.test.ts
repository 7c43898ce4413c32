/** Tools that clients and nodes offer, over the wire, and what `tools.list` says of all of them. */
import { LLMock } from '@copilotkit/aimock'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Frame, TestClient } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { until } from '../support/wait.ts'

interface Scene {
  mock: LLMock
  house: TestGateway
  owner: TestClient
}

type Row = Readonly<Record<string, unknown>>

const offered = suite<Scene>('offered tools')

offered.before.each(async (scene) => {
  scene.mock = new LLMock({ port: 0, host: '127.0.0.1' })
  await scene.mock.start()
  const providers = { one: { baseUrl: `${scene.mock.url}/v1`, apiKey: 'k1' } }
  const agents = { defaults: { model: 'one/small' } }
  const gateway = { auth: { token: 'tok' } }
  const tools = { deny: ['sessions_*'], ask: ['asked_*'] }
  scene.house = await startTestGateway({
    config: { gateway, models: { providers }, agents, tools },
  })
  scene.owner = scene.house.client()
  await scene.owner.connect({ deviceId: 'owner', auth: { token: 'tok' } })
})

offered.after.each(async ({ house, mock }) => {
  await house.stop()
  await mock.stop()
})

const LIGHTS = {
  name: 'lights',
  description: 'Switches lights',
  parameters: { type: 'object', properties: { on: { type: 'boolean' } }, required: ['on'] },
}

function script({ mock }: Scene, name: string, args: object): void {
  mock.on({ hasToolResult: false }, { toolCalls: [{ name, arguments: JSON.stringify(args) }] })
  mock.on({ hasToolResult: true }, { content: 'over' })
}

async function begin({ owner }: Scene): Promise<() => Promise<Frame['payload']>> {
  const { payload } = await owner.request('agent', { message: 'do it' })
  return async () =>
    (await owner.event('agent.done', ({ runId }) => runId === payload['runId'])).payload
}

async function rowOf({ owner }: Scene, name: string): Promise<Row | undefined> {
  const { payload } = await owner.request('tools.list', {})
  return (payload['tools'] as Row[]).find((row) => row['name'] === name)
}

/** Another client, which offers what it has. */
async function openHelper({ house }: Scene): Promise<TestClient> {
  const helper = house.client()
  await helper.connect({ deviceId: 'helper', auth: { token: 'tok' } })
  await helper.request('tools.register', { tools: [LIGHTS] })
  return helper
}

offered(
  'TO40 a client’s tool is called over its own connection, and its answer goes on',
  async (scene) => {
    const helper = await openHelper(scene)
    script(scene, 'lights', { on: true })
    const end = await begin(scene)
    const { payload: call } = await helper.event('tool.call')

    assert.equal([call['name'], call['arguments']], ['lights', { on: true }])
    const { callId } = call
    const strange = await scene.owner.request('tools.result', { callId, text: 'no' })
    assert.is(strange.payload['taken'], false)
    const taken = await helper.request('tools.result', { callId, text: 'they are on' })
    assert.is(taken.payload['taken'], true)
    assert.is((await end())['text'], 'over')
    const begun = await scene.owner.event('tool', ({ status }) => status === 'started')
    const ended = await scene.owner.event('tool', ({ status }) => status === 'done')
    assert.equal([begun.payload['name'], ended.payload['text']], ['lights', 'they are on'])
  },
)

offered(
  'TO41 a client that leaves takes its tools along; the call in hand is told so',
  async (scene) => {
    const helper = await openHelper(scene)
    script(scene, 'lights', { on: true })
    const end = await begin(scene)
    await helper.event('tool.call')
    await helper.close()

    assert.is((await end())['text'], 'over')
    const ended = await scene.owner.event('tool', ({ isError }) => isError === true)
    assert.match(String(ended.payload['text']), /may or may not have been done/)
    const ends = readRecords(scene.house.store).filter(({ stream }) => stream.startsWith('call:'))
    assert.is(ends.at(-1)?.value, 'uncertain')
    assert.is(await rowOf(scene, 'lights'), undefined)
  },
)

offered(
  'TO46 what a person allows runs where it was shown to come from, and nowhere else',
  async (scene) => {
    const { owner, house } = scene
    const tools = [{ ...LIGHTS, name: 'asked_lights' }]
    const helper = await openHelper(scene)
    await helper.request('tools.register', { tools })
    script(scene, 'asked_lights', { on: true })
    const end = await begin(scene)
    const { payload: asking } = await owner.event(
      'approval',
      ({ status }) => status === 'requested',
    )
    await helper.close()
    await until(async () => (await rowOf(scene, 'asked_lights')) === undefined, 'end of the tool')
    const other = house.client()
    await other.connect({ deviceId: 'other', auth: { token: 'tok' } })
    await other.request('tools.register', { tools })
    const { approvalId } = asking
    await owner.request('approval.resolve', { approvalId, decision: 'allow-once' })

    const ended = await owner.event('tool', ({ isError }) => isError === true)
    assert.match(String(ended.payload['text']), /not made: the tool is not there/)
    assert.is((await end())['text'], 'over')
  },
)

offered('TO42 nobody can put a tool in another’s place, nor take it away', async (scene) => {
  await openHelper(scene)
  const { owner } = scene
  const taken = await owner.request('tools.register', { tools: [{ name: 'lights' }] })
  const builtIn = await owner.request('tools.register', { tools: [{ name: 'web_fetch' }] })
  const none = await owner.request('tools.unregister', { names: ['lights', 'web_fetch'] })

  assert.equal([taken.error?.code, builtIn.error?.code], ['INVALID_REQUEST', 'INVALID_REQUEST'])
  assert.equal(none.payload['unregistered'], [])
  assert.ok(await rowOf(scene, 'lights'))
})

offered('TO43 what is registered can be taken back, and is bounded', async (scene) => {
  const helper = await openHelper(scene)
  const back = await helper.request('tools.unregister', { names: ['lights'] })
  const bad = await helper.request('tools.register', {
    tools: [{ name: 'x', parameters: { type: 'string' } }],
  })

  assert.equal(back.payload['unregistered'], ['lights'])
  assert.is(await rowOf(scene, 'lights'), undefined)
  assert.is(bad.error?.code, 'INVALID_REQUEST')
})

offered('TO47 what is registered together is registered whole, or not at all', async (scene) => {
  const helper = await openHelper(scene)
  const before = await rowOf(scene, 'lights')
  const changed = { ...LIGHTS, description: 'Another' }
  for (const wrong of [
    { name: 'x', parameters: { type: 'string' } },
    { name: 'web_fetch' },
    { name: 'lights' },
  ]) {
    const { error } = await helper.request('tools.register', {
      tools: [{ name: 'new' }, changed, wrong],
    })

    assert.is(error?.code, 'INVALID_REQUEST', wrong.name)
    assert.is(await rowOf(scene, 'new'), undefined)
    assert.equal(await rowOf(scene, 'lights'), before)
  }
})

offered('TO44 the list names the rule by which each tool may run or not', async (scene) => {
  const denied = await rowOf(scene, 'sessions_list')
  const allowed = await rowOf(scene, 'web_fetch')
  const missing = await rowOf(scene, 'read')

  assert.equal([denied?.['verdict'], denied?.['rule']], ['deny', 'tools.deny: sessions_*'])
  assert.equal([allowed?.['runs'], allowed?.['rule']], [true, 'tools.allow: *'])
  assert.equal(
    [missing?.['runs'], missing?.['reason']],
    [false, 'agents.defaults.workspace is not configured'],
  )
})

offered(
  'TO45 a command that a node was allowed is a tool while the node is connected',
  async (scene) => {
    const { owner, house } = scene
    const node = house.client()
    const params = { deviceId: 'kitchen', role: 'node', capabilities: ['lamp.set'], subscribe: [] }
    await node.connect({ ...params, auth: { token: 'tok' } })
    const name = 'node__kitchen__lamp_set'
    const asking = await until(async () => {
      const { payload } = await owner.request('node.list')
      return (payload['nodes'] as Row[])[0]?.['request'] as Row | null
    }, 'request of the node')
    assert.is(await rowOf(scene, name), undefined)
    await owner.request('node.approve', { requestId: asking['requestId'] })
    await until(async () => (await rowOf(scene, name)) !== undefined, 'tool of the node')

    script(scene, name, { level: 3 })
    const end = await begin(scene)
    const { payload: asked } = await node.event('node.invoke')
    assert.equal([asked['command'], asked['paramsJson']], ['lamp.set', '{"level":3}'])
    await node.request('node.result', { id: asked['id'], ok: true, payload: { level: 3 } })

    assert.is((await end())['text'], 'over')
    const ended = await owner.event('tool', ({ status }) => status === 'done')
    assert.is(ended.payload['text'], '{"level":3}')
    await node.close()
    await until(async () => (await rowOf(scene, name)) === undefined, 'end of the tool')
  },
)

offered.run()
