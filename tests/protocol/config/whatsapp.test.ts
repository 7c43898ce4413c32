/** `channels.whatsapp`: people by number, groups by id. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseConfig } from '../../../protocol/config/parse.ts'
import { resolveWhatsApp } from '../../../protocol/config/whatsapp.ts'

const config = suite('whatsapp configuration')

config('WA14 everybody is closed out who is not named, and groups want a mention', () => {
  const { groups, ...rest } = resolveWhatsApp({
    allowFrom: ['whatsapp:+8613800138000'],
    groupAllowFrom: ['+491700000501'],
    groups: { '1203@g.us': {}, '*': { requireMention: false } },
  }) ?? { groups: {} }

  assert.equal(rest, {
    dmPolicy: 'pairing',
    allowFrom: ['+8613800138000'],
    groupPolicy: 'allowlist',
  })
  assert.equal(groups, {
    '1203@g.us': { requireMention: true, allowFrom: ['+491700000501'] },
    '*': { requireMention: false, allowFrom: ['+491700000501'] },
  })
  assert.is(resolveWhatsApp({ enabled: false }), null)
})

config('WA15 a number without its plus, or a name, is refused where it stands', () => {
  for (const bad of ['"8613800138000"', '"ann"', '8613800138000']) {
    const text = `{ channels: { whatsapp: { allowFrom: [${bad}] } } }`
    const { issues } = parseConfig(text, { file: 'f', env: {} })
    assert.match(issues.map(({ message }) => message).join(), /a phone number such as/)
  }
})

config.run()
