/** The OpenAI-compatible door: who may use it, what it takes, and what it leaves. */
import '../../actors/trap.ts'
import { once } from 'node:events'
import { request, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import * as assert from 'uvu/assert'
import { hashPassword } from '../../protocol/auth/password.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { delta, startModelServer, writeEvents } from '../support/model-server.ts'
import { until } from '../support/wait.ts'

const door = cases('completions')

const ON = { http: { endpoints: { chatCompletions: { enabled: true } } } }
const TOKEN = { auth: { mode: 'token', token: 'tok' } }
const GOOD = { authorization: 'Bearer tok' }
const FAR = { 'x-forwarded-for': '203.0.113.7' }
const HI = { model: 'openclaw', messages: [{ role: 'user', content: 'hi' }] }

interface World extends TestGateway {
  readonly post: (body: unknown, headers?: Record<string, string>) => Promise<Response>
  readonly url: string
}

interface Answer {
  readonly choices?: { message: { content: string }; finish_reason: string }[]
  readonly error?: { message: string; type: string }
}

const answerOf = async (response: Response) => (await response.json()) as Answer

async function over(
  run: (world: World) => Promise<void>,
  config: object = { gateway: { ...ON, ...TOKEN } },
): Promise<void> {
  const house = await startTestGateway({ config })
  const url = house.gateway.url.replace('ws:', 'http:')
  const post: World['post'] = (body, headers = GOOD) =>
    fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  try {
    await run({ ...house, post, url })
  } finally {
    await house.stop()
  }
}

door('CD1 it is shut unless it is configured', () =>
  over(
    async ({ post, url }) => {
      assert.is((await post(HI)).status, 405)
      assert.is((await fetch(`${url}/v1/models`, { headers: GOOD })).status, 404)
    },
    { gateway: TOKEN },
  ),
)

door('CD2 a request is a message of a session, answered when its run has ended', () =>
  over(async ({ post, store, url }) => {
    const response = await post({ ...HI, user: 'ann' })

    const { choices } = await answerOf(response)
    assert.is(response.status, 200)
    assert.equal(choices?.[0]?.message, { role: 'assistant', content: 'echo: hi' })
    assert.is(choices?.[0]?.finish_reason, 'stop')
    const accepted = readRecords(store).filter(({ event }) => event.type === 'message.accepted')
    assert.equal(
      accepted.map(({ stream }) => stream),
      ['session:agent:main:openai-user:ann'],
    )
    const models = await fetch(`${url}/v1/models`, { headers: GOOD })
    assert.is(((await models.json()) as { data: { id: string }[] }).data[0]?.id, 'openclaw')
  }),
)

door('CD3 the session is that of the header; what went before is context', () =>
  over(async ({ post, store }) => {
    const messages = [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: [{ type: 'text', text: 'hi' }] },
    ]

    const { choices } = await answerOf(
      await post({ messages }, { ...GOOD, 'x-openclaw-session-key': 'work' }),
    )

    assert.is(choices?.[0]?.message.content, 'echo: [system] be brief\n\nhi')
    assert.ok(store.version('session:agent:main:work') > 0)
    const wrong = await post(HI, { ...GOOD, 'x-openclaw-session-key': 'agent:a:b:c\u00e4' })
    assert.ok(wrong.status === 200 || wrong.status === 400)
  }),
)

door('CD4 without the right token nobody is heard, and nothing is recorded', () =>
  over(async ({ post, store }) => {
    const before = store.head().position

    const missing = await post(HI, {})
    const wrong = await post(HI, { authorization: 'Bearer wrong' })
    const basic = await post(HI, { authorization: 'Basic dG9rOg==' })

    assert.equal([missing.status, wrong.status, basic.status], [401, 401, 401])
    assert.is((await answerOf(wrong)).error?.type, 'unauthorized')
    assert.is(store.head().position, before)
  }),
)

