/** History over the wire: the same answers as the verbs, bounded, by scope (decisions 24). */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { formatSnapshot, replayStream } from '../../actors/stream.ts'
import { sha256Hex } from '../../protocol/codec.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { openMemory } from '../../store/memory.ts'
import type { Frame } from '../support/client.ts'
import { approved } from '../support/facts.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { openTestKernel, readRecords } from '../support/kernel.ts'

const wire = suite<{ house: TestGateway }>('history-wire')
wire.before.each(async (context) => {
  context.house = await startTestGateway()
})
wire.after.each(({ house }) => house.stop())

type Line = { position: number; stream: string; type: string; bodies?: Record<string, string> }

const linesOf = ({ payload }: Frame) => payload['records'] as Line[]

async function asked(house: TestGateway): Promise<ReturnType<TestGateway['client']>> {
  const client = house.client()
  await client.connect({ subscribe: ['agent'] })
  await client.request('agent', { message: 'what was it', idempotencyKey: 'k1' })
  await client.event('agent.done')
  return client
}

wire(
  'H3.5 history.read gives the records that are in the journal, a page at a time',
  async ({ house }) => {
    const client = await asked(house)
    const all = await client.request('history.read', {})
    const first = await client.request('history.read', { limit: 2 })
    const next = await client.request('history.read', {
      limit: 500,
      range: `#${String(first.payload['next'])}..`,
    })

    const records = readRecords(house.store)
    assert.is(all.payload['schema'], 'openclaw-journal/1')
    assert.equal(
      linesOf(all).map(({ position, type }) => [position, type]),
      records.map(({ position, event }) => [position, event.type]),
    )
    assert.equal([...linesOf(first), ...linesOf(next)], linesOf(all))
    assert.is(all.payload['next'], null)
    const runs = await client.request('history.read', { filter: ['stream=run:*', 'type=effect.*'] })
    assert.equal(
      linesOf(runs).map(({ type }) => type),
      ['effect.done'],
    )
  },
)

wire('H3.5 state.at, state.diff and why.explain answer as the verbs do', async ({ house }) => {
  const client = await asked(house)
  const session = 'main'
  const [accepted] = readRecords(house.store).filter(
    ({ event }) => event.type === 'message.accepted',
  )
  const position = accepted?.position ?? 0

  const then = await client.request('state.at', { session, at: `#${position}` })
  assert.equal([then.payload['value'], then.payload['verified']], ['running', true])
  const before = await client.request('state.at', { session, at: `#${position - 1}` })
  assert.is(before.payload['absent'], true)
  const turn = await client.request('state.at', { session, path: '/turn' })
  assert.is(turn.payload['value'], 1)
  const diff = await client.request('state.diff', { session, from: `#${position}`, to: 'head' })
  assert.equal(diff.payload['values'], ['running', 'idle'])
  const done = readRecords(house.store).findLast(({ event }) => event.type === 'run.finished')
  const why = await client.request('why.explain', { address: `#${done?.position}` })
  const chain = why.payload['chain'] as Line[]
  assert.is(chain.at(-1)?.position, position)
  const not = await client.request('why.explain', { not: `reply-to:#${position}` })
  assert.is(not.payload['verdict'], 'happened')
  const value = await client.request('why.explain', { session, path: '/messages' })
  assert.is(value.payload['by'], done?.position)
})

wire(
  'H3.5 history.subscribe tells of every record that passes, from then on',
  async ({ house }) => {
    const client = await asked(house)
    const { payload } = await client.request('history.subscribe', { filter: ['stream=session:*'] })
    await client.request('agent', { message: 'again' })
    await client.event('history', ({ type }) => type === 'run.finished')
    await client.request('history.subscribe', { off: true })
    await client.request('agent', { message: 'and again', sessionKey: 'agent:main:other' })
    await client.event('agent.done', ({ sessionKey }) => sessionKey === 'agent:main:other')

    const told = client.events
      .filter(({ event }) => event === 'history')
      .map(({ payload }) => payload)
    const since = Number(payload['position'])
    const written = readRecords(house.store).filter(
      ({ position, stream }) => position > since && stream === 'session:agent:main:main',
    )
    assert.equal(
      told.map(({ position }) => position),
      written.map(({ position }) => position),
    )
    const seqs = client.events.map(({ seq }) => seq)
    assert.equal(
      seqs,
      seqs.map((_, index) => index + 1),
    )
  },
)

