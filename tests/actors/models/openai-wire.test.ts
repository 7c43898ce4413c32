/**
 * The OpenAI provider against exact bytes: headers, malformed streams, silence, floods.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openOpenAi } from '../../../actors/models/openai.ts'
import {
  type ModelAnswer,
  ModelFault,
  type ModelFaultClass,
} from '../../../actors/models/provider.ts'
import { type Clock, silentLog, systemChance, systemClock } from '../../../actors/services.ts'
import { limits } from '../../../protocol/limits.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { faultOf, never, plainCall } from '../../support/model-scene.ts'
import {
  delta,
  type ModelServer,
  startModelServer,
  writeEvents,
} from '../../support/model-server.ts'

interface Scene {
  answer: (response: ServerResponse, request: IncomingMessage) => void
  server: ModelServer
}

const wire = suite<Scene>('openai wire')

wire.before.each(async (scene) => {
  scene.answer = () => {}
  scene.server = await startModelServer((response, request) => scene.answer(response, request))
})

wire.after.each(async ({ server }) => server.close())

const call = plainCall('m', 'hi', '')

function ask(
  { server }: Scene,
  onDelta: (piece: string) => void = () => {},
  clock: Clock = systemClock,
  signal: AbortSignal = never,
): Promise<ModelAnswer> {
  const services = { clock, chance: systemChance, log: silentLog }
  return openOpenAi({ baseUrl: server.baseUrl, apiKey: null }, services).call(call, onDelta, signal)
}

wire('M20 Retry-After is read in seconds, as a date and as milliseconds', async (scene) => {
  const clock = { ...systemClock, now: () => Date.UTC(2026, 0, 1) }
  const cases: readonly (readonly [Record<string, string>, number | null])[] = [
    [{ 'retry-after': '3' }, 3_000],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:01:30 GMT' }, 90_000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'retry-after': '2', 'retry-after-ms': '1500' }, 1_500],
    [{ 'retry-after': 'soon' }, null],
    [{}, null],
  ]

  for (const [headers, expected] of cases) {
    scene.answer = (response) => response.writeHead(429, headers).end('{}')
    const fault = await faultOf(
      ask(scene, () => {}, clock),
      'rate',
    )
    assert.is(fault.retryAfterMs, expected, JSON.stringify(headers))
  }
})

wire('M21 a stream that ends without a finish reason is a network fault', async (scene) => {
  scene.answer = (response) => {
    writeEvents(response, delta('half'), '[DONE]')
    response.end()
  }
  const pieces: string[] = []

  const fault = await faultOf(
    ask(scene, (piece) => pieces.push(piece)),
    'network',
  )

  assert.match(fault.message, /without a finish reason/)
  assert.equal(pieces, ['half'])
})

wire('M22 an answer that is no stream of events is no answer', async (scene) => {
  for (const body of ['<html>', '{"choices":[]}', '']) {
    scene.answer = (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(body)
    await faultOf(ask(scene), 'network')
  }
  scene.answer = (response) => {
    writeEvents(response, delta('x'), '{not json')
    response.end()
  }
  await faultOf(ask(scene), 'request')
})

wire('M23 an error in the stream is classified by what it is called', async (scene) => {
  const reports: readonly (readonly [object, ModelFaultClass])[] = [
    [{ message: 'slow', type: 'rate_limit_exceeded' }, 'rate'],
    [{ message: 'busy', type: 'overloaded_error' }, 'server'],
    [{ message: 'who', type: 'authentication_error' }, 'auth'],
    [{ message: 'long', code: 'context_length_exceeded' }, 'request'],
  ]

  for (const [error, expected] of reports) {
    scene.answer = (response) => {
      writeEvents(response, delta('x'), { error })
      response.end()
    }
    await faultOf(ask(scene), expected)
  }
})

wire(
  'M24 PR14 a silent stream is given up; a comment of the server is no silence',
  async (scene) => {
    const clock = manualClock()
    let response: ServerResponse | undefined
    scene.answer = (opened) => {
      response = opened
      writeEvents(opened, delta('x'))
    }
    let pieces = 0
    const asked = faultOf(
      ask(scene, () => (pieces += 1), clock),
      'network',
    )
    const until = async (done: () => boolean): Promise<void> => {
      while (!done()) await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => pieces === 1)

    await clock.pass(limits.modelIdleMs - 1)
    response?.write(': still thinking\n\n')
    await until(() => clock.due()[0] === limits.modelIdleMs)
    const gone = new Promise<void>((resolve) => response?.once('close', () => resolve()))
    await clock.pass(limits.modelIdleMs)

    assert.match((await asked).message, /no byte in 120000 ms/)
    await gone
    assert.equal(clock.due(), [])
  },
)

wire('M25 F38 a server that never answers is given up too', async (scene) => {
  const clock = manualClock()
  const asked = faultOf(
    ask(scene, () => {}, clock),
    'network',
  )
  while (scene.server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))

  await clock.pass(limits.modelIdleMs)

  assert.match((await asked).message, /no byte/)
})

wire('M26 F38 an answer larger than a body is refused', async (scene) => {
  const piece = 'x'.repeat(64 * 1024)
  scene.answer = (response) => {
    for (let sent = 0; sent <= limits.modelTextBytesMax; sent += piece.length) {
      writeEvents(response, delta(piece))
    }
    response.end()
  }

  const fault = await faultOf(ask(scene), 'request')

  assert.match(fault.message, /more than 1048576 bytes of text/)
})

wire('M27 F38 a refused and a reset connection are network faults', async (scene) => {
  scene.answer = (response) => response.socket?.resetAndDestroy()
  await faultOf(ask(scene), 'network')
  await scene.server.close()

  const fault = await faultOf(ask(scene), 'network')

  assert.match(fault.message, /ECONNREFUSED/)
  scene.server = await startModelServer(() => {})
})

wire('M28 a redirect is not followed with the conversation', async (scene) => {
  const other = await startModelServer((response) => response.end())
  try {
    scene.answer = (response) => response.writeHead(307, { location: `${other.baseUrl}/x` }).end()

    await faultOf(ask(scene), 'request')

    assert.is(other.requests.length, 0)
  } finally {
    await other.close()
  }
})

wire('M29 a long error text is cut', async (scene) => {
  scene.answer = (response) => {
    response.writeHead(400, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: { message: 'x'.repeat(100_000) } }))
  }

  const fault = await faultOf(ask(scene), 'request')

  assert.ok(fault.message.length <= limits.modelFaultCharsMax + 20)
})

wire('M30 the server sees an abort', async (scene) => {
  const control = new AbortController()
  const gone = new Promise<void>((resolve) => {
    scene.answer = (response) => {
      response.once('close', resolve)
      writeEvents(response, delta('one'))
    }
  })

  const asked = faultOf(
    ask(scene, () => control.abort(), systemClock, control.signal),
    'aborted',
  )

  await asked
  await gone
})

wire(
  'M31 a listener that throws ends the call with its fault, and the request with it',
  async (scene) => {
    const gone = new Promise<void>((resolve) => {
      scene.answer = (response) => {
        response.once('close', resolve)
        writeEvents(response, delta('one'))
      }
    })
    const refuse = (): void => {
      throw new ModelFault('the journal is closed', 'request')
    }

    const fault = await faultOf(ask(scene, refuse), 'request')

    assert.is(fault.message, 'the journal is closed')
    await gone
  },
)

wire.run()