door('CD5 without a secret configured only programs right here are heard', () =>
  over(
    async ({ post, url }) => {
      assert.is((await post(HI, {})).status, 200)
      assert.is((await post(HI, FAR)).status, 401)
      assert.is((await post(HI, { ...GOOD, ...FAR })).status, 401)
      assert.is((await post(HI, { origin: url })).status, 401)
    },
    { gateway: ON },
  ),
)

door('CD6 ten wrong tokens lock it, right or wrong', () =>
  over(async ({ post }) => {
    for (let time = 0; time < limits.authFailuresMax; time += 1) {
      assert.is((await post(HI, { ...FAR, authorization: `Bearer no${time}` })).status, 401)
    }

    const locked = await post(HI, { ...FAR, ...GOOD })

    assert.is(locked.status, 429)
    assert.is((await answerOf(locked)).error?.type, 'rate_limit_exceeded')
    assert.is((await post(HI)).status, 200, 'who is right here is not locked out')
  }),
)

/** Posts from one of this machine's many addresses; resolves with the status. */
function postFrom(url: string, localAddress: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { ...FAR, authorization: 'Bearer pass' }
    const asked = request(`${url}/v1/models`, { headers, localAddress }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    asked.on('error', reject)
    asked.end()
  })
}

door('CD7 a crowd that nobody could look at locks nobody out', async () => {
  const password = await hashPassword('pass', Buffer.alloc(16, 7))
  await over(
    async ({ url }) => {
      const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4']
      const seen = new Set<number>()
      for (let time = 0; time < 4; time += 1) {
        const crowd = addresses.flatMap((address) =>
          Array.from({ length: limits.authFailuresMax }, () => postFrom(url, address)),
        )
        for (const status of await Promise.all(crowd)) seen.add(status)
      }

      assert.equal(
        [...seen].toSorted((a, b) => a - b),
        [200, 503],
      )
      for (const address of addresses) assert.is(await postFrom(url, address), 200)
    },
    { gateway: { ...ON, auth: { mode: 'password', password } } },
  )
})

door('CD8 what is no such request is refused with why, and no record', () =>
  over(async ({ post, store }) => {
    const before = store.head().position
    for (const body of [
      '{',
      '[]',
      'null',
      {},
      { messages: [] },
      { messages: [{ role: 'user', content: '' }] },
      { messages: [{ role: 'king', content: 'x' }] },
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: 'x' }] }] },
      { ...HI, stream: 'yes' },
      { ...HI, user: '' },
    ]) {
      const response = await post(body)
      assert.is(response.status, 400, JSON.stringify(body))
      assert.is((await answerOf(response)).error?.type, 'invalid_request_error')
    }
    assert.is(store.head().position, before)
  }),
)

