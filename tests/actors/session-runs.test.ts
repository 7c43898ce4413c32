/** Runs of sessions over the wire: what is in flight, aborts, and who waits for an end. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readRecords } from '../support/kernel.ts'
import { delta, writeEvents } from '../support/model-server.ts'
import {
  begin,
  closeWorld,
  code,
  KEY,
  messagesOf,
  openWorld,
  path,
  type SessionsWorld,
  textsOf,
} from '../support/sessions.ts'
import { until } from '../support/wait.ts'

const MAIN = 'agent:main:main'

const sessions = suite<SessionsWorld>('runs of sessions')
sessions.before.each(openWorld)
sessions.after.each(closeWorld)

sessions(
  'SE8 PR14 the answer in flight is shown, and an abort ends it and what is queued',
  async (world) => {
    const { client, calls, house } = world
    const running = await begin(world, 'long', { runKey: 'mine' })
    const queued = await client.request('agent', { message: 'next', sessionKey: KEY })
    const [call] = calls
    assert.ok(call !== undefined)
    writeEvents(call, delta('so '), delta('far'))
    await client.event('agent.delta', ({ index }) => index === 1)

    const shown = await client.request('sessions.history', { key: KEY })
    const aborted = await client.request('sessions.abort', { key: KEY })

    const inFlight = shown.payload['inFlight'] as Record<string, unknown>
    assert.equal([inFlight['text'], inFlight['runKey']], ['so far', 'mine'])
    assert.equal(
      messagesOf(shown).map(({ status }) => status),
      ['running', 'queued'],
    )
    const runIds = [running.payload['runId'], queued.payload['runId']]
    assert.equal(aborted.payload['aborted'], runIds)
    for (const id of runIds) {
      const done = await client.event('agent.done', ({ runId }) => runId === id)
      assert.equal([done.payload['status'], done.payload['text']], ['aborted', ''])
    }
    const quiet = await client.request('sessions.history', { key: KEY })
    assert.equal([quiet.payload['inFlight'], textsOf(quiet)], [null, ['long', 'next']])
    const isLate = () =>
      readRecords(house.store).some(
        ({ event, ignored }) => event.type === 'run.finished' && ignored !== null,
      )
    await until(isLate, 'late end of the run that is ignored')
  },
)

sessions('SE9 an abort by the client’s own name ends that run only', async (world) => {
  const { client } = world
  await begin(world, 'long')
  const queued = await client.request('agent', {
    message: 'next',
    sessionKey: KEY,
    idempotencyKey: 'mine',
    runKey: 'mine',
  })

  const aborted = await client.request('sessions.abort', { runId: 'mine' })
  const again = await client.request('sessions.abort', { runId: 'mine' })
  const other = await client.request('sessions.abort', { key: MAIN, runId: 'mine' })
  const neither = await client.request('sessions.abort', {})

  assert.equal(aborted.payload['aborted'], [queued.payload['runId']])
  assert.equal([again.payload['aborted'], other.payload['aborted']], [[], []])
  assert.equal([code(neither), path(neither)], ['INVALID_REQUEST', 'key'])
})

sessions('SE10 agent.wait tells the end of a run, now, later, or that it lasts', async (world) => {
  const { client, calls } = world
  const running = await begin(world, 'long', { idempotencyKey: 'mine' })
  const { runId } = running.payload
  const early = await client.request('agent.wait', { runId, timeoutMs: 0 })
  const waiting = client.request('agent.wait', { runId: 'mine' })
  const [call] = calls
  assert.ok(call !== undefined)
  writeEvents(call, delta('done', 'stop'), '[DONE]')
  call.end()

  const end = await waiting
  const late = await client.request('agent.wait', { runId })

  assert.equal([early.payload['status'], early.payload['endedAt']], ['timeout', null])
  assert.equal(
    [end.payload['status'], end.payload['text'], end.payload['runId']],
    ['ok', 'done', runId],
  )
  assert.ok(Number(end.payload['startedAt']) <= Number(end.payload['endedAt']))
  assert.equal([late.payload['status'], late.payload['text']], ['ok', 'done'])
  const unknown = await client.request('agent.wait', { runId: 'nobody' })
  assert.equal([code(unknown), path(unknown)], ['NOT_FOUND', 'runId'])
})

sessions('SE11 who waits hears of an abort and of a failure', async (world) => {
  const { client, calls } = world
  const first = await begin(world, 'long')
  const { runId } = first.payload
  const waiting = client.request('agent.wait', { runId })
  await client.request('sessions.reset', { key: KEY })
  const second = await begin(world, 'again')
  const failing = client.request('agent.wait', { runId: second.payload['runId'] })
  calls.at(-1)?.writeHead(401, { 'content-type': 'application/json' }).end('{}')

  const failed = await failing
  const late = await client.request('agent.wait', { runId })

  assert.is((await waiting).payload['status'], 'aborted')
  assert.is(late.payload['status'], 'aborted')
  assert.equal([failed.payload['status'], failed.payload['fault']], ['error', 'auth'])
  const lateFailed = await client.request('agent.wait', { runId: second.payload['runId'] })
  assert.equal([lateFailed.payload['status'], lateFailed.payload['fault']], ['error', 'auth'])
})

sessions('SE17 agent.abort ends a queued run too, once', async (world) => {
  const { client } = world
  await begin(world, 'long')
  const { payload } = await client.request('agent', { message: 'next', sessionKey: KEY })
  const { runId } = payload

  const first = await client.request('agent.abort', { runId })
  const again = await client.request('agent.abort', { runId })
  const unknown = await client.request('agent.abort', { runId: 'nobody' })

  assert.equal([first.payload['aborted'], again.payload['aborted']], [true, false])
  assert.is(code(unknown), 'NOT_FOUND')
  const done = await client.event('agent.done', (told) => told['runId'] === runId)
  assert.is(done.payload['status'], 'aborted')
})

sessions.run()
