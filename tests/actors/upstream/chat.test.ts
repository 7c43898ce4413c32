/** Upstream's methods with which people talk, each once well and once refused. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { chatMethods } from '../../../protocol/dialect/upstream/methods/chat.ts'
import { readRecords } from '../../support/kernel.ts'
import { runMethods, say } from '../../support/upstream-methods.ts'

type Json = Readonly<Record<string, unknown>>

const texts = (payload: Json): unknown[] =>
  (payload['messages'] as Json[]).map(({ role, content }) =>
    typeof content === 'string'
      ? [role, content]
      : [role, (content as { text: string }[])[0]?.text],
  )

runMethods('chat', chatMethods, {
  'chat.history': {
    well: async (boss) => {
      for (const key of ['a', 'b']) await say(boss, key)
      const page = await boss.get('chat.history', { sessionKey: 'main', limit: 3 })
      assert.equal(texts(page), [
        ['assistant', 'echo: say a'],
        ['user', 'say b'],
        ['assistant', 'echo: say b'],
      ])
      const { sessionKey, hasMore, totalMessages, nextOffset } = page
      assert.equal([sessionKey, hasMore, totalMessages, nextOffset], ['main', true, 4, 3])
      const rest = await boss.get('chat.history', { sessionKey: 'agent:main:main', offset: 3 })
      assert.equal([texts(rest), rest['hasMore']], [[['user', 'say a']], false])
      const [first] = rest['messages'] as Json[]
      assert.is(first?.['idempotencyKey'], 'a:user')
      const cut = await boss.get('chat.history', { sessionKey: 'main', limit: 1, maxChars: 4 })
      assert.is(texts(cut).length, 1)
    },
    bad: { sessionKey: 'main', limit: 0 },
  },
  'chat.startup': {
    well: async (boss) => {
      await say(boss, 'a')
      const page = await boss.get('chat.startup', { sessionKey: 'main' })
      assert.is(texts(page).length, 2)
      const empty = await boss.get('chat.startup', { sessionKey: 'nowhere' })
      assert.equal([empty['sessionKey'], texts(empty)], ['nowhere', []])
    },
    bad: {},
  },
  'chat.metadata': {
    well: async (boss) => {
      const { models } = await boss.get('chat.metadata', { sessionKey: 'main' })
      assert.equal(
        (models as Json[]).map(({ id, provider }) => [id, provider]),
        [['echo', 'echo']],
      )
    },
    bad: { sessionKey: 5 },
  },
  'chat.send': {
    well: async (boss) => {
      const told = await say(boss, 'k')
      assert.equal(told, { runId: 'k', status: 'started' })
      assert.equal(await say(boss, 'k'), { runId: 'k', status: 'ok' })
      const other = { sessionKey: 'main', message: 'something else', idempotencyKey: 'k' }
      assert.is((await boss.ask('chat.send', other)).ok, false)
      const nowhere = { ...other, sessionKey: 'agent:nobody:main', idempotencyKey: 'l' }
      assert.match((await boss.ask('chat.send', nowhere)).error?.message ?? '', /no longer exists/)
    },
    bad: { sessionKey: 'main', message: 'hi', idempotencyKey: 'k', attachments: [{}] },
  },
  'chat.abort': {
    well: async (boss) => {
      const nothing = await boss.get('chat.abort', { sessionKey: 'main' })
      assert.equal(nothing, { ok: true, aborted: false, runIds: [] })
    },
    bad: { runId: 'r' },
  },
  'chat.inject': {
    well: async (boss) => {
      await boss.get('sessions.create', { key: 'main' })
      const done = await boss.get('chat.inject', { sessionKey: 'main', message: 'x', label: 'L' })
      assert.is(done['ok'], true)
      const page = await boss.get('chat.history', { sessionKey: 'main' })
      assert.equal(texts(page), [['assistant', '[L]\n\nx']])
      const nowhere = { sessionKey: 'nowhere', message: 'x' }
      assert.is((await boss.ask('chat.inject', nowhere)).error?.code, 'INVALID_REQUEST')
    },
    bad: { sessionKey: 'main', message: '' },
  },
  agent: {
    well: async (boss) => {
      const params = { message: 'hi', idempotencyKey: 'k', sessionId: 's1' }
      const id = await boss.post('agent', params)
      assert.is((await boss.answer(id)).payload['status'], 'accepted')
      assert.is((await boss.answer(id, 1)).payload['status'], 'ok')
      const other = await boss.ask('agent', { ...params, message: 'else' })
      assert.is(other.error?.code, 'INVALID_REQUEST')
    },
    bad: { message: 'hi' },
  },
  'agent.wait': {
    well: async (boss) => {
      assert.equal(await boss.get('agent.wait', { runId: 'nobody' }), {
        runId: 'nobody',
        status: 'pending',
      })
      await say(boss, 'k')
      const end = await boss.get('agent.wait', { runId: 'k', timeoutMs: 5_000 })
      const { status, terminalReply } = end
      assert.equal([status, (terminalReply as Json)['text']], ['ok', 'echo: say k'])
    },
    bad: { runId: '' },
  },
  send: {
    well: async (boss) => {
      const params = { to: 'ann', message: 'hi', idempotencyKey: 'k' }
      const bare = await boss.ask('send', params)
      assert.is(bare.error?.message, 'no channel is configured')
      const strange = await boss.ask('send', { ...params, channel: 'pigeon' })
      assert.is(strange.error?.message, 'unsupported channel: pigeon')
      const mute = await boss.ask('send', { to: 'ann', idempotencyKey: 'k' })
      assert.is(mute.error?.message, 'message is required')
    },
    bad: { to: 'ann', message: 'hi', idempotencyKey: 'k', mediaUrl: 'http://x' },
  },
  wake: {
    well: async (boss, { store }) => {
      assert.equal(await boss.get('wake', { mode: 'now', text: 'up' }), { ok: true })
      const told = readRecords(store).filter(({ event }) => event.type === 'message.accepted')
      assert.is(told.length, 1)
    },
    bad: { mode: 'later', text: 'up' },
  },
})
