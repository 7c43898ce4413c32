/** Upstream's methods about the configuration, each once well and once refused. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { readFileSync } from 'node:fs'
import JSON5 from 'json5'
import { configMethods } from '../../../protocol/dialect/upstream/methods/config.ts'
import { limits } from '../../../protocol/limits.ts'
import { cases } from '../../store/cases.ts'
import { inUpstream, type UpstreamClient } from '../../support/upstream-client.ts'
import { runMethods } from '../../support/upstream-methods.ts'

type Json = Readonly<Record<string, unknown>>

const hashOf = async (boss: UpstreamClient) => String((await boss.get('config.get'))['hash'])
const patchOf = (maxMessages: number) => JSON.stringify({ session: { maxMessages } })
const onDisk = (path: string) =>
  JSON5.parse<{ gateway: Json; session?: Json }>(readFileSync(path, 'utf8'))

/** Sets the whole configuration by a method, and looks at what is on disk then. */
function replaces(method: 'config.set' | 'config.apply') {
  return async (boss: UpstreamClient, { configPath }: { configPath: string }) => {
    const raw = JSON.stringify({
      session: { maxMessages: 30 },
      gateway: { auth: { mode: 'token' } },
    })
    const stale = await boss.ask(method, { raw, baseHash: 'old' })
    assert.is(stale.error?.message, 'config changed since last load; re-run config.get and retry')
    const done = await boss.get(method, { raw, baseHash: await hashOf(boss), note: 'less' })
    assert.is(done['ok'], true)
    assert.is(done['hash'], await hashOf(boss))
    // What was left out was a secret that nobody is shown.
    const { gateway, session } = onDisk(configPath)
    assert.equal(session, { maxMessages: 30 })
    assert.equal((gateway as { auth: Json }).auth['token'], 'tok')
  }
}

runMethods('config', configMethods, {
  'config.get': {
    well: async (boss, { configPath }) => {
      const shown = await boss.get('config.get')
      const { path, exists, valid, raw, config } = shown
      assert.equal([path, exists, valid], [configPath, true, true])
      assert.equal(JSON.parse(String(raw)), config)
      assert.not.ok(JSON.stringify(shown).includes('"tok"'))
    },
    bad: { all: true },
  },
  'config.schema': {
    well: async (boss) => {
      const { schema, uiHints, version } = await boss.get('config.schema')
      assert.is((schema as Json)['type'], 'object')
      assert.is(version, '0.0.0-test')
      assert.equal((uiHints as Json)['models.providers.*.apiKey'], { sensitive: true })
    },
    bad: { path: 'gateway' },
  },
  'config.schema.lookup': {
    well: async (boss) => {
      const port = await boss.get('config.schema.lookup', { path: 'gateway.port' })
      assert.equal(port['schema'], { type: 'integer', minimum: 0, maximum: 65_535 })
      assert.equal([port['reloadKind'], port['children']], ['restart', []])
      const whole = await boss.get('config.schema.lookup', { path: '.' })
      assert.ok((whole['children'] as Json[]).some(({ key }) => key === 'gateway'))
      const { error } = await boss.ask('config.schema.lookup', { path: 'gateway.portal' })
      assert.is(error?.message, 'config schema path not found')
    },
    bad: { path: 'a b' },
  },
  'config.set': { well: replaces('config.set'), bad: { raw: 5 } },
  'config.apply': { well: replaces('config.apply'), bad: {} },
  'config.patch': {
    well: async (boss) => {
      const raw = patchOf(20)
      const bare = await boss.ask('config.patch', { raw })
      assert.is(bare.error?.message, 'config base hash required; re-run config.get and retry')
      const baseHash = await hashOf(boss)
      const done = await boss.get('config.patch', { raw, baseHash, note: 'why' })
      assert.equal(done['changedPaths'], ['session.maxMessages'])
      const { payload } = done['sentinel'] as { payload: Json }
      assert.equal([payload['kind'], payload['message']], ['config-patch', 'why'])
      const again = await boss.get('config.patch', { raw, baseHash: done['hash'] })
      assert.is(again['noop'], true)
      await boss.event('config.changed', ({ hash }) => hash === done['hash'])
      for (const wrong of ['{ 1: }', '{gateway:{port:"many"}}', '{no:{such:1}}']) {
        const refused = await boss.ask('config.patch', { raw: wrong, baseHash: done['hash'] })
        assert.is(refused.error?.code, 'INVALID_REQUEST', wrong)
      }
      assert.is(await hashOf(boss), done['hash'])
    },
    bad: { raw: '{}', replacePaths: 'all' },
  },
})

const writes = cases('upstream writes')

writes('UW1 thirty writes a minute of one device and method, in whichever dialect', () =>
  inUpstream(async ({ enter, client }) => {
    const boss = await enter()
    for (let each = 0; each < limits.controlWritesMax; each += 1) {
      const { error } = await boss.ask('config.patch', { raw: '{}', baseHash: 'old' })
      assert.match(error?.message ?? '', /changed since/)
    }
    const baseHash = await hashOf(boss)

    const over = await boss.ask('config.patch', { raw: '{}', baseHash })

    assert.is(over.error?.code, 'UNAVAILABLE')
    assert.is(over.error?.message, 'rate limit exceeded for config.patch')
    assert.is(over.error?.retryable, true)
    const other = client()
    await other.connect({ auth: { token: 'tok' } })
    assert.is((await other.request('config.patch', { raw: '{}', baseHash })).ok, true)
    assert.is((await boss.ask('device.pair.list')).ok, true)
  }),
)

writes.run()
