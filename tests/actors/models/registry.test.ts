/**
 * The models of a configuration, and the one that is always there.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ModelCall, ModelFault } from '../../../actors/models/provider.ts'
import { openModels } from '../../../actors/models/registry.ts'
import { silentLog, systemChance, systemClock } from '../../../actors/services.ts'
import { resolveConfig } from '../../../protocol/config/defaults.ts'
import { limits } from '../../../protocol/limits.ts'
import { delta, startModelServer, writeEvents } from '../../support/model-server.ts'

const models = suite('models')

const services = { clock: systemClock, chance: systemChance, log: silentLog }
const never = new AbortController().signal

function callOf(text: string): ModelCall {
  return {
    model: 'echo',
    system: '',
    messages: [
      { role: 'user', text },
      { role: 'assistant', text: 'before' },
    ],
    thinking: 'off',
    maxOutputTokens: null,
  }
}

models('M40 echo answers with what the user said last, word by word', async () => {
  const { provider } = openModels(resolveConfig({}), services, {})
  const pieces: string[] = []

  const answer = await provider('echo')!.call(
    callOf(' grüß  dich\n🐟 '),
    (piece) => pieces.push(piece),
    never,
  )

  assert.equal(answer, {
    text: 'echo:  grüß  dich\n🐟 ',
    inputTokens: 0,
    outputTokens: 0,
    finish: 'stop',
    toolCalls: [],
  })
  assert.equal(pieces, ['echo:  ', 'grüß  ', 'dich\n', '🐟 '])
})

models('M41 echo needs no turn of the event loop, and few pieces for a long text', async () => {
  const { provider } = openModels(resolveConfig({}), services, {})
  let turned = false
  setImmediate(() => {
    turned = true
  })
  let pieces = 0

  const answer = await provider('echo')!.call(
    callOf('word '.repeat(100_000)),
    () => (pieces += 1),
    never,
  )

  assert.not.ok(turned)
  assert.ok(pieces <= limits.echoPiecesMax && pieces > 100)
  assert.is(answer.text.length, 500_006)
})

models('M42 echo can be aborted between two words', async () => {
  const { provider } = openModels(resolveConfig({}), services, {})
  const control = new AbortController()
  const pieces: string[] = []

  const thrown = await provider('echo')!
    .call(
      callOf('a b c'),
      (piece) => {
        pieces.push(piece)
        if (pieces.length === 2) control.abort()
      },
      control.signal,
    )
    .catch((fault: unknown) => fault)

  assert.ok(thrown instanceof ModelFault && thrown.class === 'aborted')
  assert.equal(pieces, ['echo: ', 'a '])
})

models('M43 a full name leads to its provider, its own id and its longest answer', () => {
  const config = resolveConfig({
    models: {
      providers: {
        home: { baseUrl: 'http://127.0.0.1:1/v1', models: [{ id: 'meta/llama', maxTokens: 5 }] },
      },
    },
  })
  const { find, provider } = openModels(config, services, {})

  assert.equal(
    [find('home/meta/llama')?.model, find('home/meta/llama')?.maxOutputTokens],
    ['meta/llama', 5],
  )
  assert.equal([find('home/x')?.maxOutputTokens, find('ollama/x')?.model], [null, 'x'])
  assert.is(find('home/constructor')?.maxOutputTokens, null)
  assert.is(find('echo')?.provider, provider('echo'))
  for (const name of ['nowhere/x', 'gpt', '', '__proto__/x', 'constructor'])
    assert.is(find(name), null, name)
  assert.is(provider('toString'), null)
})

models(
  'M44 a key that the environment lacks is an auth fault, and nothing is dialled',
  async () => {
    const { provider } = openModels(resolveConfig({}), services, {})

    const thrown = await provider('openai')!
      .call(callOf('x'), () => {}, never)
      .catch((fault: unknown) => fault)

    assert.ok(thrown instanceof ModelFault && thrown.class === 'auth')
    assert.match(String(thrown), /OPENAI_API_KEY is not set/)
  },
)

models(
  'M45 a configured provider is asked with its own key, and not with the environment',
  async () => {
    const keys: (string | undefined)[] = []
    const server = await startModelServer((response, request) => {
      keys.push(request.headers.authorization)
      writeEvents(response, delta('hello', 'stop'), '[DONE]')
      response.end()
    })
    const config = resolveConfig({
      models: {
        providers: {
          home: { baseUrl: `${server.baseUrl}/`, apiKey: 'k1' },
          openai: { baseUrl: server.baseUrl },
        },
      },
    })
    const { provider } = openModels(config, services, { OPENAI_API_KEY: 'sk-hunter2' })

    const answer = await provider('home')!.call(callOf('x'), () => {}, never)
    await provider('openai')!.call(callOf('x'), () => {}, never)
    await server.close()

    assert.is(answer.text, 'hello')
    assert.equal(keys, ['Bearer k1', undefined])
  },
)

models.run()
