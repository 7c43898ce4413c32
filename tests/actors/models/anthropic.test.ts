/**
 * The Anthropic provider against a server that nobody here wrote, aimock, and against exact bytes.
 */
import type { IncomingHttpHeaders } from 'node:http'
import * as assert from 'uvu/assert'
import { openAnthropic } from '../../../actors/models/anthropic.ts'
import type { ModelCall, ModelFaultClass, ModelMessage } from '../../../actors/models/provider.ts'
import { limits } from '../../../protocol/limits.ts'
import { manualClock } from '../../support/manual-clock.ts'
import {
  faultOf,
  modelServices as services,
  modelSuite,
  never,
  plainCall,
} from '../../support/model-scene.ts'
import { startModelServer, writeEvents } from '../../support/model-server.ts'
import { until } from '../../support/wait.ts'

const { test: anthropic, printed } = modelSuite('anthropic models', (url) =>
  openAnthropic({ baseUrl: url, apiKey: 'sk-ant-hunter2' }, services),
)

const callOf = (change: Partial<ModelCall> = {}): ModelCall => ({
  ...plainCall('claude-opus-4-5', ' hello ', 'be brief'),
  ...change,
})

/** Calls a scripted server and keeps what it was asked. */
async function bodyOf(change: Partial<ModelCall>): Promise<Record<string, unknown>> {
  const server = await startModelServer((response) => response.writeHead(400).end('{}'))
  const { provider } = { provider: openAnthropic({ ...server, apiKey: 'k' }, services) }
  await faultOf(
    provider.call(callOf(change), () => {}, never),
    'request',
  )
  await server.close()
  return JSON.parse(server.requests[0] ?? '') as Record<string, unknown>
}

anthropic(
  'M70 an answer streams in pieces and comes back whole, with its tokens',
  async ({ mock, provider }) => {
    const content = 'Der Reiher 🐟\n  steht  im Wasser.'
    const usage = { input_tokens: 12, output_tokens: 7 }
    mock.on({ userMessage: 'hello' }, { content, usage }, { chunkSize: 3 })
    const pieces: string[] = []

    const answer = await provider.call(callOf(), (piece) => pieces.push(piece), never)

    const counted = { inputTokens: 12, outputTokens: 7 }
    assert.equal(answer, { text: content, ...counted, finish: 'stop', toolCalls: [] })
    assert.is(pieces.join(''), content)
    assert.ok(pieces.length > 5)
    assert.is(mock.getLastRequest()?.path, '/v1/messages')
  },
)

anthropic('M71 texts go out unchanged, and system apart from them', async () => {
  const messages = [
    { role: 'user', text: ' first ' },
    { role: 'assistant', text: 'second' },
    { role: 'user', text: '\r\n third 🐟' },
  ] as const

  const body = await bodyOf({ messages })

  assert.equal(body['system'], [{ type: 'text', text: 'be brief' }])
  const contentOf = (text: string) => [{ type: 'text', text }]
  assert.equal(body['messages'], [
    { role: 'user', content: contentOf(' first ') },
    { role: 'assistant', content: contentOf('second') },
    { role: 'user', content: contentOf('\r\n third 🐟') },
  ])
  assert.is(body['stream'], true)
})

anthropic('M72 thinking has its budget within max_tokens', async () => {
  const shown = async (change: Partial<ModelCall>): Promise<unknown[]> => {
    const { thinking, max_tokens: most, output_config: output } = await bodyOf(change)
    return [thinking, most, output]
  }
  const budget = (tokens: number) => ({ type: 'enabled', budget_tokens: tokens })
  const none = undefined

  assert.equal(await shown({ thinking: 'off', maxOutputTokens: 9_000 }), [none, 9_000, none])
  for (const [thinking, tokens] of [
    ['minimal', 1_024],
    ['low', 2_048],
    ['medium', 8_192],
    ['high', 16_384],
    ['xhigh', 32_000],
  ] as const) {
    const told = await shown({ thinking, maxOutputTokens: 64_000 })
    assert.equal(told, [budget(tokens), 64_000, none], thinking)
  }
  // Half of the answer's tokens at most, and none where that is too little for Anthropic.
  assert.equal(await shown({ thinking: 'high', maxOutputTokens: 8_000 }), [
    budget(4_000),
    8_000,
    none,
  ])
  assert.equal(await shown({ thinking: 'high', maxOutputTokens: 2_000 }), [none, 2_000, none])
  const five = { model: 'claude-opus-5-5', maxOutputTokens: 8_000 } as const
  const effort = (word: string) => [{ type: 'adaptive' }, 8_000, { effort: word }]
  assert.equal(await shown({ ...five, thinking: 'minimal' }), effort('low'))
  assert.equal(await shown({ ...five, thinking: 'xhigh' }), effort('xhigh'))
})

