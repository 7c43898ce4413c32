/** What a message takes along: settings, queue rules, and when its session ends by itself. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import type { ConfigKeeper } from '../../actors/config.ts'
import { runDefaults } from '../../actors/intake.ts'
import type { SessionRow } from '../../machines/projections/sessions.ts'
import { resolveConfig } from '../../protocol/config/defaults.ts'
import type { GatewayConfig } from '../../protocol/config/schema.ts'
import { cases } from '../store/cases.ts'

const test = cases('intake')

const AT = Date.UTC(2026, 2, 28, 12)
const DM = 'agent:main:irc:direct:ann'

function ask(
  config: GatewayConfig,
  changes: { key?: string; channel?: string | null; facts?: object } = {},
) {
  const { key: sessionKey = DM, channel = 'irc', facts = {} } = changes
  const live = { config: resolveConfig(config) } as unknown as ConfigKeeper['live']
  const row = { facts } as unknown as SessionRow
  return runDefaults({ live }, row, { sessionKey, channel, at: AT })
}

test('IN1 the session’s own mode wins over its channel’s, and that over the one for all', async () => {
  const messages = { queue: { mode: 'collect', byChannel: { irc: 'interrupt' } } } as const

  assert.is((await ask({})).queue.mode, 'steer')
  assert.is((await ask({ messages }, { channel: null })).queue.mode, 'collect')
  assert.is((await ask({ messages })).queue.mode, 'interrupt')
  assert.is((await ask({ messages }, { facts: { queue: 'followup' } })).queue.mode, 'followup')
})

test('IN2 a session stays unless the configuration resets it', async () => {
  assert.is((await ask({})).expiry, undefined)
  assert.is((await ask({ session: { reset: { mode: 'none', idleMinutes: 5 } } })).expiry, undefined)
})

test('IN3 the narrower rule of resets wins: channel, kind, all', async () => {
  const reset = { mode: 'idle', idleMinutes: 60 } as const
  const session = {
    reset,
    resetByType: { group: { ...reset, idleMinutes: 30 }, thread: { ...reset, idleMinutes: 10 } },
    resetByChannel: { signal: { ...reset, idleMinutes: 5 } },
  }
  const minutes = async (changes: object) =>
    (((await ask({ session }, changes)).expiry?.at ?? 0) - AT) / 60_000

  assert.is(await minutes({}), 60)
  assert.is(await minutes({ key: 'agent:main:irc:channel:#home' }), 30)
  assert.is(await minutes({ key: 'agent:main:irc:channel:#home:thread:1' }), 10)
  assert.is(await minutes({ channel: 'signal' }), 5)
})

test('IN4 a daily reset names its hour, zone and offset; the first to come wins', async () => {
  const daily = await ask({ session: { reset: { mode: 'daily', atHour: 4 } } })
  const both = await ask({ session: { reset: { mode: 'daily', atHour: 4, idleMinutes: 30 } } })

  const { at = 0, reason, zone = '', offsetMinutes = 0 } = daily.expiry ?? {}
  assert.equal([reason, at > AT, at - AT <= 25 * 3_600_000], ['daily', true, true])
  assert.is(new Date(at + offsetMinutes * 60_000).getUTCHours(), 4)
  assert.ok(zone !== '')
  assert.equal([both.expiry?.reason, both.expiry?.at], ['idle', AT + 30 * 60_000])
})

test.run()
