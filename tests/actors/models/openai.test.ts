/**
 * The OpenAI provider against a server that nobody here wrote: aimock.
 */
import * as assert from 'uvu/assert'
import { openOpenAi } from '../../../actors/models/openai.ts'
import type { ModelCall, ModelFaultClass } from '../../../actors/models/provider.ts'
import {
  faultOf,
  modelServices as services,
  modelSuite,
  never,
  plainCall,
} from '../../support/model-scene.ts'

const { test: openai, printed } = modelSuite('openai models', (url) =>
  openOpenAi({ baseUrl: `${url}/v1`, apiKey: 'sk-hunter2' }, services),
)

const callOf = (change: Partial<ModelCall> = {}): ModelCall => ({
  ...plainCall('llama3.2', 'hello', 'be brief'),
  ...change,
})

openai(
  'M1 an answer streams in pieces and comes back whole, with its tokens',
  async ({ mock, provider }) => {
    const content = 'Der Reiher 🐟\n  steht  im Wasser.'
    const usage = { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 }
    mock.on({ userMessage: 'hello' }, { content, usage }, { chunkSize: 3 })
    const pieces: string[] = []

    const answer = await provider.call(callOf(), (piece) => pieces.push(piece), never)

    const counted = { inputTokens: 12, outputTokens: 7 }
    assert.equal(answer, { text: content, ...counted, finish: 'stop', toolCalls: [] })
    assert.is(pieces.join(''), content)
    assert.ok(pieces.length > 5)
  },
)

openai('M2 the request holds the texts unchanged, as plain strings', async ({ mock, provider }) => {
  const text = `  führend\r\n\ttabs \u0000 🐟 "quotes" \\ ${'ü'.repeat(50_000)}  `
  let body: unknown
  const keep = (request: unknown): boolean => {
    body = request // The journal keeps the first 64 KB only.
    return true
  }
  mock.on({ predicate: keep }, { content: 'ok' })
  const messages = [
    { role: 'user', text: 'first ' },
    { role: 'assistant', text: ' second' },
    { role: 'user', text },
  ] as const

  await provider.call(callOf({ messages }), () => {}, never)

  assert.equal(Reflect.get(Object(body), 'messages'), [
    { role: 'system', content: 'be brief' },
    { role: 'user', content: 'first ' },
    { role: 'assistant', content: ' second' },
    { role: 'user', content: text },
  ])
  assert.is(Reflect.get(Object(body), 'model'), 'llama3.2')
  assert.is(Reflect.get(Object(body), 'stream'), true)
  assert.is(mock.getLastRequest()?.path, '/v1/chat/completions')
})

openai(
  'M3 thinking becomes an effort, and only what is asked for is sent',
  async ({ mock, provider }) => {
    mock.on({}, { content: 'ok' })

    for (const thinking of ['off', 'minimal', 'low', 'medium', 'high', 'xhigh'] as const) {
      await provider.call(callOf({ thinking }), () => {}, never)
    }
    await provider.call(callOf({ system: '', maxOutputTokens: 99 }), () => {}, never)

    const bodies = mock.getRequests().map(({ body }) => body as unknown as Record<string, unknown>)
    assert.equal(
      bodies.map((body) => body['reasoning_effort']),
      [undefined, 'minimal', 'low', 'medium', 'high', 'high', undefined],
    )
    assert.equal(
      bodies.map((body) => body['max_tokens']),
      [undefined, undefined, undefined, undefined, undefined, undefined, 99],
    )
    assert.equal(bodies.at(-1)?.['messages'], [{ role: 'user', content: 'hello' }])
  },
)

openai('M4 every refusal has its class, and nothing is asked twice', async ({ mock, provider }) => {
  const refusals: readonly (readonly [number, ModelFaultClass])[] = [
    [400, 'request'],
    [401, 'auth'],
    [403, 'auth'],
    [404, 'request'],
    [408, 'server'],
    [422, 'request'],
    [429, 'rate'],
    [500, 'server'],
    [503, 'server'],
    [529, 'server'],
  ]

  for (const [status, expected] of refusals) {
    mock.nextRequestError(status, { message: `no (${status}) for sk-hunter2`, type: 'test' })
    const fault = await faultOf(
      provider.call(callOf(), () => {}, never),
      expected,
    )
    assert.match(fault.message, `HTTP ${status}: no (${status}) for ***`)
  }

  assert.is(mock.getRequests().length, refusals.length)
})