anthropic('M73 a call with results of tools goes out without thinking', async () => {
  const messages = [
    { role: 'user', text: 'hi' },
    { role: 'assistant', text: '', toolCalls: [{ id: 'c1', name: 'a', arguments: '{}' }] },
    { role: 'tool', callId: 'c1', name: 'a', text: 'ok', isError: false },
  ] as const

  const body = await bodyOf({ messages, thinking: 'high' })

  assert.is(body['thinking'], undefined)
})

anthropic('M73 with what was thought before them it thinks on, and only then', async () => {
  const tools = [{ name: 'a', description: '', parameters: { type: 'object' } }]
  const toolCalls = [{ id: 'c1', name: 'a', arguments: '{}' }]
  const results = { role: 'tool', callId: 'c1', name: 'a', text: 'ok', isError: false } as const
  const shown = async (...thoughts: (string | undefined)[]): Promise<unknown[]> => {
    const rounds = thoughts.flatMap((each): ModelMessage[] => [
      { role: 'assistant', text: '', toolCalls, ...(each === undefined ? {} : { thoughts: each }) },
      results,
    ])
    const messages = [{ role: 'user', text: 'hi' } as const, ...rounds]
    const body = await bodyOf({ messages, tools, thinking: 'low' })
    const types = (body['messages'] as { content: { type: string }[] }[]).map(
      ({ content }) => content[0]?.type,
    )
    return [body['thinking'] !== undefined, ...types]
  }
  const signed = '[{"text":"hm","signature":"s"}]'

  assert.equal(await shown(signed), [true, 'text', 'thinking', 'tool_result'])
  assert.equal(await shown('[erased]'), [false, 'text', 'tool_use', 'tool_result'])
  // One round of two is not enough: neither goes back, and nothing is thought.
  const neither = [false, 'text', 'tool_use', 'tool_result', 'tool_use', 'tool_result']
  assert.equal(await shown(signed, undefined), neither)
})

anthropic('M74 every refusal has its class, and nothing is asked twice', async (scene) => {
  const { mock, provider } = scene
  const refusals: readonly (readonly [number, ModelFaultClass])[] = [
    [400, 'request'],
    [401, 'auth'],
    [403, 'auth'],
    [404, 'request'],
    [413, 'request'],
    [429, 'rate'],
    [500, 'server'],
    [529, 'server'],
  ]

  for (const [status, expected] of refusals) {
    mock.nextRequestError(status, { message: `no (${status}) for sk-ant-hunter2`, type: 'test' })
    const fault = await faultOf(
      provider.call(callOf(), () => {}, never),
      expected,
    )
    assert.match(fault.message, `HTTP ${status}: no (${status}) for ***`)
  }

  assert.is(mock.getRequests().length, refusals.length)
})

anthropic('M75 a rate limit tells how long to wait', async ({ mock, provider }) => {
  const error = { message: 'slow down', type: 'rate_limit_error' }
  mock.on({}, { error, status: 429, retryAfter: 7 })

  const fault = await faultOf(
    provider.call(callOf(), () => {}, never),
    'rate',
  )

  assert.equal([fault.retryAfterMs, fault.retryable], [7_000, true])
})

anthropic('M76 a cut stream is a network fault, after the pieces that came', async (scene) => {
  const { mock, provider } = scene
  const slow = { chunkSize: 4, latency: 10, truncateAfterChunks: 4 }
  mock.on({}, { content: 'one two three four five' }, slow)
  const pieces: string[] = []

  const fault = await faultOf(
    provider.call(callOf(), (piece) => pieces.push(piece), never),
    'network',
  )

  assert.ok(fault.retryable)
  assert.ok('one two three four five'.startsWith(pieces.join('')))
})