wire('S56 texts need operator.history, and who read them is a record', async ({ house }) => {
  const owner = await asked(house)
  const shown = await owner.request('history.read', {
    bodies: true,
    filter: ['type=message.accepted'],
  })
  assert.equal(Object.values(linesOf(shown)[0]?.bodies ?? {}), ['what was it'])
  const reading = readRecords(house.store).findLast(({ event }) => event.type === 'bodies.read')
  assert.equal(
    [reading?.event['by'], reading?.event['count'], reading?.ignored],
    ['device-1', 1, null],
  )

  const store = openMemory()
  const tokenHash = sha256Hex('its token')
  const device = { ...approved('reader'), scopes: ['operator.read'], tokenHash }
  await openTestKernel({ store }).tell('pairing:reader', device)
  const other = await startTestGateway({ store })
  const reader = other.client()
  await reader.connect({ deviceId: 'reader', auth: { deviceToken: 'its token' } })
  const skeleton = await reader.request('history.read', {})
  const refused = await reader.request('history.read', { bodies: true })
  await other.stop()

  assert.is(skeleton.ok, true)
  assert.is(refused.error?.code, 'FORBIDDEN')
  assert.equal(refused.error?.details?.['requiredScopes'], ['operator.history'])
})

wire('H3.5 what cannot be asked is refused with the path of the fault', async ({ house }) => {
  const client = await asked(house)
  const refusal = async (method: string, params: object) => {
    const { error } = await client.request(method, params)
    return [error?.code, error?.details?.['path']]
  }

  assert.equal(await refusal('state.at', { at: 'yesterday', session: 'main' }), [
    'INVALID_REQUEST',
    'at',
  ])
  assert.equal(await refusal('state.at', { at: '10:30' }), ['INVALID_REQUEST', 'actor'])
  assert.equal(await refusal('state.at', { session: 'main', path: 'turn' }), [
    'INVALID_REQUEST',
    'path',
  ])
  assert.equal(await refusal('state.at', { session: 'main', path: '/no' }), ['NOT_FOUND', 'path'])
  assert.equal(await refusal('history.read', { filter: ['colour=red'] }), [
    'INVALID_REQUEST',
    'filter',
  ])
  assert.equal(await refusal('history.read', { range: '#3..#1' }), ['INVALID_REQUEST', 'range'])
  assert.equal(await refusal('history.read', { limit: 501 }), ['INVALID_REQUEST', 'limit'])
  // A search through the whole journal is for the command line.
  assert.equal(await refusal('state.at', { at: 'last(type=x)' }), ['INVALID_REQUEST', 'at'])
  assert.equal(await refusal('why.explain', {}), ['INVALID_REQUEST', 'address'])
  assert.equal(await refusal('why.explain', { not: 'colour=red', from: '#1' }), [
    'INVALID_REQUEST',
    'not',
  ])
  assert.equal((await refusal('why.explain', { address: '#999' }))[0], 'NOT_FOUND')
})

wire(
  'H3.7 compacted actors: what is left is answered, what is gone is HISTORY_PRUNED',
  async ({ house }) => {
    const client = await asked(house)
    const { store } = house
    const stream: StreamId = 'session:agent:main:main'
    const { snapshot, version } = replayStream(store, stream, 'none')
    await store.putSnapshot(stream, version, formatSnapshot(snapshot, 'none'))
    const { removed } = await store.compact(stream, version)
    const newest = store.positionOf(stream, version) ?? 0

    const page = await client.request('history.read', { range: `#1..#${newest}` })
    assert.is(page.payload['pruned'], removed)
    assert.is(linesOf(page).length, newest - removed)
    const now = await client.request('state.at', { session: 'main' })
    assert.equal([now.payload['verified'], now.payload['inFlightComplete']], [true, false])
    const run = await client.request('state.at', { actor: 'run:', at: `#${newest - 1}` })
    assert.is(run.payload['verified'], true)
    const why = await client.request('why.explain', { address: `#${newest}` })
    assert.ok((why.payload['chain'] as Line[]).length > 1)
    const gone = [
      await client.request('state.at', { session: 'main', at: `#${newest - 1}` }),
      await client.request('state.diff', { session: 'main', from: `#${newest - 1}`, to: 'head' }),
      await client.request('why.explain', { address: `#${store.positionOf(stream, 1) ?? 0}` }),
      await client.request('why.explain', { session: 'main', path: '/turn' }),
    ]
    for (const { error } of gone) assert.is(error?.code, 'HISTORY_PRUNED')
    assert.is(gone[0]?.error?.details?.['position'], newest)
  },
)

wire.run()