door('CD9 a body that is too large is told so, and is not read to its end', () =>
  over(async ({ url }) => {
    const { port } = new URL(url)
    const socket = connect({ port: Number(port), host: '127.0.0.1' })
    let heard = ''
    socket.on('data', (data: Buffer) => (heard += data.toString()))
    socket.on('error', () => {}) // It may be gone before all is written.
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer tok\r\n`,
    )
    socket.write(`content-length: ${10 * limits.completionBytesMax}\r\n\r\n`)
    socket.write('x'.repeat(limits.completionBytesMax + 1))

    await once(socket, 'close')

    assert.match(heard, /^HTTP\/1\.1 413 /)
  }),
)

/** A model that answers when told to. */
async function withModel(run: (world: World, calls: ServerResponse[]) => Promise<void>) {
  const calls: ServerResponse[] = []
  const model = await startModelServer((response) => calls.push(response))
  const providers = { slow: { baseUrl: model.baseUrl, apiKey: 'x' } }
  const agents = { defaults: { model: 'slow/one' } }
  try {
    await over((world) => run(world, calls), {
      gateway: { ...ON, ...TOKEN },
      models: { providers },
      agents,
    })
  } finally {
    await model.close()
  }
}

door('CD10 a stream brings the pieces as they come, then its end', () =>
  withModel(async ({ post }, calls) => {
    const asked = post({ ...HI, stream: true })
    const call = await until(() => calls[0] ?? null, 'call of the model')
    const response = await asked // It is answered before the model is.
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/)

    writeEvents(call, delta('so '), delta('far', 'stop'), '[DONE]')
    call.end()

    const lines = (await response.text()).split('\n\n').filter((line) => line !== '')
    assert.is(lines.at(-1), 'data: [DONE]')
    const chunks = lines.slice(0, -1).map(
      (line) =>
        JSON.parse(line.slice('data: '.length)) as {
          object: string
          choices: { delta: { content?: string }; finish_reason: string | null }[]
        },
    )
    const said = chunks.map(({ choices: [choice] }) => choice?.delta.content ?? '').join('')
    assert.is(said, 'so far')
    assert.is(chunks.at(-1)?.choices[0]?.finish_reason, 'stop')
    assert.ok(chunks.every(({ object }) => object === 'chat.completion.chunk'))
  }),
)

door('CD11 a client that goes leaves the run, and its place when the run has ended', () =>
  withModel(async ({ url, store, post }, calls) => {
    const gone = new AbortController()
    const asked = fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: GOOD,
      body: JSON.stringify({ ...HI, stream: true, user: 'gone' }),
      signal: gone.signal,
    })
    const call = await until(() => calls[0] ?? null, 'call of the model')
    await asked
    gone.abort()

    writeEvents(call, delta('so '), delta('far', 'stop'), '[DONE]')
    call.end()

    const hasEnded = () => readRecords(store).some(({ event }) => event.type === 'run.finished')
    await until(hasEnded, 'end of the run')
    const next = post(HI)
    const second = await until(() => calls[1] ?? null, 'next call')
    writeEvents(second, delta('well', 'stop'), '[DONE]')
    second.end()
    assert.is((await answerOf(await next)).choices?.[0]?.message.content, 'well')
  }),
)

door('CD12 a model that fails is a fault of the answer, not of the door', () =>
  withModel(async ({ post }, calls) => {
    const asked = post(HI)
    const call = await until(() => calls[0] ?? null, 'call of the model')
    call.writeHead(401, { 'content-type': 'application/json' })
    call.end('{"error":{"message":"no"}}')

    const response = await asked

    assert.is(response.status, 502)
    assert.is((await answerOf(response)).error?.type, 'api_error')
  }),
)

door('CD13 a request that is tried again under its key is answered from the first one', () =>
  withModel(async ({ post, store }, calls) => {
    const keyed = { ...GOOD, 'idempotency-key': 'retry-1' }
    const first = post(HI, keyed)
    const call = await until(() => calls[0] ?? null, 'call of the model')
    const again = post({ ...HI, stream: true }, keyed)
    writeEvents(call, delta('so '), delta('far', 'stop'), '[DONE]')
    call.end()

    assert.is((await answerOf(await first)).choices?.[0]?.message.content, 'so far')
    assert.match(await (await again).text(), /"content":"so far"[\s\S]*\[DONE\]/)
    const late = await answerOf(await post(HI, keyed))
    assert.is(late.choices?.[0]?.message.content, 'so far')
    assert.is(calls.length, 1)
    const accepted = readRecords(store).filter(({ event }) => event.type === 'message.accepted')
    assert.is(accepted.length, 1)
    const other = { ...HI, messages: [{ role: 'user', content: 'ho' }] }
    assert.is((await post(other, keyed)).status, 422)
    assert.is((await post({ ...HI, user: 'ann' }, keyed)).status, 422)
    assert.is((await post(HI, { ...GOOD, 'idempotency-key': 'x'.repeat(129) })).status, 400)
    assert.is(calls.length, 1)
  }),
)

door.run()
