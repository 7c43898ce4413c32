/** Long conversations over the wire, against a model server that nobody here wrote; prompts shown. */
import { LLMock } from '@copilotkit/aimock'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Frame, TestClient } from '../support/client.ts'
import { openModelTurns } from '../../actors/model-turns.ts'
import { ModelFault } from '../../actors/models/provider.ts'
import type { EffectContext } from '../../actors/outbox.ts'
import type { ModelHouse, ModelSettings } from '../../actors/run.ts'
import { replayStream } from '../../actors/stream.ts'
import { summaryDriver } from '../../actors/summaries.ts'
import { rangeOf } from '../../machines/rules/history.ts'
import type { SessionContext } from '../../machines/session.ts'
import { streamId } from '../../protocol/ids.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'

interface Scene {
  mock: LLMock
  house: TestGateway
  client: TestClient
}

const summaries = suite<Scene>('summaries')

const MAIN = 'agent:main:main'
const SYSTEM = 'You are a heron.'

function isSummary(request: { messages: readonly { role: string; content?: unknown }[] }): boolean {
  const [first] = request.messages
  return first?.role === 'system' && String(first.content).startsWith('You shorten conversations')
}

summaries.before.each(async (scene) => {
  scene.mock = new LLMock({ port: 0, host: '127.0.0.1' })
  await scene.mock.start()
  const models = [{ id: 'small', contextWindow: 400 }]
  const config = {
    models: { providers: { home: { baseUrl: `${scene.mock.url}/v1`, apiKey: 'k', models } } },
    agents: { defaults: { model: 'home/small', systemPrompt: SYSTEM } },
    session: { compactThreshold: 0.5, prune: { toolResults: true } },
  }
  scene.house = await startTestGateway({ config })
  scene.client = scene.house.client()
  await scene.client.connect({ scopes: ['operator.admin', 'operator.history'] })
})

summaries.after.each(async ({ mock, house }) => {
  await house.stop()
  await mock.stop()
})

async function say(client: TestClient, message: string): Promise<Frame['payload']> {
  const { payload } = await client.request('agent', { message })
  const end = await client.event('agent.done', ({ runId }) => runId === payload['runId'])
  return end.payload
}

interface Sent {
  readonly role: string
  readonly content: unknown
}

function sentTo(mock: LLMock): Sent[] {
  return Reflect.get(Object(mock.getLastRequest()?.body), 'messages') as Sent[]
}

function shownIn(mock: LLMock): string[] {
  return sentTo(mock).map(({ role, content }) => `${role}: ${String(content).slice(0, 60)}`)
}

const long = 'word '.repeat(60)

summaries('SU1 a conversation that grows too long is summarised, and goes on', async (scene) => {
  const { mock, client, house } = scene
  mock.on({ predicate: isSummary }, { content: 'They spoke of words.' })
  mock.on({}, { content: long })
  await say(client, `one ${long}`)

  await say(client, `two ${long}`)

  const [system, summary, question, ...rest] = shownIn(mock)
  assert.match(system ?? '', /^system: You are a heron/)
  assert.match(summary ?? '', /^user: Summary of the conversation/)
  assert.match(question ?? '', /^user: two word/)
  assert.equal(rest, [])
  const end = readRecords(house.store).find(({ event }) => event.type === 'compaction.finished')
  assert.equal([end?.event['status'], end?.event['count']], ['done', 2])
  const all = await client.request('sessions.history', { key: MAIN })
  assert.is((all.payload['messages'] as object[]).length, 4)
})

summaries('SU2 a summary that fails leaves the oldest messages out, and says so', async (scene) => {
  const { mock, client, house } = scene
  mock.on({ predicate: isSummary }, { error: { message: 'no', type: 'test' }, status: 401 })
  mock.on({}, { content: long })
  await say(client, `one ${long}`)

  const end = await say(client, `two ${long}`)

  assert.is(end['status'], 'done')
  assert.equal(
    shownIn(mock).map((line) => line.slice(0, 9)),
    ['system: Y', 'user: two'],
  )
  const runs = readRecords(house.store).filter(({ event }) => event.type === 'run.requested')
  assert.is(runs.findLast(({ stream }) => stream.startsWith('run:'))?.event['leftOut'], 2)
})

