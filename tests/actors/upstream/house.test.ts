/** Upstream's methods about the gateway itself, each once well and once refused; and all of them. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { LOG_FILE } from '../../../actors/log-file.ts'
import { UPSTREAM_METHOD_NAMES } from '../../../protocol/dialect/upstream/methods.ts'
import { chatMethods } from '../../../protocol/dialect/upstream/methods/chat.ts'
import { configMethods } from '../../../protocol/dialect/upstream/methods/config.ts'
import { deviceMethods } from '../../../protocol/dialect/upstream/methods/devices.ts'
import { houseMethods } from '../../../protocol/dialect/upstream/methods/house.ts'
import { sessionMethods } from '../../../protocol/dialect/upstream/methods/sessions.ts'
import { usageMethods } from '../../../protocol/dialect/upstream/methods/usage.ts'
import { upstreamMethods } from '../../../protocol/dialect/upstream/methods.ts'
import { cases } from '../../store/cases.ts'
import { namedMethods, publishedScopes } from '../../support/published.ts'
import type { UpstreamClient } from '../../support/upstream-client.ts'
import { runMethods, say } from '../../support/upstream-methods.ts'

type Json = Readonly<Record<string, unknown>>

const list = (payload: unknown) => payload as Json[]

/** Tries a list of which this gateway has nothing. */
const empty = (method: string, name: string | null = null) => ({
  well: async (boss: UpstreamClient) => {
    const payload: unknown = await boss.get(method)
    assert.equal(payload, name === null ? [] : { [name]: [] })
  },
  bad: null,
})

runMethods('house', houseMethods, {
  health: {
    well: async (boss) => {
      await say(boss, 'a')
      const health = await boss.get('health', { probe: true, whatever: 1 })
      assert.equal([health['ok'], health['defaultAgentId']], [true, 'main'])
      const { count, recent } = health['sessions'] as { count: number; recent: Json[] }
      assert.equal([count, recent[0]?.['key']], [1, 'agent:main:main'])
    },
    bad: null,
  },
  status: {
    well: async (boss) => {
      const status = await boss.get('status')
      assert.is(status['runtimeVersion'], '0.0.0-test')
      assert.is((status['sessions'] as Json)['count'], 0)
    },
    bad: null,
  },
  'system-presence': {
    well: async (boss) => {
      const entries = list(await boss.get('system-presence'))
      assert.equal(
        entries.map(({ mode, reason }) => [mode, reason]),
        [
          ['gateway', 'self'],
          ['webchat', 'connect'],
        ],
      )
    },
    bad: null,
  },
  'agents.list': {
    well: async (boss) => {
      const { defaultId, agents } = await boss.get('agents.list')
      assert.is(defaultId, 'main')
      assert.equal(agents, [{ id: 'main', model: { primary: 'echo' } }])
    },
    bad: null,
  },
  'agent.identity.get': {
    well: async (boss) => {
      const { agentId, name } = await boss.get('agent.identity.get', { sessionKey: 'main' })
      assert.equal([agentId, name], ['main', 'Assistant'])
    },
    bad: { agent: 'main' },
  },
  'system.info': {
    well: async (boss) => {
      const { pid, nodeVersion } = await boss.get('system.info')
      assert.equal([pid, nodeVersion], [process.pid, process.version])
    },
    bad: { all: true },
  },
  'last-heartbeat': {
    well: async (boss) => assert.is(await boss.get('last-heartbeat'), null),
    bad: null,
  },
  'update.status': {
    well: async (boss) => {
      assert.is((await boss.get('update.status'))['updateAvailable'], null)
    },
    bad: { refreshCheckout: 'yes' },
  },
  'diagnostics.stability': {
    well: async (boss) => {
      assert.equal((await boss.get('diagnostics.stability'))['events'], [])
    },
    bad: null,
  },
  'logs.tail': {
    well: async (boss, { configPath }) => {
      const none = await boss.get('logs.tail')
      assert.equal([none['lines'], none['cursor']], [[], 0])
      const logs = join(dirname(configPath), 'logs')
      mkdirSync(logs, { recursive: true })
      const line = { level: 'warn', time: '2026-11-25T10:00:00.000Z', msg: 'fire', where: 'attic' }
      writeFileSync(join(logs, LOG_FILE), `${JSON.stringify(line)}\n`)
      const { lines, cursor, size } = await boss.get('logs.tail', { limit: 10 })
      const [shown] = (lines as string[]).map((text) => JSON.parse(text) as Json)
      const { message, _meta } = shown ?? {}
      assert.equal([message, (_meta as Json)['logLevelName']], ['fire where="attic"', 'WARN'])
      assert.is(cursor, size)
    },
    bad: { limit: 0 },
  },
  'channels.status': {
    well: async (boss) => {
      const { channelOrder, channels } = await boss.get('channels.status', { probe: true })
      assert.equal([channelOrder, channels], [[], {}])
    },
    bad: { probe: 'yes' },
  },
  'models.list': {
    well: async (boss) => {
      const { models } = await boss.get('models.list', { view: 'all' })
      assert.equal(
        list(models).map(({ id, provider, available }) => [id, provider, available]),
        [['echo', 'echo', true]],
      )
    },
    bad: { view: 'some' },
  },
  'models.authStatus': {
    well: async (boss) => {
      const sources = async () =>
        list((await boss.get('models.authStatus'))['providers']).map(
          ({ provider, status, apiKey }) => [provider, status, apiKey],
        )
      assert.equal(await sources(), [])
      const baseUrl = 'http://127.0.0.1:9/v1'
      const providers = { open: { baseUrl }, safe: { baseUrl, apiKey: 'k' } }
      const { hash: baseHash } = await boss.get('config.get')
      const agents = { defaults: { model: 'openai/some' } }
      const raw = JSON.stringify({ agents, models: { providers } })
      await boss.get('config.patch', { raw, baseHash })
      assert.equal(await sources(), [
        ['openai', 'missing', undefined],
        ['open', 'static', undefined],
        ['safe', 'static', { source: 'config' }],
      ])
    },
    bad: { agentId: '' },
  },
  'skills.status': {
    well: async (boss) => assert.equal((await boss.get('skills.status'))['skills'], []),
    bad: { agent: 'main' },
  },
  'question.list': empty('question.list', 'questions'),
  'plugin.approval.list': empty('plugin.approval.list'),
  'commands.list': {
    well: async (boss) => {
      const { commands } = await boss.get('commands.list', { includeArgs: true })
      const names = list(commands).map(({ name }) => name)
      assert.equal(names, ['new', 'reset', 'stop', 'queue', 'think', 'model', 'status', 'approve'])
    },
    bad: { scope: 'some' },
  },
  'openclaw.approval.list': empty('openclaw.approval.list'),
  'taskSuggestions.list': empty('taskSuggestions.list', 'suggestions'),
  'tasks.list': empty('tasks.list', 'tasks'),
})

