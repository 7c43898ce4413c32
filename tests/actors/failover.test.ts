/** Models that fail, over the wire: two HTTP servers that nobody here wrote, and a real gateway. */
import { LLMock } from '@copilotkit/aimock'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemory } from '../../store/memory.ts'
import type { TestClient } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import type { Frame } from '../support/client.ts'

interface Scene {
  one: LLMock
  two: LLMock
  house: TestGateway | null
}

const failover = suite<Scene>('models that fail')

failover.before.each(async (scene) => {
  scene.house = null
  scene.one = new LLMock({ port: 0, host: '127.0.0.1' })
  scene.two = new LLMock({ port: 0, host: '127.0.0.1' })
  await Promise.all([scene.one.start(), scene.two.start()])
})

failover.after.each(async ({ one, two, house }) => {
  await house?.stop()
  await Promise.all([one.stop(), two.stop()])
})

async function open(scene: Scene, agents: object = {}, store = openMemory()): Promise<TestClient> {
  const providers = {
    one: { baseUrl: `${scene.one.url}/v1`, apiKey: 'k1' },
    two: { baseUrl: scene.two.url, apiKey: 'k2', api: 'anthropic-messages' },
  }
  const model = { primary: 'one/small', fallbacks: ['two/claude-big'] }
  const config = { models: { providers }, agents: { defaults: { model, ...agents } } }
  scene.house = await startTestGateway({ config, store })
  const client = scene.house.client()
  await client.connect()
  return client
}

const NO_FACTS: Record<string, unknown> = {}

/** Says something and waits for the end of its run. */
async function ask(client: TestClient, message: string): Promise<Frame['payload']> {
  const { payload } = await client.request('agent', { message })
  const end = await client.event('agent.done', ({ runId }) => runId === payload['runId'])
  return end.payload
}

function errorOf(end: Frame['payload']): string {
  return String(Reflect.get(Object(end['error']), 'message'))
}

function broken(mock: LLMock, status: number): void {
  mock.on({}, { error: { message: 'no', type: 'test' }, status })
}

failover(
  'FW1 where one provider refuses the key the other answers, and is named',
  async (scene) => {
    broken(scene.one, 401)
    scene.two.on({}, { content: 'from two', usage: { input_tokens: 5, output_tokens: 2 } })
    const client = await open(scene)

    const end = await ask(client, 'hi')
    const history = await client.request('sessions.history', { key: 'agent:main:main' })

    assert.equal([end['status'], end['text'], end['model']], ['done', 'from two', 'two/claude-big'])
    const [, answer] = history.payload['messages'] as { model: string }[]
    assert.is(answer?.model, 'two/claude-big')
    assert.equal([scene.one.getRequests().length, scene.two.getRequests().length], [1, 1])
    const failed = readRecords(scene.house!.store).find(
      ({ event }) => event.type === 'effect.failed',
    )
    const { model, modelIndex } = failed?.effects[0]?.params ?? {}
    assert.equal([failed?.event['class'], model, modelIndex], ['auth', 'two/claude-big', 1])
    const { payload } = await client.event('agent', ({ status }) => status === 'retrying')
    assert.is(payload['model'], 'two/claude-big')
  },
)

failover('FW2 where nobody answers its owner is told which model failed how', async (scene) => {
  broken(scene.one, 401)
  broken(scene.two, 400)
  const client = await open(scene)

  const end = await ask(client, 'hi')
  const waited = await client.request('agent.wait', { runId: end['runId'] })

  assert.is(end['status'], 'failed')
  assert.is(
    errorOf(end),
    'no model gave an answer (one/small refused the key, 1 call; two/claude-big refused the request, 1 call)',
  )
  assert.equal([waited.payload['status'], waited.payload['fault']], ['error', 'request'])
})

failover('FW3 a cut stream is asked again of the same model', async (scene) => {
  let asked = 0
  scene.one.on(
    { predicate: () => (asked += 1) === 1 },
    { content: 'one two three four' },
    { chunkSize: 3, latency: 5, truncateAfterChunks: 3 },
  )
  scene.one.on({}, { content: 'whole' })
  const client = await open(scene)

  const end = await ask(client, 'hi')

  assert.equal([end['status'], end['text'], end['model']], ['done', 'whole', undefined])
  assert.is(scene.two.getRequests().length, 0)
})

failover('FW4 Retry-After is waited for, and the wait is in the journal', async (scene) => {
  let asked = 0
  const error = { message: 'slow down', type: 'rate_limit_error' }
  scene.one.on({ predicate: () => (asked += 1) === 1 }, { error, status: 429, retryAfter: 1 })
  scene.one.on({}, { content: 'at last' })
  const client = await open(scene)

  const end = await ask(client, 'hi')

  assert.is(end['text'], 'at last')
  const records = readRecords(scene.house!.store)
  const failed = records.find(({ event }) => event.type === 'effect.failed')
  assert.equal([failed?.event['retryAfterMs'], failed?.value], [1_000, 'waiting'])
  assert.is(failed?.armed[0]?.dueAt, (failed?.at ?? 0) + 1_000)
})

failover(
  'FW5 PR18 a day that is used up ends runs, and the refusal names the day',
  async (scene) => {
    const usage = { prompt_tokens: 90, completion_tokens: 30, total_tokens: 120 }
    scene.one.on({}, { content: 'dear', usage })
    const store = openMemory()
    const budget = { tokensPerDay: 100 }
    const client = await open(scene, { budget }, store)

    const first = await ask(client, 'first')
    const second = await ask(client, 'second')
    const refused = readRecords(store).find(({ event }) => event.type === 'effect.failed')

    assert.equal([first['status'], second['status']], ['done', 'failed'])
    assert.match(errorOf(second), 'the budget is used up')
    const { day, offsetMinutes, tokens, tokensMax } = refused?.event ?? NO_FACTS
    assert.match(String(day), /^\d{4}-\d\d-\d\d$/)
    assert.type(offsetMinutes, 'number')
    assert.equal([tokens, tokensMax, refused?.event['class']], [120, 100, 'budget'])
    // Nobody else is asked: the budget is no model's fault.
    assert.equal([scene.one.getRequests().length, scene.two.getRequests().length], [1, 0])
  },
)

failover('FW6 a prompt that costs more than its run may is not sent', async (scene) => {
  scene.one.on({}, { content: 'never' })
  const client = await open(scene, { budget: { tokensPerRun: 50 } })

  const end = await ask(client, 'word '.repeat(100))

  assert.match(errorOf(end), 'the budget is used up')
  assert.is(scene.one.getRequests().length, 0)
})

failover('FW7 calls that fail are bounded over all models', async (scene) => {
  broken(scene.one, 401)
  scene.two.on({}, { content: 'never' })
  const client = await open(scene, { budget: { callsPerRun: 1 } })

  const end = await ask(client, 'hi')

  assert.match(errorOf(end), /one\/small refused the key, 1 call; the budget is used up/)
  assert.is(scene.two.getRequests().length, 0)
})

failover.run()
