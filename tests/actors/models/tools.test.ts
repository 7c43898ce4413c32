/**
 * Tools in calls of models: what each provider is told, and what comes back; against aimock.
 */
import { LLMock } from '@copilotkit/aimock'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openAnthropic } from '../../../actors/models/anthropic.ts'
import { openOpenAi } from '../../../actors/models/openai.ts'
import {
  type ModelCall,
  ModelFault,
  type ModelMessage,
  type ModelProvider,
} from '../../../actors/models/provider.ts'
import { mapToolNames } from '../../../actors/models/tool-names.ts'
import { silentLog, systemChance, systemClock } from '../../../actors/services.ts'
import { limits } from '../../../protocol/limits.ts'
import { startModelServer } from '../../support/model-server.ts'

interface Scene {
  mock: LLMock
  openai: ModelProvider
  anthropic: ModelProvider
}

const tools = suite<Scene>('model tools')

const services = { clock: systemClock, chance: systemChance, log: silentLog }
const never = new AbortController().signal

tools.before.each(async (scene) => {
  scene.mock = new LLMock({ port: 0, host: '127.0.0.1' })
  await scene.mock.start()
  scene.openai = openOpenAi({ baseUrl: `${scene.mock.url}/v1`, apiKey: 'k' }, services)
  scene.anthropic = openAnthropic({ baseUrl: scene.mock.url, apiKey: 'k' }, services)
})

tools.after.each(async ({ mock }) => mock.stop())

const city = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
}

const offered = [
  { name: 'weather.now', description: 'tells the weather', parameters: city },
  { name: 'weather_now', description: 'another one', parameters: { type: 'object' } },
]

const asked: ModelMessage = { role: 'user', text: 'weather?' }

function callOf(change: Partial<ModelCall> = {}): ModelCall {
  return {
    model: 'm',
    system: '',
    messages: [asked],
    tools: offered,
    thinking: 'off',
    maxOutputTokens: null,
    ...change,
  }
}

/** The members of the last request's body that matter here. */
function lastBody(mock: LLMock): Record<string, unknown> {
  return Object(mock.getLastRequest()?.body) as Record<string, unknown>
}

const used: ModelMessage[] = [
  asked,
  {
    role: 'assistant',
    text: 'I look.',
    toolCalls: [
      { id: 'c1', name: 'weather.now', arguments: '{"city":"Bern"}' },
      { id: 'c2', name: 'gone/tool', arguments: 'no json' },
    ],
  },
  { role: 'tool', callId: 'c1', name: 'weather.now', text: 'rain', isError: false },
  { role: 'tool', callId: 'c2', name: 'gone/tool', text: 'no such tool', isError: true },
]

function callTwo(mock: LLMock): void {
  mock.on(
    {},
    {
      toolCalls: [
        { id: 'c1', name: 'weather_now_2', arguments: '{ "city": "Bern" }' },
        { id: 'c2', name: 'invented', arguments: '{}' },
      ],
    },
    { chunkSize: 3 },
  )
}

tools('M60 names that a grammar refuses are mapped, apart, and back', () => {
  const long = 'x'.repeat(200)
  const names = ['a.b', 'a b', 'a_b', 'ok-1', 'ü', long, `${long}y`]
  const map = mapToolNames(
    callOf({ tools: names.map((name) => ({ name, description: '', parameters: {} })) }),
  )

  const out = names.map((name) => map.out(name))

  assert.is(new Set(out).size, names.length)
  assert.equal(out.slice(0, 4), ['a_b_2', 'a_b_3', 'a_b', 'ok-1'])
  for (const name of out) assert.match(name, /^[\w-]{1,64}$/)
  assert.ok(out.every((name) => name.length <= limits.modelToolNameCharsMax))
  assert.equal(
    out.map((name) => map.back(name)),
    names,
  )
  assert.is(map.back('made up'), 'made up')
})

