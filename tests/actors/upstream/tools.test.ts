/** Upstream's methods about tools, each once well and once refused. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { toolMethods } from '../../../protocol/dialect/upstream/methods/tools.ts'
import { runMethods } from '../../support/upstream-methods.ts'

type Group = { id: string; source: string; tools: { id: string }[] }

const BUILT_IN = ['message', 'sessions_history', 'sessions_list', 'web_fetch']

const named = ({ groups }: Readonly<Record<string, unknown>>): unknown[] =>
  (groups as Group[]).map(({ id, source, tools }) => [id, source, tools.map((tool) => tool.id)])

runMethods('tools', toolMethods, {
  'tools.catalog': {
    well: async (boss) => {
      const catalog = await boss.get('tools.catalog', { includePlugins: true })
      const [[id, source, tools] = []] = named(catalog) as unknown[][]
      assert.equal([id, source], ['built-in', 'core'])
      for (const name of BUILT_IN) assert.ok((tools as string[]).includes(name), name)
    },
    bad: { includePlugins: 'yes' },
  },
  // Without a workspace nothing works in one.
  'tools.effective': {
    well: async (boss) => {
      const effective = await boss.get('tools.effective', { sessionKey: 'main' })
      assert.equal(named(effective), [['core', 'core', BUILT_IN]])
      assert.equal([effective['agentId'], effective['notices']], ['main', []])
    },
    bad: {},
  },
  'tools.invoke': {
    well: async (boss) => {
      const asked = { name: 'sessions_list', args: { limit: 3 }, sessionKey: 'main' }
      const done = await boss.get('tools.invoke', { ...asked, idempotencyKey: 'one' })
      const output = { content: [{ type: 'text', text: '[]' }] }
      assert.equal(done, { ok: true, toolName: 'sessions_list', output, source: 'core' })
      const none = await boss.get('tools.invoke', { name: 'nothing' })
      assert.equal([none['ok'], (none['error'] as { code: string }).code], [false, 'not_found'])
      const wrong = await boss.get('tools.invoke', { name: 'sessions_list', args: { limit: 'x' } })
      assert.is((wrong['error'] as { code: string }).code, 'validation_error')
      const other = await boss.ask('tools.invoke', { ...asked, agentId: 'other' })
      assert.is(other.error?.code, 'INVALID_REQUEST')
    },
    bad: { args: {} },
  },
})
