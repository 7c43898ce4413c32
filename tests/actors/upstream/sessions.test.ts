/** Upstream's methods about sessions, each once well and once refused. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { limits } from '../../../protocol/limits.ts'
import { sessionMethods } from '../../../protocol/dialect/upstream/methods/sessions.ts'
import type { UpstreamClient } from '../../support/upstream-client.ts'
import { runMethods, say } from '../../support/upstream-methods.ts'

type Json = Readonly<Record<string, unknown>>

const WORK = 'agent:main:work'
const rowsOf = (payload: Json) => payload['sessions'] as Json[]
const rowOf = async (boss: UpstreamClient, key: string) =>
  (await boss.get('sessions.describe', { key }))['session'] as Json | null

runMethods('sessions', sessionMethods, {
  'sessions.list': {
    well: async (boss) => {
      for (const key of ['main', 'work', 'play']) await say(boss, `k-${key}`, key)
      await boss.get('sessions.patch', { key: 'play', archived: true })
      const page = await boss.get('sessions.list', { limit: 1, offset: 1 })
      const { count, totalCount, hasMore, nextOffset } = page
      assert.equal([count, totalCount, hasMore, nextOffset], [1, 2, false, null])
      assert.is(rowsOf(page)[0]?.['key'], 'agent:main:main')
      assert.is(rowsOf(await boss.get('sessions.list', { archived: 'all' })).length, 3)
      assert.is(rowsOf(await boss.get('sessions.list', { limit: 1_000_000 })).length, 2)
      assert.equal(
        rowsOf(await boss.get('sessions.list', { search: 'work' })).map(({ key }) => key),
        [WORK],
      )
    },
    bad: { limit: 0 },
  },
  'sessions.subscribe': {
    well: async (boss) => {
      assert.equal(await boss.get('sessions.subscribe'), { subscribed: true })
      const { list } = await boss.get('sessions.subscribe', { limit: 5 })
      assert.equal(rowsOf(list as Json), [])
      await say(boss, 'a')
      const { payload } = await boss.event('sessions.changed', ({ reason }) => reason === 'send')
      assert.is((payload['session'] as Json)['key'], 'agent:main:main')
    },
    bad: { offset: -1 },
  },
  'sessions.unsubscribe': {
    well: async (boss) => {
      await boss.get('sessions.subscribe')
      assert.equal(await boss.get('sessions.unsubscribe'), { subscribed: false })
      await say(boss, 'a')
      await boss.get('sessions.list')
      assert.not.ok(boss.events.some(({ event }) => event === 'sessions.changed'))
    },
    bad: null,
  },
  'sessions.messages.subscribe': {
    well: async (boss) => {
      const told = await boss.get('sessions.messages.subscribe', { key: 'work' })
      assert.equal(told, { subscribed: true, key: WORK })
      for (let each = 1; each < limits.followedSessionsMax; each += 1) {
        await boss.get('sessions.messages.subscribe', { key: `s${each}` })
      }
      const over = await boss.ask('sessions.messages.subscribe', { key: 'one-too-many' })
      assert.is(over.error?.code, 'UNAVAILABLE')
      assert.is((await boss.ask('sessions.messages.subscribe', { key: 'work' })).ok, true)
    },
    bad: {},
  },
  'sessions.messages.unsubscribe': {
    well: async (boss) => {
      await boss.get('sessions.messages.subscribe', { key: 'main' })
      const told = await boss.get('sessions.messages.unsubscribe', { key: 'main' })
      assert.equal(told, { subscribed: false, key: 'agent:main:main' })
      await say(boss, 'a')
      assert.not.ok(boss.events.some(({ event }) => event === 'session.message'))
    },
    bad: { key: '' },
  },
  'sessions.preview': {
    well: async (boss) => {
      await say(boss, 'a')
      await boss.get('sessions.create', { key: 'empty' })
      const keys = ['main', 'empty', 'nowhere']
      const { previews } = await boss.get('sessions.preview', { keys, limit: 1 })
      assert.equal(previews, [
        { key: 'main', status: 'ok', items: [{ role: 'assistant', text: 'echo: say a' }] },
        { key: 'empty', status: 'empty', items: [] },
        { key: 'nowhere', status: 'missing', items: [] },
      ])
    },
    bad: { keys: 'main' },
  },
  'sessions.describe': {
    well: async (boss) => {
      assert.is(await rowOf(boss, 'main'), null)
      await say(boss, 'a')
      const row = await rowOf(boss, 'main')
      assert.equal([row?.['isMain'], row?.['hasActiveRun']], [true, false])
      assert.is(row?.['lastMessagePreview'], 'echo: say a')
    },
    bad: {},
  },
  'sessions.resolve': {
    well: async (boss) => {
      const made = await boss.get('sessions.create', { key: 'work', label: 'Work' })
      for (const named of [{ key: 'work' }, { label: 'Work' }, { sessionId: made['sessionId'] }]) {
        assert.is((await boss.get('sessions.resolve', named))['key'], WORK)
      }
      assert.equal(await boss.get('sessions.resolve', { key: 'no', allowMissing: true }), {
        ok: false,
      })
      assert.is((await boss.ask('sessions.resolve', { key: 'no' })).error?.code, 'INVALID_REQUEST')
      assert.is((await boss.ask('sessions.resolve', {})).ok, false)
    },
    bad: { key: 5 },
  },
  'sessions.create': {
    well: async (boss) => {
      const made = await boss.get('sessions.create', { key: 'work', label: 'Work', message: 'hi' })
      assert.equal([made['key'], made['runStarted']], [WORK, true])
      await boss.event('chat', ({ state }) => state === 'final')
      const taken = await boss.ask('sessions.create', { key: 'other', label: 'Work' })
      assert.is(taken.ok, false)
      const bare = await boss.get('sessions.create')
      assert.is(bare['runStarted'], false)
      assert.is.not(bare['key'], WORK)
    },
    bad: { key: 'work', fork: { at: 1 } },
  },
  'sessions.patch': {
    well: async (boss) => {
      const made = await boss.get('sessions.create', { key: 'work' })
      const facts = { label: 'W', pinned: true, unread: true, thinkingLevel: 'low' }
      const done = await boss.get('sessions.patch', { key: 'work', ...facts })
      const entry = done['entry'] as Json
      assert.equal([entry['label'], entry['pinned'], entry['thinkingLevel']], ['W', true, 'low'])
      const expectedSessionId = String(made['sessionId'])
      const undone = await boss.get('sessions.patch', {
        key: 'work',
        label: null,
        expectedSessionId,
      })
      assert.is((undone['entry'] as Json)['label'], undefined)
      const stale = { key: 'work', expectedSessionId: 'other', label: 'X' }
      assert.is((await boss.ask('sessions.patch', stale)).ok, false)
      assert.is((await boss.ask('sessions.patch', { key: 'work', model: 'no/such' })).ok, false)
    },
    bad: { key: 'work', thinkingLevel: 'very' },
  },
  'sessions.patchMany': {
    well: async (boss) => {
      for (const key of ['work', 'home']) await boss.get('sessions.create', { key })
      const targets = [{ key: 'work' }, { key: 'home', expectedSessionId: 'other' }]
      const done = await boss.get('sessions.patchMany', { targets, patch: { archived: true } })
      const [first, second] = done['outcomes'] as Json[]
      assert.equal(first, { ok: true, key: 'work' })
      assert.equal([second?.['ok'], second?.['key']], [false, 'home'])
      assert.is((await rowOf(boss, 'work'))?.['archived'], true)
      assert.is((await rowOf(boss, 'home'))?.['archived'], false)
    },
    bad: { targets: [], patch: {} },
  },
  'sessions.send': {
    well: async (boss) => {
      const told = await boss.get('sessions.send', { key: 'work', message: 'hi' })
      const isIt = (payload: Json) => payload['runId'] === told['runId']
      const { payload } = await boss.event('chat', isIt)
      assert.is(payload['sessionKey'], WORK)
    },
    bad: { key: 'work' },
  },
  'sessions.abort': {
    well: async (boss) => {
      const told = await boss.get('sessions.abort', { key: 'main' })
      assert.equal(told, { ok: true, abortedRunId: null, status: 'no-active-run' })
    },
    bad: { key: 5 },
  },
  'sessions.reset': {
    well: async (boss) => {
      await say(boss, 'a')
      const before = await rowOf(boss, 'main')
      const done = await boss.get('sessions.reset', { key: 'main', reason: 'new' })
      assert.is.not((done['entry'] as Json)['sessionId'], before?.['sessionId'])
      const { messages } = await boss.get('chat.history', { sessionKey: 'main' })
      assert.equal(messages, [])
    },
    bad: { key: 'main', reason: 'bored' },
  },
  'sessions.delete': {
    well: async (boss) => {
      await say(boss, 'a', 'work')
      const done = await boss.get('sessions.delete', { key: 'work', deleteTranscript: true })
      assert.equal(done, { ok: true, key: WORK, deleted: true, archived: [] })
      assert.is(await rowOf(boss, 'work'), null)
      assert.is((await boss.get('sessions.delete', { key: 'work' }))['deleted'], false)
      const main = await boss.ask('sessions.delete', { key: 'main' })
      assert.match(main.error?.message ?? '', /main session/)
    },
    bad: {},
  },
  'sessions.compact': {
    well: async (boss) => {
      await say(boss, 'a')
      const done = await boss.get('sessions.compact', { key: 'main' })
      assert.is(done['compacted'], false)
      assert.is(typeof done['reason'], 'string')
    },
    bad: { key: 'main', maxLines: 'all' },
  },
})