openai('M5 a rate limit tells how long to wait', async ({ mock, provider }) => {
  mock.on(
    {},
    { error: { message: 'slow down', type: 'rate_limit_error' }, status: 429, retryAfter: 7 },
  )

  const fault = await faultOf(
    provider.call(callOf(), () => {}, never),
    'rate',
  )

  assert.equal([fault.retryAfterMs, fault.retryable], [7_000, true])
})

openai(
  'M6 a stream that is cut is a network fault, after the pieces that came',
  async ({ mock, provider }) => {
    mock.on(
      {},
      { content: 'one two three four five' },
      { chunkSize: 4, latency: 10, truncateAfterChunks: 3 },
    )
    const pieces: string[] = []

    const fault = await faultOf(
      provider.call(callOf(), (piece) => pieces.push(piece), never),
      'network',
    )

    assert.ok(fault.retryable)
    assert.ok('one two three four five'.startsWith(pieces.join('')))
    assert.ok(pieces.length > 0)
    assert.is(mock.getRequests().length, 1)
  },
)

openai('M7 a link that drops in mid-stream is a network fault', async ({ mock, provider }) => {
  mock.on({}, { content: 'one two three' }, { chunkSize: 2, latency: 30, disconnectAfterMs: 50 })

  await faultOf(
    provider.call(callOf(), () => {}, never),
    'network',
  )
})

openai('M8 an abort ends the call at once', async ({ mock, provider }) => {
  mock.on({}, { content: 'word '.repeat(200) }, { chunkSize: 5, latency: 20 })
  const control = new AbortController()
  let pieces = 0

  const call = provider.call(
    callOf(),
    () => {
      pieces += 1
      if (pieces === 3) control.abort()
    },
    control.signal,
  )
  const fault = await faultOf(call, 'aborted')

  assert.is(fault.retryable, false)
  assert.is(pieces, 3)
})

openai('M9 an aborted call asks nothing', async ({ mock, provider }) => {
  mock.on({}, { content: 'ok' })

  await faultOf(
    provider.call(callOf(), () => {}, AbortSignal.abort()),
    'aborted',
  )

  assert.is(mock.getRequests().length, 0)
})

openai(
  'M10 an answer that is cut by length says so; other ends are other',
  async ({ mock, provider }) => {
    for (const [finishReason, finish] of [
      ['length', 'length'],
      ['content_filter', 'other'],
    ] as const) {
      mock.clearFixtures().on({}, { content: 'o', finishReason })
      assert.is((await provider.call(callOf(), () => {}, never)).finish, finish)
    }
  },
)

openai('M11 reasoning is not the answer', async ({ mock, provider }) => {
  mock.on({}, { content: 'answer', reasoning: 'let me think' })
  const pieces: string[] = []

  const answer = await provider.call(
    callOf({ thinking: 'high' }),
    (piece) => pieces.push(piece),
    never,
  )

  assert.is(answer.text, 'answer')
  assert.is(pieces.join(''), 'answer')
})

openai(
  'M12 the key travels as a bearer token, and none where there is none',
  async ({ mock, provider }) => {
    mock.on({}, { content: 'ok' })
    const open = openOpenAi({ baseUrl: `${mock.url}/v1`, apiKey: null }, services)

    await provider.call(callOf(), () => {}, never)
    const withKey = mock.getLastRequest()?.headers['authorization']
    await open.call(callOf(), () => {}, never)

    assert.ok(withKey !== undefined)
    assert.is(mock.getLastRequest()?.headers['authorization'], undefined)
  },
)

openai('M13 nothing of all this was printed', () => {
  assert.equal(printed, [])
})

openai.run()