tools('M61 OpenAI: tools, calls and results go out in its words', async ({ mock, openai }) => {
  mock.on({}, { content: 'wet' })

  const answer = await openai.call(callOf({ messages: used }), () => {}, never)

  const { messages, tools: told } = lastBody(mock)
  const toldOf = (name: string, description: string, parameters: object) => ({
    type: 'function',
    function: { name, description, parameters },
  })
  assert.equal(told, [
    toldOf('weather_now_2', 'tells the weather', city),
    toldOf('weather_now', 'another one', { type: 'object' }),
  ])
  const callOut = (id: string, name: string, args: string) => ({
    id,
    type: 'function',
    function: { name, arguments: args },
  })
  assert.equal(messages, [
    { role: 'user', content: 'weather?' },
    {
      role: 'assistant',
      content: 'I look.',
      tool_calls: [
        callOut('c1', 'weather_now_2', '{"city":"Bern"}'),
        callOut('c2', 'gone_tool', '{"arguments":"no json"}'),
      ],
    },
    { role: 'tool', tool_call_id: 'c1', content: 'rain' },
    { role: 'tool', tool_call_id: 'c2', content: 'no such tool' },
  ])
  assert.equal([answer.text, answer.finish, answer.toolCalls], ['wet', 'stop', []])
})

tools('M62 OpenAI: what a model calls comes back under our names', async ({ mock, openai }) => {
  callTwo(mock)

  const answer = await openai.call(callOf(), () => {}, never)

  assert.equal([answer.finish, answer.toolCalls], ['tools', CALLED])
})

const CALLED = [
  { id: 'c1', name: 'weather.now', arguments: '{ "city": "Bern" }' },
  { id: 'c2', name: 'invented', arguments: '{}' },
]

tools('M63 OpenAI: arguments that are no JSON come back as written', async ({ mock, openai }) => {
  mock.on({}, { toolCalls: [{ id: 'c1', name: 'weather_now', arguments: '{"city": Bern' }] })

  const answer = await openai.call(callOf(), () => {}, never)

  assert.equal(answer.toolCalls, [{ id: 'c1', name: 'weather_now', arguments: '{"city": Bern' }])
})

tools('M64 a call without its result is refused before it is sent', async ({ mock, openai }) => {
  mock.on({}, { content: 'never' })
  const messages = [...used.slice(0, 3), asked]

  const thrown = await openai
    .call(callOf({ messages }), () => {}, never)
    .catch((fault: unknown) => fault)

  assert.ok(thrown instanceof ModelFault && thrown.class === 'request', String(thrown))
  assert.is(mock.getRequests().length, 0)
})

tools('M65 Anthropic: tools, calls and results go out in its words', async () => {
  const server = await startModelServer((response) => response.writeHead(400).end('{}'))
  const provider = openAnthropic({ ...server, apiKey: 'k' }, services)

  await provider.call(callOf({ messages: used }), () => {}, never).catch(() => {})
  await server.close()

  const { messages, tools: told } = JSON.parse(server.requests[0] ?? '') as Record<string, unknown>
  assert.equal(told, [
    { name: 'weather_now_2', description: 'tells the weather', input_schema: city },
    { name: 'weather_now', description: 'another one', input_schema: { type: 'object' } },
  ])
  assert.equal(messages, [
    { role: 'user', content: [{ type: 'text', text: 'weather?' }] },
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'I look.' },
        { type: 'tool_use', id: 'c1', name: 'weather_now_2', input: { city: 'Bern' } },
        { type: 'tool_use', id: 'c2', name: 'gone_tool', input: { arguments: 'no json' } },
      ],
    },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'c1', content: 'rain' },
        { type: 'tool_result', tool_use_id: 'c2', content: 'no such tool', is_error: true },
      ],
    },
  ])
})

tools('M66 Anthropic: what a model calls comes back under our names', async (scene) => {
  callTwo(scene.mock)

  const answer = await scene.anthropic.call(callOf(), () => {}, never)

  // aimock writes a call of Anthropic's anew: its spaces are its own.
  const [first, second] = CALLED
  assert.is(answer.finish, 'tools')
  assert.equal(answer.toolCalls, [{ ...first, arguments: '{"city":"Bern"}' }, second])
})

tools.run()
