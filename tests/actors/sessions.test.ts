/** Sessions over the wire: what is settled, generations, their messages. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import { openMemory } from '../../store/memory.ts'
import type { Frame } from '../support/client.ts'
import { startTestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import {
  closeWorld,
  code,
  KEY,
  type Message,
  messagesOf,
  openWorld,
  path,
  type SessionsWorld,
  talk,
  textsOf,
} from '../support/sessions.ts'

const sessions = suite<SessionsWorld>('sessions')
sessions.before.each(openWorld)
sessions.after.each(closeWorld)

sessions('SE1 a session is created with a label and found by it', async ({ client }) => {
  const made = await client.request('sessions.create', { label: 'Home' })
  const again = await client.request('sessions.create', { key: String(made.payload['key']) })
  await client.request('sessions.create', { key: 'other' })

  assert.equal([made.payload['created'], again.payload['created']], [true, false])
  assert.is(made.payload['sessionId'], again.payload['sessionId'])
  const told = await client.event('session')
  assert.equal(
    [told.payload['key'], told.payload['sessionId'], told.payload['reason']],
    [made.payload['key'], made.payload['sessionId'], 'created'],
  )
  for (const wanted of [{ label: 'Home' }, { search: 'hom' }]) {
    const { payload } = await client.request('sessions.list', wanted)
    const rows = payload['sessions'] as { key: string }[]
    assert.equal(
      rows.map(({ key }) => key),
      [made.payload['key']],
    )
  }
  const taken = await client.request('sessions.patch', { key: 'other', label: 'Home' })
  assert.equal([code(taken), path(taken)], ['INVALID_REQUEST', 'label'])
})

sessions('SE2 lists come in pages, with and without what is archived', async ({ client }) => {
  for (const key of ['a', 'b', 'c']) await client.request('sessions.create', { key })
  await client.request('sessions.patch', { key: 'b', archived: true })

  const page = await client.request('sessions.list', { limit: 2 })
  const rest = await client.request('sessions.list', { limit: 2, offset: 2 })
  const shown = await client.request('sessions.list', { archived: false })
  const hidden = await client.request('sessions.list', { archived: true })

  const count = ({ payload }: Frame) => (payload['sessions'] as unknown[]).length
  assert.equal([count(page), page.payload['nextOffset'], page.payload['total']], [2, 2, 3])
  assert.equal([count(rest), rest.payload['nextOffset']], [1, null])
  assert.equal([count(shown), count(hidden)], [2, 1])
  assert.equal(Object.keys(shown.payload), ['sessions'])
  await client.event('session', ({ reason }) => reason === 'archived')
})

sessions(
  'SE3 a session’s model and thinking hold unless a message names its own',
  async (world) => {
    const { client, house } = world
    await client.request('sessions.create', { key: KEY, model: 'slow/one', thinking: 'high' })
    await client.request('agent', { message: 'a', sessionKey: KEY })
    await client.request('agent', { message: 'b', sessionKey: KEY, thinking: 'low' })
    await client.request('sessions.patch', { key: KEY, model: null, thinking: null })
    await client.request('agent', { message: 'c', sessionKey: KEY })

    const accepted = readRecords(house.store).filter(
      ({ event }) => event.type === 'message.accepted',
    )
    assert.equal(
      accepted.map(({ event }) => [event['model'], event['thinking']]),
      [
        ['slow/one', 'high'],
        ['slow/one', 'low'],
        ['echo', 'off'],
      ],
    )
    const unknown = await client.request('sessions.patch', { key: KEY, model: 'nobody/x' })
    assert.equal([code(unknown), path(unknown)], ['INVALID_REQUEST', 'model'])
  },
)

sessions(
  'SE4 history tells messages with their runs, oldest first, dense from 1',
  async (world) => {
    const { client } = world
    await talk(client, 'one', { runKey: 'mine' })
    await talk(client, 'two')

    const answer = await client.request('sessions.history', { key: KEY })

    assert.equal(
      messagesOf(answer).map(({ seq, role, text }) => [seq, role, text]),
      [
        [1, 'user', 'one'],
        [2, 'assistant', 'echo: one'],
        [3, 'user', 'two'],
        [4, 'assistant', 'echo: two'],
      ],
    )
    const [first, second, third] = messagesOf(answer)
    assert.equal(
      [first?.['runKey'], second?.['runKey'], second?.['model']],
      ['mine', 'mine', 'echo'],
    )
    assert.is(first?.runId, second?.runId)
    assert.ok(second?.['usage'] !== undefined && third !== undefined && !('runKey' in third))
    assert.equal(
      [answer.payload['total'], answer.payload['hasMore'], answer.payload['inFlight']],
      [4, false, null],
    )
  },
)

sessions('SE5 pages join without gap or overlap, whatever comes meanwhile', async ({ client }) => {
  for (const n of [1, 2, 3]) await talk(client, `m${n}`)
  const seen: Message[] = []
  let before: unknown
  for (;;) {
    const cursor = before === undefined ? {} : { before }
    const page = await client.request('sessions.history', { key: KEY, limit: 4, ...cursor })
    seen.unshift(...messagesOf(page))
    before = page.payload['nextBefore']
    assert.is(page.payload['hasMore'], before !== undefined)
    if (before === undefined) break
    await talk(client, 'later')
  }

  assert.equal(
    seen.map(({ seq, text }) => `${seq} ${text}`),
    ['1 m1', '2 echo: m1', '3 m2', '4 echo: m2', '5 m3', '6 echo: m3'],
  )
  const offset = await client.request('sessions.history', { key: KEY, limit: 1, offset: 7 })
  assert.equal(textsOf(offset), ['m1'])
  for (const wrong of ['nonsense', '1.1.1', '0.999.1']) {
    const refused = await client.request('sessions.history', { key: KEY, before: wrong })
    assert.equal([code(refused), path(refused)], ['INVALID_REQUEST', 'before'], wrong)
  }
  const cut = await client.request('sessions.history', { key: KEY, limit: 1, maxChars: 3 })
  assert.equal([textsOf(cut), messagesOf(cut)[0]?.['truncated']], [['ech'], true])
})

sessions('SE6 a reset begins anew, and what was before is read by its id', async ({ client }) => {
  await talk(client, 'before')
  const old = await client.request('sessions.history', { key: KEY })
  const sessionId = String(old.payload['sessionId'])

  const reset = await client.request('sessions.reset', { key: KEY, expectedSessionId: sessionId })
  await talk(client, 'behind')
  const now = await client.request('sessions.history', { key: KEY })
  const then = await client.request('sessions.history', { key: KEY, sessionId })

  assert.equal([reset.payload['reset'], reset.payload['sessionId'] === sessionId], [true, false])
  assert.is(now.payload['sessionId'], reset.payload['sessionId'])
  assert.equal(textsOf(now), ['behind', 'echo: behind'])
  assert.equal(messagesOf(then), messagesOf(old))
  assert.equal([then.payload['total'], now.payload['total']], [2, 2])
  const stale = await client.request('sessions.reset', { key: KEY, expectedSessionId: sessionId })
  assert.equal([code(stale), path(stale)], ['INVALID_REQUEST', 'expectedSessionId'])
  const nobody = await client.request('sessions.history', { key: KEY, sessionId: 'nobody' })
  assert.equal([code(nobody), path(nobody)], ['NOT_FOUND', 'sessionId'])
})

sessions(
  'SE7 a deleted session is gone from lists, and a message begins it anew',
  async (world) => {
    const { client } = world
    const first = await client.request('sessions.create', { key: KEY, label: 'x' })
    const gone = await client.request('sessions.delete', { key: KEY })
    const twice = await client.request('sessions.delete', { key: KEY })
    const empty = await client.request('sessions.list')
    await talk(client, 'anew')
    const anew = await client.request('sessions.create', { key: KEY })

    assert.equal([gone.payload['deleted'], twice.payload['deleted']], [true, false])
    assert.equal(empty.payload['sessions'], [])
    assert.is.not(anew.payload['sessionId'], first.payload['sessionId'])
    assert.equal([anew.payload['created'], anew.payload['facts']], [false, {}])
    const main = await client.request('sessions.delete', { key: 'main' })
    assert.is(code(main), 'INVALID_REQUEST')
    assert.is(main.error?.message, 'Cannot delete the main session (agent:main:main).')
  },
)

sessions(
  'SE12 an injected message is the agent’s, with its label, and is told',
  async ({ client }) => {
    await talk(client, 'hi')
    const injected = await client.request('sessions.inject', { key: KEY, message: 'm', label: 'L' })

    const shown = await client.request('sessions.history', { key: KEY, limit: 1 })
    const told = await client.event('session', ({ reason }) => reason === 'injected')
    assert.equal(
      messagesOf(shown).map(({ id, role, text, runId }) => [id, role, text, runId]),
      [[injected.payload['messageId'], 'assistant', '[L]\n\nm', null]],
    )
    assert.equal(
      [told.payload['messageId'], told.payload['text']],
      [injected.payload['messageId'], '[L]\n\nm'],
    )
    const nobody = await client.request('sessions.inject', { key: 'nobody', message: 'm' })
    assert.equal([code(nobody), path(nobody)], ['NOT_FOUND', 'key'])
  },
)

sessions('SE13 reset, delete, inject and compact need operator.admin', async ({ house }) => {
  const client = house.client()
  await client.connect({ deviceId: 'writer', scopes: ['operator.write'] })

  for (const method of ['reset', 'delete', 'inject', 'compact']) {
    const answer = await client.request(`sessions.${method}`, { key: KEY, message: 'm' })
    assert.is.not(answer.ok, true, method)
  }
  assert.is(code(await client.request('sessions.reset', { key: KEY })), 'FORBIDDEN')
  assert.is((await client.request('sessions.create', { key: KEY })).ok, true)
  const reader = house.client()
  await reader.connect({ deviceId: 'reader', scopes: ['operator.read'] })
  assert.is(code(await reader.request('sessions.create', {})), 'FORBIDDEN')
  assert.is((await reader.request('sessions.history', { key: KEY })).ok, true)
})

sessions('SE14 compact says why it did nothing', async ({ client }) => {
  await client.request('sessions.create', { key: KEY })

  const answer = await client.request('sessions.compact', { key: KEY })

  assert.is(answer.payload['compacted'], false)
  assert.match(String(answer.payload['reason']), 'too little to summarise')
})

sessions('SE15 wrong parameters name their place', async ({ client }) => {
  const long = 'x'.repeat(limits.contextTextCharsMax + 1)
  const cases: [string, object, string][] = [
    ['sessions.create', { label: long }, 'label'],
    ['sessions.patch', { key: KEY, archived: null }, 'archived'],
    ['sessions.patch', { label: 'x' }, 'key'],
    ['sessions.history', { key: KEY, limit: limits.transcriptPageMax + 1 }, 'limit'],
    ['sessions.list', { limit: limits.sessionListMax + 1 }, 'limit'],
    ['agent.wait', { runId: 'r', timeoutMs: limits.runWaitMsMax + 1 }, 'timeoutMs'],
  ]
  for (const [method, params, fault] of cases) {
    const answer = await client.request(method, params)
    assert.equal([code(answer), path(answer)], ['INVALID_REQUEST', fault], method)
  }
})

sessions.run()

const alone = suite('sessions alone')

alone('SE16 sessions, their ids and what is settled outlive a restart', async () => {
  const store = openMemory()
  const keep = { ...store, close: () => Promise.resolve() }
  const first = await startTestGateway({ store: keep })
  const client = first.client()
  await client.connect()
  await client.request('sessions.create', { key: KEY, label: 'Home', pinned: undefined })
  await talk(client, 'before')
  const reset = await client.request('sessions.reset', { key: KEY })
  await client.request('sessions.create', { key: 'gone' })
  await client.request('sessions.delete', { key: 'gone' })
  await first.stop()

  const second = await startTestGateway({ store: keep })
  const later = second.client()
  await later.connect()
  const again = await later.request('sessions.create', { key: KEY })
  const list = await later.request('sessions.list')
  await second.stop()

  assert.is(again.payload['sessionId'], reset.payload['sessionId'])
  assert.equal(again.payload['facts'], { label: 'Home' })
  assert.is((list.payload['sessions'] as unknown[]).length, 1)
})

alone.run()
