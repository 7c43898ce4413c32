/** Runs as upstream's clients follow them, frame by frame, over a model that answers when told to. */
import '../../../actors/trap.ts'
import type { ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { cases } from '../../store/cases.ts'
import type { Frame } from '../../support/client.ts'
import { delta, startModelServer, writeEvents } from '../../support/model-server.ts'
import { readRecords } from '../../support/kernel.ts'
import {
  inUpstream,
  KEYLESS,
  type UpstreamClient,
  type UpstreamWorld,
} from '../../support/upstream-client.ts'
import { WITH_TOKEN } from '../../support/upstream.ts'
import { until } from '../../support/wait.ts'

const runs = cases('upstream runs')

type Json = Readonly<Record<string, unknown>>
type NextCall = () => Promise<ServerResponse>

async function over(run: (world: UpstreamWorld, nextCall: NextCall) => Promise<void>) {
  const calls: ServerResponse[] = []
  const model = await startModelServer((response) => calls.push(response))
  const config = {
    ...WITH_TOKEN,
    models: { providers: { slow: { baseUrl: model.baseUrl, apiKey: 'x' } } },
    agents: { defaults: { model: 'slow/one' } },
  }
  const nextCall = async () => {
    await until(() => calls.length > 0, 'call of the model')
    return calls.shift() as ServerResponse
  }
  try {
    await inUpstream((world) => run(world, nextCall), { config })
  } finally {
    await model.close()
  }
}

function finish(call: ServerResponse, text: string): void {
  writeEvents(call, delta(text, 'stop'), '[DONE]')
  call.end()
}

const send = (client: UpstreamClient, key: string) =>
  client.get('chat.send', { sessionKey: 'main', message: 'hi', idempotencyKey: key })
const chat = (client: UpstreamClient, state: string, key = 'k') =>
  client.event('chat', (payload) => payload['state'] === state && payload['runId'] === key)
const textOf = ({ payload }: Frame) =>
  ((payload['message'] as Json)['content'] as { text: string }[])[0]?.text

runs('UR1 a run begins, says more and more, and ends; its seq is its own', () =>
  over(async ({ enter }, nextCall) => {
    const client = await enter()
    await send(client, 'k')
    const call = await nextCall()
    writeEvents(call, delta('so '))
    const first = await chat(client, 'delta')
    const { inFlightRun } = await client.get('chat.history', { sessionKey: 'main' })
    assert.equal([(inFlightRun as Json)['runId'], (inFlightRun as Json)['text']], ['k', 'so '])
    finish(call, 'far')

    const last = await chat(client, 'final')

    assert.equal([textOf(first), first.payload['deltaText']], ['so ', 'so '])
    assert.is(textOf(last), 'so far')
    const told = client.events.filter(({ event }) => event === 'agent' || event === 'chat')
    const said = told.filter(({ payload }) => payload['state'] === 'delta')
    assert.is(said.map(({ payload }) => payload['deltaText']).join(''), 'so far')
    const agent = told.filter(({ event }) => event === 'agent').map(({ payload }) => payload)
    assert.equal(
      agent.map(({ seq }) => seq),
      agent.map((_, index) => index + 1),
    )
    const phases = agent.map(({ stream, data }) => [stream, (data as Json)['phase']])
    assert.equal(
      [phases[0], phases.at(-1)],
      [
        ['lifecycle', 'start'],
        ['lifecycle', 'end'],
      ],
    )
    const ended = agent.at(-1)?.['data'] as Json | undefined
    assert.equal(ended?.['terminalReply'], { disposition: 'visible', text: 'so far' })
  }),
)

runs('UR2 an abort tells what was said until then, and no end follows it', () =>
  over(async ({ enter }, nextCall) => {
    const client = await enter()
    const id = await client.post('agent', { message: 'hi', idempotencyKey: 'k' })
    const call = await nextCall()
    writeEvents(call, delta('so '))
    await chat(client, 'delta')

    const done = await client.get('chat.abort', { sessionKey: 'main', runId: 'k' })

    assert.equal(done, { ok: true, aborted: true, runIds: ['k'] })
    const told = await chat(client, 'aborted')
    assert.equal([textOf(told), told.payload['stopReason']], ['so ', 'rpc'])
    const end = await client.event('agent', ({ data }) => (data as Json)['phase'] === 'end')
    const { status, aborted } = end.payload['data'] as Json
    assert.equal([status, aborted], ['cancelled', true])
    const last = await client.answer(id, 1)
    assert.equal([last.ok, last.error?.code], [false, 'UNAVAILABLE'])
    const waited = await client.get('agent.wait', { runId: 'k' })
    assert.equal([waited['status'], waited['stopReason']], ['error', 'rpc'])
    assert.not.ok(client.events.some(({ payload }) => payload['state'] === 'final'))
  }),
)

runs('UR3 a model that fails is told as an error, in events and answers', () =>
  over(async ({ enter }, nextCall) => {
    const client = await enter()
    const id = await client.post('agent', { message: 'hi', idempotencyKey: 'k' })
    const call = await nextCall()
    call.writeHead(401, { 'content-type': 'application/json' })
    call.end('{"error":{"message":"no"}}')

    const told = await chat(client, 'error')

    assert.match(String(told.payload['errorMessage']), /no answer/)
    const last = await client.answer(id, 1)
    assert.equal([last.ok, last.error?.code], [false, 'UNAVAILABLE'])
    const waited = await client.get('agent.wait', { runId: 'k' })
    assert.is(waited['status'], 'error')
  }),
)

runs('UR4 a run goes on when its client goes, and who comes later hears the rest', () =>
  over(async ({ enter, store }, nextCall) => {
    const passing = await enter(KEYLESS)
    await send(passing, 'k')
    await passing.close()
    const call = await nextCall()
    const isGone = () => readRecords(store).some(({ event }) => event.type === 'connection.closed')
    await until(isGone, 'end of the connection')

    const late = await enter()
    writeEvents(call, delta('so '))
    await chat(late, 'delta')
    finish(call, 'far')

    assert.is(textOf(await chat(late, 'final')), 'so far')
  }),
)

runs('UR5 who waits for a run is answered when its time is over', () =>
  over(async ({ enter }, nextCall) => {
    const client = await enter()
    await send(client, 'k')
    const call = await nextCall()

    const { status } = await client.get('agent.wait', { runId: 'k', timeoutMs: 1 })

    assert.is(status, 'timeout')
    assert.is((await send(client, 'k'))['status'], 'in_flight')
    finish(call, 'done')
    assert.is((await client.get('agent.wait', { runId: 'k' }))['status'], 'ok')
    const list = await client.get('sessions.abort', { key: 'main', runId: 'k' })
    assert.is(list['status'], 'no-active-run')
  }),
)

runs.run()