const all = cases('upstream methods')

all('UM4 every method has a row in a table of tests, or tests of its own', () => {
  const tables = [
    chatMethods,
    configMethods,
    deviceMethods,
    houseMethods,
    sessionMethods,
    usageMethods,
  ]
  const rows = new Set(tables.flatMap((table) => Object.keys(table)))
  const named = namedMethods(UPSTREAM_METHOD_NAMES)

  assert.equal(
    UPSTREAM_METHOD_NAMES.filter((name) => !rows.has(name) && !named.has(name)),
    [],
  )
})

/** Where the published list has another scope than ours, and why. */
const OTHERWISE: Readonly<Record<string, string>> = {
  'agent: dynamic': 'writing; upstream asks for more where a text begins with /new or /reset',
  'node.invoke: dynamic': 'writing; what a node may be asked is allowed by operator.admin before',
  'sessions.create: dynamic': 'writing; what would need more is refused as a parameter',
  'sessions.delete: dynamic': 'operator.admin always, as in the specification’s dialect',
  'sessions.patch: dynamic': 'writing; what would need more is refused as a parameter',
  'sessions.patchMany: dynamic': 'writing; what would need more is refused as a parameter',
  'channels.pairing.approve: dynamic': 'pairing; what would need more is not here, and so said',
  'sessions.unsubscribe: undefined': 'not in the published list; reading, as its opposite',
}

all('UM5 scopes are those of the published list, but where a reason is given', () => {
  const published = publishedScopes()
  const differing = UPSTREAM_METHOD_NAMES.filter((name) => {
    const { scope, roles } = upstreamMethods[name]
    const ours = scope ?? ((roles as readonly string[]).includes('node') ? 'node' : 'none')
    return published.get(name) !== ours
  })

  assert.equal(
    differing.map((name) => `${name}: ${published.get(name)}`).toSorted(),
    Object.keys(OTHERWISE).toSorted(),
  )
})

all.run()
