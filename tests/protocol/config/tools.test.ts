/** Who may run which tools, as a configuration says it. */
import * as assert from 'uvu/assert'
import { isHot } from '../../../protocol/config/change.ts'
import { checkMeaning } from '../../../protocol/config/check.ts'
import { parseConfig } from '../../../protocol/config/parse.ts'
import { resolveTools, WITH_TOOLS } from '../../../protocol/config/tools.ts'
import { unsupportedPaths } from '../../../protocol/config/unread.ts'
import { cases } from '../../store/cases.ts'

const test = cases('tools config')

const parse = (text: string) => parseConfig(text, { file: 'f', env: {} })

test('TO20 conversations of every channel may have rules of their own', () => {
  for (const name of WITH_TOOLS) {
    const { config, issues } = parse(
      `{ channels: { ${name}: { enabled: false, tools: { deny: ["exec"] } } } }`,
    )

    assert.equal(issues, [], name)
    assert.equal(resolveTools(config).byChannel, {
      [name]: { where: `channels.${name}.tools`, deny: ['exec'] },
    })
  }
})

test('TO21 a rule that is none is refused with its path', () => {
  const { issues } = parse('{ channels: { webhook: { enabled: false, tools: { deny: "exec" } } } }')

  assert.equal(
    issues.map(({ path }) => path),
    ['channels.webhook.tools.deny'],
  )
})

test('TP1 an agent has rules of its own, in upstream’s older form and in its later one', () => {
  const { config, issues } = parse(
    `{ agents: {
         list: [{ id: "main" }, { id: "Work", default: true, tools: { deny: ["exec"], profile: "coding" } }],
         entries: { work: { tools: { allow: ["read"], ask: ["read"] } } } } }`,
  )

  assert.equal(issues, [])
  assert.equal(resolveTools(config).byAgent, [
    { where: 'agents.list[1].tools', agentId: 'work', deny: ['exec'] },
    { where: 'agents.entries.work.tools', agentId: 'work', allow: ['read'], ask: ['read'] },
  ])
  assert.equal(unsupportedPaths(config), ['agents.list[1].default', 'agents.list[1].tools.profile'])
})

test('TP2 an agent that no session can be of, and rules that are none, are refused', () => {
  for (const [text, path] of [
    ['{ agents: { list: [{ id: "my agent", tools: {} }] } }', 'agents.list[0].id'],
    ['{ agents: { entries: { "": {} } } }', 'agents.entries[""]'],
    ['{ agents: { list: [{ tools: {} }] } }', 'agents.list[0].id'],
    ['{ agents: { list: [{ id: "a", tools: { deny: "x" } }] } }', 'agents.list[0].tools.deny'],
    ['{ agents: { list: [{ id: "a", tols: {} }] } }', 'agents.list[0].tols'],
  ] as const) {
    const { config, issues } = parse(text)
    const found = issues.length > 0 ? issues : checkMeaning(config)
    assert.equal(
      found.map((issue) => issue.path),
      [path],
    )
  }
})

test('TO22 rules of tools, of the queue and of resets take effect while the gateway runs', () => {
  const hot = [
    'agents.list',
    'agents.entries.work.tools.deny',
    'channels.discord.tools.deny',
    'messages.queue.mode',
    'session.reset.mode',
    'tools',
  ]
  for (const path of hot) assert.ok(isHot([path.split('.')]), path)
  assert.not.ok(isHot([['channels', 'discord', 'token']]))
})

test.run()
