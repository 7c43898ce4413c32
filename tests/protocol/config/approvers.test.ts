/** Who decides in a channel what waits for a person, as it is configured. */
import * as assert from 'uvu/assert'
import { resolveConfig } from '../../../protocol/config/defaults.ts'
import type { GatewayConfig } from '../../../protocol/config/schema.ts'
import { cases } from '../../store/cases.ts'

const approvers = cases('approvers')

const telegram = (keys: object): GatewayConfig => ({
  channels: { telegram: { botToken: '42:abc', ...keys } },
})

approvers(
  'C47 nobody decides by a nick unless they are named for it; elsewhere whom it lists',
  () => {
    const irc = (keys: object) =>
      resolveConfig({ channels: { irc: { host: 'h', allowFrom: ['ann'], ...keys } } }).irc
        ?.approvers
    const execApprovals = { approvers: ['ann'] }

    assert.equal(irc({}), [])
    assert.equal(irc({ execApprovals }), ['ann'])
    assert.is(irc({ identity: 'account' }), undefined)
    assert.equal(
      irc({ identity: 'account', execApprovals: { enabled: false, approvers: ['ann'] } }),
      [],
    )
    const listed = resolveConfig(
      telegram({ execApprovals: { enabled: 'auto', approvers: ['tg:7', 8] } }),
    )
    assert.equal(listed.telegram?.approvers, ['7', '8'])
    assert.is(resolveConfig(telegram({})).telegram?.approvers, undefined)
  },
)

approvers.run()
