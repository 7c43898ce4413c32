/** Who may run which tools, as a configuration says it. */
import * as assert from 'uvu/assert'
import { isHot } from '../../../protocol/config/change.ts'
import { parseConfig } from '../../../protocol/config/parse.ts'
import { resolveTools, WITH_TOOLS } from '../../../protocol/config/tools.ts'
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

test('TO22 rules of tools, of the queue and of resets take effect while the gateway runs', () => {
  const hot = ['channels.discord.tools.deny', 'messages.queue.mode', 'session.reset.mode', 'tools']
  for (const path of hot) assert.ok(isHot([path.split('.')]), path)
  assert.not.ok(isHot([['channels', 'discord', 'token']]))
})

test.run()