summaries('SU3 the prompt of a past run is shown exactly, whatever came after', async (scene) => {
  const { mock, client } = scene
  mock.on({ predicate: isSummary }, { content: 'They spoke of words.' })
  mock.on({}, { content: long })
  const first = await say(client, `one ${long}`)
  const sent = sentTo(mock)
  const second = await say(client, `two ${long}`)
  const sentThen = sentTo(mock)

  for (const [end, messages] of [
    [first, sent],
    [second, sentThen],
  ] as const) {
    const { payload } = await client.request('history.prompt', { run: end['runId'] })
    const shown = payload['messages'] as { role: string; text: string }[]
    assert.equal(
      [{ role: 'system', text: payload['system'] }, ...shown].map(({ role, text }) => [role, text]),
      messages.map(({ role, content }) => [role, content]),
    )
    assert.equal([payload['asSent'], payload['outcome']], [true, 'done'])
    assert.equal([payload['model'], payload['thinking']], ['home/small', 'off'])
  }
  const at = await client.request('history.prompt', { at: `#${String(first['position'])}` })
  assert.is(at.payload['runId'], first['runId'])
})

summaries('SU4 texts of prompts need their scope; what is no run is told', async (scene) => {
  const { mock, client, house } = scene
  mock.on({}, { content: 'ok' })
  const { runId } = await say(client, 'hi')
  const reader = house.client()
  await reader.connect({ deviceId: 'reader', scopes: ['operator.read'] })

  const refused = await reader.request('history.prompt', { run: runId })
  const unknown = await client.request('history.prompt', { run: 'nobody' })
  const none = await client.request('history.prompt', { at: '#1' })
  await client.request('history.prompt', { run: runId })

  assert.is(refused.error?.code, 'FORBIDDEN')
  assert.equal([unknown.error?.code, none.error?.code], ['NOT_FOUND', 'NOT_FOUND'])
  const reads = readRecords(house.store).filter(({ event }) => event.type === 'bodies.read')
  assert.is(reads.length, 1)
})

summaries('SU5 sessions.compact summarises by hand, once there is enough', async (scene) => {
  const { mock, client } = scene
  mock.on({ predicate: isSummary }, { content: 'short' })
  mock.on({}, { content: 'yes' })
  await say(client, 'one')
  const early = await client.request('sessions.compact', { key: MAIN })
  await say(client, 'two')

  const done = await client.request('sessions.compact', { key: MAIN })
  await say(client, 'three')

  assert.equal([early.payload['compacted'], done.payload['compacted']], [false, true])
  assert.match(String(early.payload['reason']), 'too little')
  assert.is(done.payload['messages'], 2)
  assert.match(shownIn(mock)[1] ?? '', /^user: Summary of the conversation/)
})

summaries('SU7 a summary waits its turn among the calls of runs', async (scene) => {
  const turns = openModelTurns(1)
  const events: string[] = []
  const provider = {
    probe: () => Promise.resolve(''),
    call: () => {
      events.push('called')
      return Promise.reject(new ModelFault('no', 'auth'))
    },
  }
  const { store, services } = scene.house
  await say(scene.client, 'one')
  const key = streamId('session', MAIN)
  const session = replayStream(store, key, 'none').snapshot
  const { history } = session.context as SessionContext
  const registry = { snapshot: () => session } as unknown as ModelHouse['registry']
  const usage = { spent: new Map() } as unknown as ModelHouse['usage']
  const found = { provider, model: 'm', maxOutputTokens: null }
  const settings = { find: () => found, tokensPerDay: () => null } as unknown as ModelSettings
  const house = { store, services, registry, usage, publish: () => {} } as ModelHouse
  const driver = summaryDriver(house, settings, { turns, signal: new AbortController().signal })
  const params = { sessionKey: MAIN, compactionId: 'c', model: 'm', attempt: 1 }
  await turns.enter()
  const made = driver.run(
    { name: 'history.summarize', params: { ...params, ...rangeOf(history, 1) } },
    {} as EffectContext,
  )
  await new Promise((resolve) => setImmediate(resolve))
  events.push('left')
  turns.leave()

  const { type } = await made

  assert.equal([events, type], [['left', 'called'], 'effect.failed'])
  await turns.enter() // It has given its turn back.
})

summaries('SU6 a summary that nobody makes is a reason, and changes nothing', async (scene) => {
  const { mock, client } = scene
  mock.on({ predicate: isSummary }, { error: { message: 'no', type: 'test' }, status: 400 })
  mock.on({}, { content: 'yes' })
  await say(client, 'one')
  await say(client, 'two')

  const done = await client.request('sessions.compact', { key: MAIN })
  await say(client, 'three')

  assert.is(done.payload['compacted'], false)
  assert.match(String(done.payload['reason']), 'gave no answer (request)')
  assert.is(shownIn(mock).length, 6)
})

summaries.run()