const opened = [
  { type: 'message_start', message: { id: 'm', usage: { input_tokens: 1, output_tokens: 1 } } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'half' } },
]

anthropic('M77 what ends without an end, in an error or in no JSON has its class', async () => {
  const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'busy' } }
  const refused = { type: 'error', error: { type: 'invalid_request_error', message: 'no' } }
  const endings: readonly (readonly [unknown[], ModelFaultClass])[] = [
    [opened, 'network'],
    [[...opened, overloaded], 'server'],
    [[...opened, refused], 'request'],
    [[...opened, '{not json'], 'request'],
  ]

  for (const [events, expected] of endings) {
    const server = await startModelServer((response) => {
      writeEvents(response, ...events)
      response.end()
    })
    const provider = openAnthropic({ ...server, apiKey: 'k' }, services)
    await faultOf(
      provider.call(callOf(), () => {}, never),
      expected,
    )
    await server.close()
  }
})

anthropic('M78 a silent stream is given up', async () => {
  const clock = manualClock()
  const server = await startModelServer((response) => writeEvents(response, ...opened))
  const provider = openAnthropic({ ...server, apiKey: 'k' }, { ...services, clock })
  let pieces = 0
  const asked = faultOf(
    provider.call(callOf(), () => (pieces += 1), never),
    'network',
  )
  await until(() => pieces === 1, 'piece')

  await clock.pass(limits.modelIdleMs)

  assert.match((await asked).message, /no byte in 120000 ms/)
  await server.close()
})

anthropic('M79 an abort ends the call at once', async ({ mock, provider }) => {
  mock.on({}, { content: 'word '.repeat(200) }, { chunkSize: 5, latency: 20 })
  const control = new AbortController()

  const call = provider.call(callOf(), () => control.abort(), control.signal)

  assert.is((await faultOf(call, 'aborted')).retryable, false)
})

anthropic('M80 the key goes in its header; none goes where there is none', async () => {
  const heard: IncomingHttpHeaders[] = []
  const server = await startModelServer((response, request) => {
    heard.push(request.headers)
    response.writeHead(400).end('{}')
  })
  const before = process.env['ANTHROPIC_API_KEY']
  process.env['ANTHROPIC_API_KEY'] = 'sk-of-the-environment'

  try {
    for (const apiKey of ['k1', null]) {
      const provider = openAnthropic({ ...server, apiKey }, services)
      await provider.call(callOf(), () => {}, never).catch(() => {})
    }
  } finally {
    if (before === undefined) delete process.env['ANTHROPIC_API_KEY']
    else process.env['ANTHROPIC_API_KEY'] = before
    await server.close()
  }

  assert.equal(
    heard.map((headers) => headers['x-api-key']),
    ['k1', undefined],
  )
  assert.ok(!JSON.stringify(heard).includes('sk-of-the-environment'))
})

anthropic('M81 a redirect is not followed with the conversation', async () => {
  const other = await startModelServer((response) => response.end())
  const server = await startModelServer((response) =>
    response.writeHead(307, { location: `${other.baseUrl}/messages` }).end(),
  )
  const provider = openAnthropic({ ...server, apiKey: 'k' }, services)

  await faultOf(
    provider.call(callOf(), () => {}, never),
    'request',
  )

  assert.is(other.requests.length, 0)
  await server.close()
  await other.close()
})

anthropic('M82 a knock shows the key in its header and hears what is said', async () => {
  const heard: (readonly [string | undefined, unknown])[] = []
  let status = 200
  const server = await startModelServer((response, request) => {
    heard.push([request.url, request.headers['x-api-key']])
    response.writeHead(status).end('{}')
  })
  const baseUrl = server.baseUrl.replace(/\/v1$/, '')
  const provider = openAnthropic({ baseUrl, apiKey: 'k' }, services)

  assert.match(await provider.probe(never), /HTTP 200/)
  status = 401
  await faultOf(provider.probe(never), 'auth')

  assert.equal(heard, [
    ['/v1/models', 'k'],
    ['/v1/models', 'k'],
  ])
  await server.close()
})

anthropic('M83 nothing of all this was printed', async ({ mock, provider }) => {
  mock.on({}, { content: 'ok' })
  await provider.call(callOf({ model: 'unknown to the library' }), () => {}, never)

  assert.equal(printed, [])
})

anthropic.run()
