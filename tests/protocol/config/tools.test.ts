/** Who may run which tools, as a configuration says it. */
import * as assert from 'uvu/assert'
import { judgeTool } from '../../../machines/rules/tool-policy.ts'
import { isHot } from '../../../protocol/config/change.ts'
import { checkMeaning } from '../../../protocol/config/check.ts'
import { parseConfig } from '../../../protocol/config/parse.ts'
import { idleEntries } from '../../../protocol/config/tool-groups.ts'
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

test('TP5 upstream’s groups are taken in every place, and what is no group is refused', () => {
  const places = [
    (rules: string) => [`{ tools: ${rules} }`, 'tools'],
    (rules: string) => [`{ agents: { defaults: { tools: ${rules} } } }`, 'agents.defaults.tools'],
    (rules: string) => [
      `{ agents: { entries: { a: { tools: ${rules} } } } }`,
      'agents.entries.a.tools',
    ],
    (rules: string) => [
      `{ channels: { irc: { enabled: false, tools: ${rules} } } }`,
      'channels.irc.tools',
    ],
  ] as const
  for (const place of places) {
    for (const list of ['allow', 'deny', 'ask']) {
      const [good = ''] = place(`{ ${list}: ["group:fs", "group:web", "group:memory"] }`)
      assert.equal(parse(good).issues, [], good)
      for (const wrong of ['group:files', 'Group:fs', ' group:fs', 'group:']) {
        const [bad = '', where = ''] = place(`{ ${list}: ["read", "${wrong}"] }`)
        assert.equal(
          parse(bad).issues.map(({ path }) => path),
          [`${where}.${list}[1]`],
          bad,
        )
      }
    }
  }
})

test('TP6 a group is our tools of that kind, and the rule is named as it was written', () => {
  const rules = [{ where: 'tools', allow: ['*'], deny: ['group:fs', 'group:nodes'] }]

  for (const name of ['read', 'write']) {
    assert.equal(judgeTool(name, rules), { verdict: 'deny', rule: 'tools.deny: group:fs' })
  }
  assert.is(judgeTool('node__phone__camera_snap', rules).rule, 'tools.deny: group:nodes')
  assert.is(judgeTool('exec', rules).verdict, 'allow')
  const few = [{ where: 'tools', allow: ['group:web'] }]
  assert.is(judgeTool('web_fetch', few).rule, 'tools.allow: group:web')
  assert.is(judgeTool('exec', few).verdict, 'deny')
})

test('TP7 an entry that no tool can match is told of, with its list', () => {
  const { config, issues } = parse(
    `{ tools: { allow: ["*", "home__*", "gone__*"], deny: ["Exec", "group:memory", "group:runtime", "n*"] },
       mcp: { servers: { home: { command: "x" } } },
       channels: { irc: { enabled: false, tools: { deny: ["node__tv__on", "bash"] } } } }`,
  )

  assert.equal(issues, [])
  assert.equal(idleEntries(resolveTools(config)), [
    { path: 'tools.allow', entry: 'gone__*' },
    { path: 'tools.deny', entry: 'Exec' },
    { path: 'tools.deny', entry: 'group:memory' },
    { path: 'channels.irc.tools.deny', entry: 'bash' },
  ])
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
